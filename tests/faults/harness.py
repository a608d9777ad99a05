"""The reliability harness: one case, one process, one JSON line.

A case is a module `case_<id>.py` in this folder with

- `TITLE`: what must hold, as a sentence;
- `run(size) -> Outcome`: tries `size` variations and counts those that failed;
- `planted() -> Outcome`: the same check against one deliberately broken part; it must report a failure, so
  that a check which finds nothing can never pass unseen;
- `QUICK`, `FULL`: sizes for `make test` and for `make trust`;
- `LIMIT_SECONDS = 2400` where the usual time limit is too short for the full size;
- `SLOW = True` where even the quick size takes more than ten seconds: `make test-slow` runs it;
- `SHARES_PRODUCT = True` where the quick size asks `served_product()` for nothing special and leaves it as it
  was: the quick cases then share one process.

Every case runs in a process of its own, with a time limit: a death by signal or a hang is a result, not an
accident. In full it starts from nothing; the quick ones are forked from `tests.faults.nursery`.
"""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

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
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """Something was tried, nothing failed, and the planted defect was found."""
        return self.tried > 0 and self.failed == 0 and self.planted_found


def judged(tried: int, faults: Sequence[str], figure: str) -> Outcome:
    """The outcome of a case: its figure, or the first fault where there is one."""
    return Outcome(tried, len(faults), faults[0][:300] if faults else figure)


def case_ids() -> list[str]:
    """Identifiers of the cases in this folder: a1, a2, …, a10, b1."""
    found = [p.stem.removeprefix("case_") for p in FOLDER.glob("case_*.py")]
    return sorted(found, key=lambda case: (case[0], int(case[1:])))


def is_slow(case: str) -> bool:
    """Whether a case says so; it is not imported for that."""
    text = (FOLDER / f"case_{case}.py").read_text(encoding="utf-8")
    return re.search(r"^SLOW = True\b", text, re.MULTILINE) is not None


def limit_seconds(case: str) -> int:
    """When a case counts as hung; it is not imported for that."""
    path = FOLDER / f"case_{case}.py"
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    found = re.search(r"^LIMIT_SECONDS = (\d+)\b", text, re.MULTILINE)
    return int(found[1]) if found else TIMEOUT_SECONDS


def run_here(case: str, *, full: bool) -> Row:
    """Run a case in this process."""
    module = importlib.import_module(f"tests.faults.case_{case}")
    begun = time.perf_counter()
    outcome: Outcome = module.run(module.FULL if full else module.QUICK)
    seconds = round(time.perf_counter() - begun, 1)
    planted: Outcome = module.planted()
    return Row(
        case.upper(),
        module.TITLE,
        outcome.tried,
        outcome.failed,
        outcome.figure,
        planted_found=planted.failed > 0,
        seconds=seconds,
    )


def run_apart(case: str, *, full: bool) -> Row:
    """Run a case in a process of its own and read its line."""
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "tests.faults",
        "--here",
        case,
        *(["--full"] if full else []),
    ]
    child = subprocess.Popen(
        command, cwd=FOLDER.parents[1], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        said, complained = child.communicate(timeout=limit_seconds(case))
    except subprocess.TimeoutExpired:
        _end(child)
        return row_of(case, 0, "", "", hung=True)
    return row_of(case, child.returncode, said, complained)


def row_of(case: str, status: int, said: str, complained: str, *, hung: bool = False) -> Row:
    """What a case's process came to: its own line, or that it hung or died."""
    if hung:
        return Row(case.upper(), "hung", 1, 1, f"no end after {limit_seconds(case)} s", planted_found=False)
    if status != 0:
        tail = complained.strip().splitlines()[-1:] or [""]
        return Row(case.upper(), "died", 1, 1, f"exit {status}: {tail[0][:300]}", planted_found=False)
    return Row(**json.loads(said.strip().splitlines()[-1]))


def _end(child: subprocess.Popen[str]) -> None:
    """End a case and whatever it started."""
    family = [child, *psutil.Process(child.pid).children(recursive=True)]
    for process in family:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    child.communicate()


def as_line(row: Row) -> str:
    """The row as one JSON line."""
    return json.dumps(asdict(row), sort_keys=True)
