"""A file of outcomes: the exported list, or identifiers, with a column that says what came of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from data.errors import InputError
from data.spreadsheet import TextTable
from data.spreadsheet.headers import normal_header
from serving.fit.export import PREFIX

OUTCOME = "outcome"
IDENTIFIERS = (f"{PREFIX}prospect_id", "prospect_id")
OUTCOMES = frozenset({
    OUTCOME, "succeeded", "success", "result", "erfolg", "ergebnis", "resultat", "resultado", "esito",
})  # fmt: skip
YES = frozenset({"yes", "y", "true", "1", "succeeded", "success", "won", "ja", "j", "oui", "si", "sí", "x"})
NO = frozenset({"no", "n", "false", "0", "failed", "did not succeed", "lost", "nein", "non"})
MOST_SHOWN = 50


@dataclass(frozen=True)
class OutcomeFile:
    """What a file says.

    Attributes:
        rows: Each `prospect_id` and `succeeded`.
        blank: Rows that do not say yet.
        faults: Each `line`, `given` and `reason`.
    """

    rows: Sequence[Mapping[str, Any]]
    blank: int
    faults: Sequence[Mapping[str, Any]] = field(default_factory=tuple)


def read_outcomes(table: TextTable, *, id_column: str | None) -> OutcomeFile:
    """Outcomes of a file.

    Args:
        table: As read.
        id_column: Column of the list that held the identifiers; None: the list had none.

    Raises:
        InputError: No column with identifiers, or none with outcomes.
    """
    wanted = [*IDENTIFIERS, *([id_column] if id_column else [])]
    who = next((c for c in wanted if c in table.columns), None)
    what = next((c for c in table.columns if normal_header(c) in OUTCOMES), None)
    if who is None or what is None:
        lacking = "identifies the prospects" if who is None else "says what came of them"
        raise InputError(
            f"No column {lacking}; the file has {', '.join(table.columns[:20])}.",
            allowed=f"{' or '.join(wanted)}, and {OUTCOME} with yes or no",
            next_step=f"Export the list, add a column {OUTCOME} and send it back.",
            pointer="/file",
        )
    rows, faults, blank = [], [{"line": f.line, "given": "", "reason": f.reason} for f in table.faults], 0
    id_at, at = table.columns.index(who), table.columns.index(what)
    for line, cells in zip(table.lines, table.rows, strict=True):
        given, word = " ".join((cells[id_at] or "").split()), " ".join((cells[at] or "").casefold().split())
        if not word or not given:
            blank += 1
        elif word in YES or word in NO:
            rows.append({"prospect_id": given, "succeeded": word in YES})
        else:
            faults.append({"line": line, "given": cells[at] or "", "reason": "is neither yes nor no"})
    return OutcomeFile(rows, blank, tuple(faults))
