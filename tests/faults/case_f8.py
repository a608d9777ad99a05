"""F8: two processes promote at the same moment."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from models.assembly import unlabelled_bundle
from models.bundle import save_bundle
from models.ledger import Ledger, Version
from tests.faults.harness import FOLDER, Outcome, judged
from tests.unit.models.conftest import CARD, make_frame
from tests.unit.serving.world import SPEC

TITLE = "Of two promotions that race, exactly one wins and the other is told so"
QUICK, FULL = 10, 50
AHEAD_SECONDS = 0.05  # both wait for the same moment


def run(size: int) -> Outcome:
    """Races between two processes; the champion, the history and the answers must agree."""
    return _raced(size)


def planted() -> Outcome:
    """The same when the champion is looked at before, and written whatever it is by then."""
    return _raced(10, "--look-then-write")


def _raced(rounds: int, *options: str) -> Outcome:
    faults: list[str] = []
    winners: list[int] = []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        ledger = workspace(root, versions=2 * rounds)
        with racers(root, options) as pair:
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
def racers(root: Path, options: Sequence[str]) -> Iterator[list[subprocess.Popen[str]]]:
    """Two processes that wait for a line and promote."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.faults.racer", str(root), *options]
    pair = [
        subprocess.Popen(
            command, cwd=FOLDER.parents[1], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    try:
        yield pair
    finally:
        for racer in pair:
            racer.communicate(timeout=60)  # the end of its input ends it


def race(
    pair: Sequence[subprocess.Popen[str]], versions: tuple[int, int], expected: int | None
) -> dict[int, str]:
    """What each of the two says: won, lost, or what went wrong."""
    for racer, version in zip(pair, versions, strict=True):
        _tell(racer, f"prepare {version}")
    for racer in pair:
        _hear(racer)
    start = time.monotonic() + AHEAD_SECONDS
    for racer, version in zip(pair, versions, strict=True):
        _tell(racer, f"promote {version} {expected or 0} {start!r}")
    return {version: _hear(racer) for racer, version in zip(pair, versions, strict=True)}


def _tell(racer: subprocess.Popen[str], line: str) -> None:
    assert racer.stdin
    racer.stdin.write(line + "\n")
    racer.stdin.flush()


def _hear(racer: subprocess.Popen[str]) -> str:
    assert racer.stdout
    return racer.stdout.readline().strip() or "died"
