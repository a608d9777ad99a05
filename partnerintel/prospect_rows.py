"""Prospects as rows: those on record, and those of a file."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.checks import Finding
from data.errors import DataError, InputError
from partnerintel.preparing import lake_of
from partnerintel.settings import Project

if TYPE_CHECKING:
    from data.spreadsheet import TextTable
    from serving.fit.intake import Fault, Intake


def prospect_rows(
    project: Project, *, source: Path | None, now: datetime
) -> tuple[Any, Any, tuple[Finding, ...]]:
    """Facts of the prospects on record who are not partners yet, or of those of a file.

    Returns:
        Keys, features, and what was wrong with rows of a file.

    Raises:
        DataError: There are no prospects, or the file cannot be read.
    """
    import pandas as pd

    from models.fit.facts import build_facts

    if source is not None:
        intake = take_in_file(project, source, None)
        keys = pd.DataFrame({"prospect_id": [r.prospect_id for r in intake.rows]}, dtype=object)
        rows = pd.DataFrame([dict(r.values) for r in intake.rows])
        findings = tuple(_finding(f) for f in intake.faults)
        return keys, build_facts(rows, year=float(now.year)), findings
    last = lake_of(project).read("prospects").sort_values(["prospect_id", "known_at", "row_hash"])
    last = last.drop_duplicates("prospect_id", keep="last")
    last = last[last["partner_id"].isna()].reset_index(drop=True)
    if last.empty:
        raise DataError(
            "There are no prospects on record.",
            allowed="a `prospects` table, or a list: `partnerintel fit-list FILE`",
        )
    return last[["prospect_id", "name"]], build_facts(last, year=float(now.year)), ()


def take_in_file(project: Project, source: Path, mapping: Mapping[str, str] | None) -> Intake:
    """Sort the rows of a file into their places, with the partners of the workspace.

    Raises:
        DataError: The file cannot be read.
        InputError: There is no such file, or the mapping does not fit it.
    """
    from data.spreadsheet import read_table
    from serving.fit.intake import take_in
    from serving.fit.partners import known_partners

    if not source.is_file():
        raise InputError(f"There is no file {source}.")
    table = read_table(source.read_bytes(), source.name)
    if mapping is None:
        _check_headers(table)
    return take_in(table, mapping=mapping, partners=known_partners(project.workspace.lake))


def _check_headers(table: TextTable) -> None:
    """Where no header tells who a row is, say what each column holds and how to name it."""
    from data.spreadsheet import propose_mapping
    from serving.fit.checked import examples
    from serving.fit.intake import FIELDS, names_companies, proposed

    told = proposed(propose_mapping(table.columns))
    if names_companies(told):
        return
    shown = [f"{c!r} ({', '.join(examples(table, n)) or 'empty'})" for n, c in enumerate(table.columns[:20])]
    others = "".join(f' --map "{field}={column}"' for field, column in told.items())
    raise InputError(
        f"No column of {table.name} is surely the name of the company or its web domain; "
        f"there are {'; '.join(shown)}.",
        allowed=", ".join(FIELDS),
        next_step=f'Say which it is, such as --map "name={table.columns[0]}"{others}.',
    )


def _finding(fault: Fault) -> Finding:
    from data.checks import finding

    return finding(
        "PI-D023", "list", row=fault.line, field=fault.field, reason=fault.reason, given=fault.given[:80]
    )
