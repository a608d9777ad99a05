"""The reliability harness: one case, one process, one JSON line.

A case is a module `case_<id>.py` in this folder with

- `TITLE`: what must hold, as a sentence;
- `run(size) -> Outcome`: tries `size` variations and counts those that failed;
- `planted() -> Outcome`: the same check against one deliberately broken part; it must report a failure, so
  that a check which finds nothing can never pass unseen;
- `QUICK`, `FULL`: sizes for `make test` and for `make trust`.

Every case runs in a process of its own, with a time limit: a death by signal or a hang is a result, not an
accident.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
TIMEOUT_SECONDS = 900


@dataclass(frozen=True)
class Outcome:
    """What a case counted: variations tried, variations failed, and one figure worth quoting."""

    tried: int
    failed: int
    figure: str = ""


@dataclass(frozen=True)
class Row:
    """One line of the report."""

    case: str
    title: str
    tried: int
    failed: int
    figure: str
    planted_found: bool

    @property
    def passed(self) -> bool:
        """Something was tried, nothing failed, and the planted defect was found."""
        return self.tried > 0 and self.failed == 0 and self.planted_found


def judged(tried: int, faults: Sequence[str], figure: str) -> Outcome:
    """The outcome of a case: its figure, or the first fault where there is one."""
    return Outcome(tried, len(faults), faults[0][:300] if faults else figure)


def case_ids() -> list[str]:
    """Identifiers of the cases in this folder, sorted."""
    return sorted(p.stem.removeprefix("case_") for p in FOLDER.glob("case_*.py"))


def run_here(case: str, *, full: bool) -> Row:
    """Run a case in this process."""
    module = importlib.import_module(f"tests.faults.case_{case}")
    outcome: Outcome = module.run(module.FULL if full else module.QUICK)
    planted: Outcome = module.planted()
    return Row(
        case.upper(),
        module.TITLE,
        outcome.tried,
        outcome.failed,
        outcome.figure,
        planted_found=planted.failed > 0,
    )


def run_apart(case: str, *, full: bool) -> Row:
    """Run a case in a process of its own and read its line."""
    command = [sys.executable, "-m", "tests.faults", "--here", case, *(["--full"] if full else [])]
    try:
        done = subprocess.run(
            command,
            cwd=FOLDER.parents[1],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Row(case.upper(), "hung", 1, 1, f"no end after {TIMEOUT_SECONDS} s", planted_found=False)
    if done.returncode != 0:
        tail = done.stderr.strip().splitlines()[-1:] or [""]
        return Row(
            case.upper(), "died", 1, 1, f"exit {done.returncode}: {tail[0][:300]}", planted_found=False
        )
    return Row(**json.loads(done.stdout.strip().splitlines()[-1]))


def as_line(row: Row) -> str:
    """The row as one JSON line."""
    return json.dumps(asdict(row), sort_keys=True)
