"""What checking a list found: kept, so that nobody waits twice and what was confirmed is what is done."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from data.spreadsheet import HeaderMatch, TextTable, propose_mapping
from serving.decisions import canonical
from serving.fit.intake import FIELDS, Intake, Links

MOST_SHOWN = 200
EXAMPLES, EXAMPLE_LENGTH = 3, 60
COUNTED = ("ranked", "faults", "duplicates", "existing_partners")


@dataclass(frozen=True)
class Checked:
    """What is known of a list that is not scored.

    Attributes:
        mapping: Field → column it was checked under.
        counts: Rows, and what would become of them; null where that is not known yet.
        dry_run: Proposal, faults, duplicates and partners, as they are shown.
        links: Rows that are other rows or partners; None: the rows were not looked at.
    """

    mapping: Mapping[str, str]
    counts: Mapping[str, int | None]
    dry_run: Mapping[str, Any]
    links: Links | None

    def packed(self) -> bytes:
        """As it is kept."""
        return zlib.compress(canonical(asdict(self)).encode(), 6)


def unpacked(kept: bytes) -> Checked:
    """What was kept."""
    found = json.loads(zlib.decompress(kept))
    links = found.pop("links")
    return Checked(**found, links=Links(**links) if links else None)


def of_headers(table: TextTable, mapping: Mapping[str, str]) -> Checked:
    """What the header alone tells: nothing of the rows but their number."""
    counts = {"rows": len(table.rows) + len(table.faults), **dict.fromkeys(COUNTED)}
    shown = {"faults": [], "faults_left_out": 0, "duplicates": [], "existing_partners": []}
    return Checked(dict(mapping), counts, {**_columns(table, propose_mapping(table.columns)), **shown}, None)


def of_intake(intake: Intake) -> Checked:
    """What would become of every row."""
    faults = intake.faults[:MOST_SHOWN]
    shown = {
        "faults": [f.__dict__ for f in faults],
        "faults_left_out": len(intake.faults) - len(faults),
        "duplicates": [
            {
                "line": d.row.line,
                "of_line": d.of_line,
                "probability": d.probability,
                "evidence": list(d.evidence),
            }
            for d in intake.doubles[:MOST_SHOWN]
        ],
        "existing_partners": [
            {
                "line": e.row.line,
                "partner_id": e.partner_id,
                "probability": e.probability,
                "evidence": list(e.evidence),
            }
            for e in intake.existing[:MOST_SHOWN]
        ],
    }
    return Checked(
        dict(intake.mapping),
        intake.counts,
        {**_columns(intake.table, intake.proposal), **shown},
        intake.links,
    )


def _columns(table: TextTable, proposal: tuple[HeaderMatch, ...]) -> dict[str, Any]:
    """The fields there are, and for each column what it seems to hold, with the first values it does hold."""
    return {
        "fields": list(FIELDS),
        "proposal": [
            {
                "column": m.column,
                "field": m.field,
                "confidence": m.confidence,
                "like": m.like,
                "examples": examples(table, position),
            }
            for position, m in enumerate(proposal)
        ],
    }


def examples(table: TextTable, position: int) -> list[str]:
    """The first distinct values of a column."""
    found: list[str] = []
    for row in table.rows[:200]:
        text = " ".join((row[position] or "").split())[:EXAMPLE_LENGTH]
        if text and text not in found:
            found.append(text)
        if len(found) == EXAMPLES:
            break
    return found
