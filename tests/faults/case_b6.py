"""B6: text that a spreadsheet program would run, in every export."""

from __future__ import annotations

import io
from typing import Any

import pandas as pd

from data.spreadsheet import read_table, write_table
from tests.faults.harness import Outcome
from tests.unit.spreadsheet.live import Writer, live_cells, texts, wrong

TITLE = "No exported cell is run by a spreadsheet program, and re-import gives the originals"
QUICK, FULL = 150, 10_000


def run(size: int) -> Outcome:
    """Export texts spread evenly over all beginnings: one CSV each, and all in one workbook."""
    return _judged(size, write_table)


def planted() -> Outcome:
    """The same check against an export that only writes."""
    return _judged(20, _plain)


def _judged(size: int, write: Writer) -> Outcome:
    every = list(dict.fromkeys(texts()))
    chosen = every[:: max(len(every) // size, 1)]
    faults = [f"csv {t!r}: {found}" for t in chosen if (found := wrong(t, write, "csv"))]
    frame = pd.DataFrame({"Nr": [str(n) for n in range(len(chosen))], "Text": chosen})
    content = write(frame, "xlsx")
    faults += [f"xlsx live: {cell!r}" for cell in live_cells(content, "xlsx")]
    back = [row[1] for row in read_table(content, "l.xlsx").rows]
    faults += [f"xlsx {a!r} came back as {b!r}" for a, b in zip(chosen, back, strict=False) if a != b]
    faults += ["xlsx rows were lost"] * (len(back) != len(chosen))
    told = faults[0][:300] if faults else "0 live cells, all originals back (csv and xlsx)"
    return Outcome(2 * len(chosen), len(faults), told)


def _plain(frame: Any, fmt: str) -> bytes:
    out = io.BytesIO()
    if fmt == "csv":
        frame.to_csv(out, index=False, encoding="utf-8-sig")
    else:
        frame.to_excel(out, index=False)
    return out.getvalue()
