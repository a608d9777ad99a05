"""docs/reference/reliability.md, written from evaluation/reliability.json."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from tests.faults.harness import Row

ROOT = Path(__file__).resolve().parents[2]
REPORT = ROOT / "evaluation" / "reliability.json"
PAGE = ROOT / "docs" / "reference" / "reliability.md"
HEAD = """\
# Reliability and security cases

What must hold, and how often it was tried. `make trust` runs every case in full and rewrites this page;
`make test` and `make test-slow` run each with a small size. A case runs in a process of its own with a time
limit, where a death or a hang counts as a failure, and it must also find a defect that was planted for it:
otherwise it does not count as passed, whatever it found.

| case | what holds | tried | failed | planted defect | figure | seconds |
|---|---|--:|--:|---|---|--:|
"""


def stored() -> list[Row]:
    """The rows of the last full runs."""
    if not REPORT.is_file():
        return []
    return [Row(**row) for row in json.loads(REPORT.read_text(encoding="utf-8"))]


def rendered(rows: Sequence[Row]) -> str:
    """The page."""
    return HEAD + "".join(f"| {' | '.join(_cells(row))} |\n" for row in rows)


def _cells(row: Row) -> list[str]:
    found = "found" if row.planted_found else "**not found**"
    failed = str(row.failed) if row.failed == 0 else f"**{row.failed}**"
    figure = row.figure.replace("|", "\\|").replace("\n", " ")
    return [row.case, row.title, f"{row.tried:,}", failed, found, figure, f"{row.seconds:,.0f}"]
