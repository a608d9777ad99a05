"""docs/reference/reliability.md and the table of README.md, written from evaluation/reliability.json."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from tests.faults.harness import Row

ROOT = Path(__file__).resolve().parents[2]
REPORT = ROOT / "evaluation" / "reliability.json"
PAGE = ROOT / "docs" / "reference" / "reliability.md"
README = ROOT / "README.md"
BEGIN, END = "<!-- reliability: written by make trust -->\n", "<!-- end of reliability -->\n"
KINDS = {
    "A": "Security: pickles, forged keys, other people's objects, SSRF, signatures, erasure",
    "B": "Bad input: bodies, files, formulas, sizes, values never seen",
    "D": "Data: repeats, late rows, staleness, leaks, offline = online, same bytes",
    "F": "Faults: kill -9, full disk, damaged models, Redis gone, races",
    "L": "Load: constant arrival, hot swap, rolling reload, memory over time",
}
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


def summary(rows: Sequence[Row]) -> str:
    """One line per kind of case."""
    lines = ["| what | cases | tried | failed | planted defects found |", "|---|--:|--:|--:|--:|"]
    for letter, what in KINDS.items():
        if not (of := [r for r in rows if r.case.startswith(letter)]):
            continue
        tried, failed = sum(r.tried for r in of), sum(r.failed for r in of)
        planted = sum(r.planted_found for r in of)
        lines.append(f"| {what} | {len(of)} | {tried:,} | {failed} | {planted} of {len(of)} |")
    return "\n".join(lines) + "\n"


def with_summary(readme: str, rows: Sequence[Row]) -> str:
    """The README with its table between the two marks renewed."""
    before, rest = readme.split(BEGIN)
    return before + BEGIN + summary(rows) + END + rest.split(END)[1]


def _cells(row: Row) -> list[str]:
    found = "found" if row.planted_found else "**not found**"
    failed = str(row.failed) if row.failed == 0 else f"**{row.failed}**"
    figure = row.figure.replace("|", "\\|").replace("\n", " ")
    return [row.case, row.title, f"{row.tried:,}", failed, found, figure, f"{row.seconds:,.0f}"]
