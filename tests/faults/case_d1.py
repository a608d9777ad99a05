"""D1: idempotency of routing: whatever happens between a request and its answer, there is one execution."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from data.errors import InputError
from serving.errors import ConflictError
from serving.routing.idempotency import Claim, Idempotency
from serving.routing.tables import LEADS, OFFERS
from serving.tables import DECISIONS
from tests.faults.harness import Outcome, judged
from tests.unit.routing.shop import OTHER, PRM, Shop, shop

TITLE = "one execution for one Idempotency-Key, and the same bytes to whoever asks again"
SLOW = True
QUICK, FULL = 3, 20
CALLERS = 50


def run(size: int) -> Outcome:
    """Concurrent callers, failures, other bodies, other owners, and kill -9 at a random moment."""
    faults: list[str] = []
    tried = 0
    with tempfile.TemporaryDirectory(prefix="d1-") as folder, shop(Path(folder), models=False) as made:
        for check in (concurrent, after_failure, other_body, other_owner, *[killed] * size):
            tried += 1
            faults += [f"{check.__name__}: {f}" for f in check(made)]
    return judged(tried, faults, f"{CALLERS} callers at once, {size} kills")


def planted() -> Outcome:
    """Keys that are forgotten as soon as they are answered."""

    def forget(self: Idempotency, connection: Any, claim: Claim, answer: str) -> None:
        """Keeps nothing."""

    with (
        tempfile.TemporaryDirectory(prefix="d1-") as folder,
        shop(Path(folder), models=False) as made,
        patch.object(Idempotency, "finish", forget),
    ):
        return judged(1, list(concurrent(made)), "")


def ask(made: Shop, key: str, lead_id: str, *, identity: Any = PRM, note: int = 1) -> str:
    """One request as a patient client sends it: told to wait (409, 503), it asks again."""
    wanted = made.lead(lead_id=lead_id)
    patience = time.monotonic() + 300
    while time.monotonic() < patience:
        try:
            return made.routing.routing.route(
                wanted, key=key, request={"lead": lead_id, "note": note}, personal={}, identity=identity
            )
        except OperationalError:
            time.sleep(0.05)  # the service says 503: the database is busy, and nothing was recorded
        except ConflictError as error:
            if "under way" not in str(error) and "Another request" not in str(error):
                return f"refused: {error}"
            time.sleep(0.01)
    return "never answered"


def executions(made: Shop, lead_id: str, *, owner: str = "crm") -> tuple[int, int, int]:
    """Leads, offers and decisions there are of a lead."""
    with made.runtime.shared.database.read() as connection:
        mine = [
            connection.execute(
                select(func.count()).select_from(t).where((t.c.lead_id == lead_id) & (t.c.owner == owner))
            ).scalar_one()
            for t in (LEADS, OFFERS)
        ]
        entity = json.dumps({"lead_id": lead_id}, separators=(",", ":"))
        query = select(func.count()).select_from(DECISIONS)
        query = query.where((DECISIONS.c.entity_id == entity) & (DECISIONS.c.owner == owner))
        return (*mine, connection.execute(query).scalar_one())


def concurrent(made: Shop) -> Iterator[str]:
    """Fifty at once."""
    answers: list[str] = []
    threads = [
        threading.Thread(target=lambda: answers.append(ask(made, "many", "C1"))) for _ in range(CALLERS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(set(answers)) != 1 or len(answers) != CALLERS:
        yield f"{len(set(answers))} different answers of {len(answers)}: {sorted(set(answers))[0][:80]}"
    if executions(made, "C1") != (1, 1, 1):
        yield f"leads, offers, decisions: {executions(made, 'C1')}"
    if ask(made, "many", "C1") != answers[0]:
        yield "another answer after success"


def after_failure(made: Shop) -> Iterator[str]:
    """The first request breaks inside: nothing is left, and a retry does it."""
    with patch("serving.routing.routing.keep_log", side_effect=RuntimeError("broken")):
        try:
            ask(made, "failing", "F1")
            yield "the failure was swallowed"
        except RuntimeError:
            pass
    if executions(made, "F1") != (0, 0, 0) or made.loads().get("F1"):
        yield f"left behind: {executions(made, 'F1')}"
    if json.loads(ask(made, "failing", "F1"))["outcome"] != "offered":
        yield "the retry was not offered"


def other_body(made: Shop) -> Iterator[str]:
    """The same key for something else."""
    ask(made, "body", "B1")
    try:
        ask(made, "body", "B1", note=2)
        yield "another body was accepted"
    except InputError:
        pass


def other_owner(made: Shop) -> Iterator[str]:
    """The same key of another owner is another key."""
    mine, theirs = (json.loads(ask(made, "owner", "O1", identity=who)) for who in (PRM, OTHER))
    if mine["decision_id"] == theirs["decision_id"]:
        yield "one owner got the other's answer"
    if executions(made, "O1", owner=OTHER.owner) != (1, 1, 1):
        yield "the other owner's lead was not routed"


CHILD = """
import json, sys
from pathlib import Path
from tests.faults.case_d1 import ask, reopened
with reopened(Path(sys.argv[1])) as made:
    for n in range(10_000):
        print(f"K{sys.argv[2]}-{n}", flush=True)
        ask(made, f"K{sys.argv[2]}-{n}", f"K{sys.argv[2]}-{n}")
"""
_kills = 0


def killed(made: Shop) -> Iterator[str]:
    """A process dies at a random moment; the client, which saw no answer, sends everything again."""
    global _kills
    _kills += 1
    folder = made.runtime.shared.workspace.parent
    child = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", CHILD, str(folder), str(_kills)],
        stdout=subprocess.PIPE, text=True, cwd=Path(__file__).resolve().parents[2],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    sent: list[str] = []
    assert child.stdout is not None
    for line in child.stdout:
        sent.append(line.strip())
        if len(sent) == 5:
            time.sleep(0.013 * (_kills % 7) + 0.002)
            child.send_signal(signal.SIGKILL)
    child.wait()
    before = {lead: executions(made, lead) for lead in sent}
    torn = [lead for lead, count in before.items() if count not in ((0, 0, 0), (1, 1, 1))]
    if torn or len(sent) < 5:
        yield f"torn: {torn[:3]}, sent {len(sent)}"
    for lead in sent:
        first, again = ask(made, lead, lead), ask(made, lead, lead)
        if first != again or executions(made, lead) != (1, 1, 1):
            yield f"{lead} after the retry: {executions(made, lead)}"
    load = sum(made.loads().values())
    with made.runtime.shared.database.read() as connection:
        offers = connection.execute(select(func.count()).select_from(OFFERS)).scalar_one()
    if load != offers:
        yield f"{load} units of capacity taken for {offers} offers"


def reopened(folder: Path) -> Any:
    """The same shop in another process: the lake is there already."""
    return shop(folder, models=False, lake=False)


Check = Callable[[Shop], Iterator[str]]
