"""F8: two processes promote at the same moment."""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

from models.assembly import unlabelled_bundle
from models.bundle import save_bundle
from models.ledger import Ledger, Version
from tests.faults.harness import Outcome, judged
from tests.faults.racer import be_racer
from tests.unit.models.conftest import CARD, make_frame
from tests.unit.serving.world import SPEC

TITLE = "Of two promotions that race, exactly one wins and the other is told so"
QUICK, FULL = 4, 50
AHEAD_SECONDS = 0.05  # both wait for the same moment


def run(size: int) -> Outcome:
    """Races between two processes; the champion, the history and the answers must agree."""
    return _raced(size)


def planted() -> Outcome:
    """The same when the champion is looked at before, and written whatever it is by then."""
    return _raced(4, look_then_write=True)


def _raced(rounds: int, *, look_then_write: bool = False) -> Outcome:
    faults: list[str] = []
    winners: list[int] = []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        ledger = workspace(root, versions=2 * rounds)
        with racers(root, look_then_write=look_then_write) as pair:
            for k in range(rounds):
                expected = winners[-1] if winners else None
                said = race(pair, (2 * k + 1, 2 * k + 2), expected)
                champion = ledger.champion("churn")
                won = [v for v, word in said.items() if word == "won"]
                if sorted(said.values()) != ["lost", "won"] or champion is None or champion.version != won[0]:
                    faults.append(f"race {k + 1}: {said}, champion {champion.version if champion else None}")
                winners.append(champion.version if champion else 0)
        history = [p["version"] for p in ledger.promotions("churn")]
    if history != winners:
        faults.append(f"the history has {len(history)} promotions of {rounds} races")
    return judged(rounds, faults, f"{rounds} races of 2 processes, 1 winner each, history complete")


def workspace(root: Path, *, versions: int) -> Ledger:
    """A registry whose versions all are one small sound artifact."""
    frame = make_frame(40, seed=1)
    bundle = unlabelled_bundle(SPEC.restricted_to(frame.columns), frame, scorecard=CARD, trained={"n": 40})
    identity = save_bundle(bundle, root / "mlflow" / "artifacts" / "one").manifest_sha256
    ledger = Ledger(root / "registry.db")
    for version in range(1, versions + 1):
        ledger.add(Version("churn", version, identity, "run", "mlflow/artifacts/one", {}))
    return ledger


@contextmanager
def racers(root: Path, *, look_then_write: bool) -> Iterator[list[Connection]]:
    """Two processes that prepare and promote when told."""
    # Forked: what they are about begins after everything is imported.
    context = multiprocessing.get_context("fork")
    pair, processes = [], []
    for _ in range(2):
        mouth, ear = context.Pipe()
        processes.append(context.Process(target=be_racer, args=(ear, root, look_then_write), daemon=True))
        processes[-1].start()
        pair.append(mouth)
    try:
        yield pair
    finally:
        for mouth, process in zip(pair, processes, strict=True):
            mouth.send(None)
            process.join(timeout=60)


def race(pair: Sequence[Connection], versions: tuple[int, int], expected: int | None) -> dict[int, str]:
    """What each of the two says: won, lost, or what went wrong."""
    for racer, version in zip(pair, versions, strict=True):
        racer.send(("prepare", version))
    for racer in pair:
        _hear(racer)
    start = time.monotonic() + AHEAD_SECONDS
    for racer, version in zip(pair, versions, strict=True):
        racer.send(("promote", version, expected, start))
    return {version: _hear(racer) for racer, version in zip(pair, versions, strict=True)}


def _hear(racer: Connection) -> str:
    try:
        return str(racer.recv()) if racer.poll(60) else "hung"
    except EOFError:
        return "died"
