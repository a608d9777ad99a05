"""B4: uploaded lists in every spelling people use."""

from __future__ import annotations

import io

from data.spreadsheet import TextTable, read_table
from tests.faults.harness import Outcome
from tests.unit.spreadsheet.uploads import Reader, uploads, wrong

TITLE = "An uploaded list is read cell for cell, or refused with line and reason"
QUICK, FULL = 40, 1_000


def run(size: int) -> Outcome:
    """Read files spread evenly over all kinds."""
    return _judged(size, read_table)


def planted() -> Outcome:
    """The same check against a reader that guesses types."""
    return _judged(20, _guessing)


def _judged(size: int, read: Reader) -> Outcome:
    every = list(uploads())
    chosen = every[:: max(len(every) // size, 1)]
    faults = [f"{u.title}: {found}" for u in chosen if (found := wrong(u, read))]
    refused = sum(bool(u.refused) for u in chosen)
    told = (
        faults[0][:300] if faults else f"{len(chosen) - refused} right, {refused} refused, 0 silent changes"
    )
    return Outcome(len(chosen), len(faults), told)


def _guessing(content: bytes, name: str) -> TextTable:
    import pandas as pd

    try:
        frame = pd.read_csv(io.BytesIO(content), sep=None, engine="python", encoding="latin-1")
    except Exception:
        return TextTable(name, (), (), ())
    rows = tuple(tuple(None if pd.isna(c) else str(c) for c in row) for row in frame.to_numpy())
    return TextTable(name, tuple(map(str, frame.columns)), rows, tuple(range(2, len(rows) + 2)))
