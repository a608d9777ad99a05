"""B5: workbooks that cost more than they say."""

from __future__ import annotations

from data.errors import DataError
from data.spreadsheet import read_table
from tests.faults.harness import Outcome
from tests.unit.spreadsheet.bombs import Bomb, Reader, bombs, careless, measured

TITLE = "Hostile workbooks are refused within two seconds and 50 MB of this process"
QUICK, FULL = 10, 1_000


def run(size: int) -> Outcome:
    """Read hostile files spread evenly over all kinds; damaged bytes are tried by the unit tests."""
    every = [b for b in bombs() if not b.title.startswith("byte ")]
    return _judged(every[:: max(len(every) // size, 1)], read_table)


def planted() -> Outcome:
    """The same check against a reader that refuses for the right reason, after unpacking everything."""
    heavy = [b for b in bombs() if b.title == "100 MB of shared texts"]
    return _judged(heavy, _unpacking)


def _unpacking(content: bytes, name: str) -> object:
    found = careless(content, name)
    raise DataError(f"unpacked it would be {found!r:.10}")


def _judged(chosen: list[Bomb], read: Reader) -> Outcome:
    costs = {b.title: measured(b, read) for b in chosen}
    faults = [f"{title}: {cost.wrong}" for title, cost in costs.items() if cost.wrong]
    slowest = max(c.seconds for c in costs.values())
    largest = max(c.megabytes for c in costs.values())
    told = f"slowest {slowest:.2f} s, most memory {largest:.1f} MB"
    return Outcome(len(chosen), len(faults), faults[0][:300] if faults else told)
