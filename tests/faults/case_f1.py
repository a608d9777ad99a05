"""F1: kill -9 while the nightly refresh and people write alerts."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from serving import audit
from serving.health.records import alert_of
from serving.health.tables import ALERT_LOG, ALERTS, HEALTH_HISTORY, HEALTH_NOW, REFRESHES
from serving.state import Database
from tests.faults.harness import FOLDER, Outcome, judged

TITLE = "kill -9 while alerts are written: nothing acknowledged is lost, nothing is half-written"
QUICK, FULL = 3, 50
SLOW = True
LONGEST_SECONDS = 1.5
START_SECONDS = 90.0


def run(size: int) -> Outcome:
    """Kills at random moments over one database that lives on; everything said must be there after each."""
    return _killed(size)


def planted() -> Outcome:
    """The same with an answer that comes before the commit."""
    return _killed(2, "--early")


def _killed(kills: int, *options: str) -> Outcome:
    faults: list[str] = []
    said = 0
    rng = random.Random(7)
    with tempfile.TemporaryDirectory(prefix="f1-") as name:
        folder = Path(name)
        nights = 0
        for kill in range(kills):
            lines = _life(folder, nights, rng, options)
            said += len(lines)
            nights += sum(line.startswith("night") for line in lines) + 1
            database = Database(f"sqlite:///{folder / 'state.db'}")
            faults += [f"kill {kill + 1}: {f}" for f in (*_lost(database, lines), *_torn(database))]
            database.close()
    return judged(kills, faults, f"{kills} kills, {said} acknowledged steps, 0 lost, 0 half-written")


def _life(folder: Path, nights: int, rng: random.Random, options: tuple[str, ...]) -> list[str]:
    """One process from start to kill; what it acknowledged."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.faults.clerk", str(folder), str(nights), *options]
    child = subprocess.Popen(command, cwd=FOLDER.parents[1], stdout=subprocess.PIPE, text=True)
    lines: list[str] = []

    def listen() -> None:
        assert child.stdout
        lines.extend(line.rstrip("\n") for line in child.stdout if line.endswith("\n"))

    reader = threading.Thread(target=listen)
    reader.start()
    begun = time.monotonic()
    while not lines and child.poll() is None and time.monotonic() - begun < START_SECONDS:
        time.sleep(0.01)
    time.sleep(rng.random() * LONGEST_SECONDS)
    child.send_signal(signal.SIGKILL)
    child.wait()
    reader.join()
    return lines


def _lost(database: Database, lines: list[str]) -> list[str]:
    """Acknowledged steps that are not there: the log has every one, the queue the last of each alert."""
    faults = []
    with database.read() as connection:
        nights = {r[0] for r in connection.execute(select(REFRESHES.c.as_of))}
        log = connection.execute(select(ALERT_LOG.c.alert_id, ALERT_LOG.c.action)).all()
        done = {(r.alert_id, r.action) for r in log}
        alerts = {r.alert_id: alert_of(r.body) for r in connection.execute(select(ALERTS))}
    names = {"assign": "assigned", "snooze": "snoozed", "close": "closed"}
    for line in lines:
        what, *rest = line.split(" ")
        if what == "night":
            if rest[0] not in nights:
                faults.append(f"the night of {rest[0]} is gone")
        elif (rest[0], names[what]) not in done or rest[0] not in alerts:
            faults.append(f"{what} of {rest[0]} is gone")
        elif what == "close" and alerts[rest[0]].outcome != "saved":
            faults.append(f"{rest[0]} is open again")
    return faults


def _torn(database: Database) -> list[str]:
    """Parts of one transaction without the others."""
    faults: list[str] = []
    with database.read() as connection:
        newest = select(ALERT_LOG.c.alert_id, func.max(ALERT_LOG.c.seq).label("seq"))
        last = newest.group_by(ALERT_LOG.c.alert_id).subquery()
        query = select(ALERT_LOG.c.alert_id, ALERT_LOG.c.body).join(last, ALERT_LOG.c.seq == last.c.seq)
        logged = {r.alert_id: r.body for r in connection.execute(query)}
        kept = {r.alert_id: r.body for r in connection.execute(select(ALERTS.c.alert_id, ALERTS.c.body))}
        if logged != kept:
            faults.append("queue and log differ")
        rows = connection.execute(select(HEALTH_NOW.c.as_of, HEALTH_NOW.c.partner_id)).all()
        days = {r.as_of for r in rows}
        refreshed = connection.execute(select(func.max(REFRESHES.c.as_of))).scalar()
        if rows and days != {refreshed}:
            faults.append(f"scores of {sorted(days)}, refresh of {refreshed}")
        history = connection.execute(
            select(HEALTH_HISTORY.c.as_of, func.count()).group_by(HEALTH_HISTORY.c.as_of)
        ).all()
        faults += [f"history of {day} has {count} rows" for day, count in history if count != len(rows)]
        details: list[Any] = [json.loads(r[0]) for r in connection.execute(select(REFRESHES.c.detail))]
        if any(not d["layout"]["numbers"] for d in details):
            faults.append("a refresh has no layout")
    if audit.broken_rows(database):
        faults.append("the audit log is broken")
    return faults
