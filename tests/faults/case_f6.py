"""F6: a disk that runs full under a running product, and while a model is installed; nights are in F2."""

from __future__ import annotations

import random
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx

from data.errors import PartnerIntelError
from models.ledger import Ledger
from serving import audit
from serving.decisions import DecisionLog
from serving.server import stop
from tests.faults.harness import Outcome, judged
from tests.faults.smalldisk import SmallDisk
from tests.faults.target import HOUSE
from tests.functional.serving.conftest import CONFIG, Served, start
from tests.unit.serving.world import Shop, good_row

TITLE = "A full disk is a clean error: what was acknowledged is intact, and with room again all goes on"
SLOW = True  # a server of its own
QUICK, FULL = 3, 25  # times the disk is filled
SCORE = "/v1/churn/score"
DISK = 48 * 1024 * 1024


def run(size: int) -> Outcome:
    """A product on a small disk, filled again and again to some few bytes."""
    faults: list[str] = []
    with product_on_small_disk() as (served, disk):
        rng, acknowledged = random.Random(size), list[str]()
        for _ in range(size):
            acknowledged += _scored(served, 3, faults, full=False)
            disk.fill(leave=rng.choice([0, 0, 4_096, 20_000, 70_000]))
            acknowledged += _scored(served, 12, faults, full=True)
            faults += _others(served)
            disk.clear()
            faults += _recovers(served)
        faults += _intact(served, acknowledged)
        faults += _install(served.shop, disk)
        faults += _recovers(served)
    told = f"disk filled {size} times under a server: {len(acknowledged)} acknowledged decisions intact"
    return judged(size + 1, faults, told + "; model install left the old state")


def planted() -> Outcome:
    """The same look at a log that forgets what it acknowledged when there was no room."""
    with tempfile.TemporaryDirectory() as folder:
        shop, database, _ = HOUSE.workspace(Path(folder) / "workspace", config=CONFIG)
        served = Served(shop.root, shop, "", 0, {}, None, Path(folder), database)  # type: ignore[arg-type]
        faults = list(_lost(served, ["dec_acknowledged_and_never_written"]))
        served.close()
        return judged(1, faults, "")


@contextmanager
def product_on_small_disk() -> Iterator[tuple[Served, SmallDisk]]:
    """The product, with everything it writes on a disk of its own."""
    with tempfile.TemporaryDirectory(prefix="small-") as folder:
        disk = SmallDisk(Path(folder), size=DISK)
        root = Path(folder) / "workspace"
        served = start(root, HOUSE.workspace(root, config=CONFIG))
        try:
            served.wait_for()
            yield served, disk
        finally:
            disk.clear()
            stop(served.process, root, drain_seconds=0)
            served.close()
            disk.close()


def _scored(served: Served, count: int, faults: list[str], *, full: bool) -> list[str]:
    """Decisions that were acknowledged; with a full disk 503 is an answer too."""
    acknowledged = []
    for number in range(count):
        answer = _asked(served, "POST", SCORE, json={"rows": [good_row(seed=n) for n in range(number + 1)]})
        if answer is not None and answer.status_code == 200:
            by_horizon = [r["churn_probability"] for r in answer.json()["results"]]
            acknowledged += [s["decision_id"] for b in by_horizon for s in b.values()]
        elif answer is None or not full or not _is_clean(answer):
            faults.append(f"a score was answered {_shown(answer)}, the disk {'full' if full else 'not full'}")
    return sorted(set(acknowledged))


def _others(served: Served) -> Iterator[str]:
    """What needs no room is answered; who may not is refused."""
    for method, path, role, expected in (
        ("GET", "/livez", None, {200}),
        ("GET", "/readyz", None, {200, 503}),
        ("GET", "/v1/models", "admin", {200, 503}),
        ("GET", "/metrics", "admin", {200, 503}),
        ("GET", "/metrics", "recruiter", {403, 503}),
        ("GET", "/v1/models", None, {401, 503}),
        ("GET", "/console/sign-in", None, {200}),
    ):
        answer = _asked(served, method, path, role=role)
        if answer is None or answer.status_code not in expected:
            yield f"{path} as {role} was answered {_shown(answer)} with a full disk"


def _recovers(served: Served) -> Iterator[str]:
    deadline = time.monotonic() + 20
    while True:
        answer = _asked(served, "POST", SCORE, json={"rows": [good_row()]})
        if answer is not None and answer.status_code == 200:
            return
        if time.monotonic() > deadline:
            yield f"with room again a score was answered {_shown(answer)}"
            return
        time.sleep(0.2)


def _asked(served: Served, method: str, path: str, **more: Any) -> httpx.Response | None:
    try:
        return served.call(method, path, **more)
    except httpx.TransportError:
        return None


def _is_clean(answer: httpx.Response) -> bool:
    problem = answer.headers.get("content-type") == "application/problem+json"
    return answer.status_code == 503 and problem and "retry-after" in answer.headers


def _shown(answer: httpx.Response | None) -> str:
    return "not at all" if answer is None else f"{answer.status_code} {answer.text[:160]}"


def _intact(served: Served, acknowledged: list[str]) -> Iterator[str]:
    yield from _lost(served, acknowledged)
    for decision_id in acknowledged[-5:]:
        replayed = served.call("GET", f"/v1/decisions/{decision_id}").json().get("replayed")
        if replayed != "identical":
            yield f"{decision_id} replays as {replayed}"


def _lost(served: Served, acknowledged: list[str]) -> Iterator[str]:
    """Acknowledged decisions that are not on record, and a database that is not sound."""
    path = served.workspace / "state.db"
    with closing(sqlite3.connect(path)) as connection:
        known = {row[0] for row in connection.execute("SELECT decision_id FROM decisions")}
        sound = connection.execute("PRAGMA integrity_check").fetchone()[0]
    lost = set(acknowledged) - known
    if lost:
        yield f"{len(lost)} acknowledged decisions are lost"
    if sound != "ok":
        yield f"state.db: {sound}"
    if audit.broken_rows(served.database):
        yield "the audit log's chain is broken"
    if DecisionLog(served.database).count() < len(acknowledged):
        yield "there are fewer decisions than were acknowledged"


def _refused(work: Callable[[], Any], what: str, disk: SmallDisk, *, leave: int) -> Iterator[str]:
    """Work that must end in an error anyone can read while the disk is full, or be done without a fault."""
    disk.fill(leave=leave)
    try:
        work()
        if leave == 0:
            yield f"{what} was done on a full disk"
    except (OSError, PartnerIntelError):
        pass
    except Exception as error:
        yield f"{what} ended in {type(error).__name__}: {str(error)[:200]}"
    finally:
        disk.clear()


def _install(shop: Shop, disk: SmallDisk) -> Iterator[str]:
    """A model that finds no room is not champion; the old one is, and the new one can be later."""
    shop.register(2, seed=2)
    for leave in (0, 8_192, 40_000):
        yield from _refused(lambda: shop.promote(2, expected=1), "promotion", disk, leave=leave)
        champion = Ledger(shop.root / "registry.db").champion("churn")
        if champion is None or champion.version != 1:
            yield f"champion {champion and champion.version} after a promotion without room"
            return
    shop.promote(2, expected=1)
