"""The clerk of case F1: refreshes the queues and works through alerts until it is killed, saying each step.

A line on standard output is an acknowledgement: what it names must be there after the kill.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from models.alerts.settings import AlertSettings
from serving.health import queue as queue_module
from serving.health.queue import Wanted
from tests.unit.health.nights import MONDAY, ROOT, Nights

SETTINGS = AlertSettings(
    at_risk_from=0.06,
    recover_below=0.05,
    watch_from=0.055,
    ok_below=0.045,
    holdout_share=0.0,
    cooldown_days=0,
)


SAID = {"assigned": "assign", "snoozed": "snooze", "closed": "close"}


def say(*words: object) -> None:
    print(*words, flush=True)


def work(folder: Path, *, nights_before: int) -> None:
    """Endless: a night, then a step on every alert."""
    nights = Nights(folder, settings=SETTINGS, now=MONDAY + timedelta(hours=3, days=7 * nights_before))
    number = nights_before
    while True:
        number += 1
        for place, partner in enumerate(nights.frame.index):
            nights.move(partner, login_count_30d=float((number + place) % 5))
        nights.run(days=0)
        say("night", nights.now.date())
        alerts = nights.queue.page(Wanted(state="all", limit=500), identity=ROOT)["alerts"]
        for one, step in zip(alerts, steps(number), strict=False):
            if one["status"] == "closed":
                continue
            alert_id = one["alert_id"]
            if step == "assign":
                nights.queue.assign(alert_id, assignee=f"Robin {number}", identity=ROOT)
                say("assign", alert_id, number)
            elif step == "snooze":
                until = (nights.now + timedelta(days=40)).date()
                nights.queue.snooze(alert_id, until=until, reason="x", identity=ROOT)
                say("snooze", alert_id, until)
            else:
                nights.queue.close(alert_id, outcome="saved", identity=ROOT)
                say("close", alert_id, number)
        nights.now += timedelta(days=7)


def steps(number: int) -> Iterable[str]:
    kinds = ("assign", "snooze", "close")
    while True:
        number += 1
        yield kinds[number % 3]


def broken() -> None:
    """Acknowledges before the transaction is over, and writes the queue and the log apart."""
    real: Any = queue_module.write_alerts

    def apart(connection: Any, alerts: Any, *, actor: str, at: Any) -> None:
        pairs = list(alerts)
        for one, action in pairs:
            say(SAID[action], one.alert.alert_id, "early")
        real(connection, pairs, actor=actor, at=at)
        raise KeyboardInterrupt  # the process "dies" between the answer and the commit

    queue_module.write_alerts = apart


@contextmanager
def quiet() -> Any:
    try:
        yield
    except KeyboardInterrupt:
        sys.exit(9)


if __name__ == "__main__":
    if "--early" in sys.argv:
        broken()
    with quiet():
        work(Path(sys.argv[1]), nights_before=int(sys.argv[2]))
