"""Row checks of a staged table, as SQL: which row, which field, what is wrong, what was given."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from data.connectors.source import FILE, ROW, literal, quoted
from data.convert import NOTHING
from data.tables import Column, TableContract

CLOCK_TOLERANCE = timedelta(minutes=5)
_FAULT_OF_TYPE = {
    "string": ("PI-D031", "is not an exact identifier"),
    "integer": ("PI-D024", "is not a whole number"),
    "number": ("PI-D023", "is not a number"),
    "boolean": ("PI-D026", "is neither yes nor no"),
    "timestamp": ("PI-D025", "is not a date"),
}


@dataclass(frozen=True)
class RowCheck:
    """One check on one column.

    Attributes:
        code: Code of the check.
        field: Canonical column.
        condition: SQL that is true for a bad row.
        reason: What is wrong, in words.
    """

    code: str
    field: str
    condition: str
    reason: str


def row_checks(contract: TableContract, *, ingested_at: datetime, partners: str | None) -> list[RowCheck]:
    """The checks of a table.

    Args:
        contract: The canonical table.
        ingested_at: Naive UTC; what lies more than five minutes after it has not happened yet.
        partners: Relation of known `partner_id`, or None when there is no partners table.
    """
    checks = [check for column in contract.columns for check in _column_checks(column, ingested_at)]
    if partners is not None and contract.name != "partners" and "partner_id" in contract.names:
        unknown = f"partner_id IS NOT NULL AND partner_id NOT IN (SELECT partner_id FROM {partners})"
        checks.append(RowCheck("PI-D030", "partner_id", unknown, "is not in the partners table"))
    return checks


def _column_checks(column: Column, ingested_at: datetime) -> Iterator[RowCheck]:
    value, raw = quoted(column.name), quoted(f"r_{column.name}")
    nothing = ", ".join(literal(word) for word in NOTHING)
    given = f"{raw} IS NOT NULL AND lower({raw}) NOT IN ({nothing})"
    code, reason = _FAULT_OF_TYPE[column.type]
    yield RowCheck(code, column.name, f"{value} IS NULL AND {given}", reason)
    if column.required:
        yield RowCheck(
            "PI-D022", column.name, f"{value} IS NULL AND NOT ({given})", "is required and missing"
        )
    if column.allowed:
        allowed = ", ".join(literal(a) for a in column.allowed)
        reason = f"is not one of {', '.join(column.allowed)}"
        yield RowCheck("PI-D027", column.name, f"{value} NOT IN ({allowed})", reason)
    if column.low is not None:
        yield RowCheck("PI-D028", column.name, f"{value} < {column.low}", f"is below {column.low:g}")
    if column.high is not None:
        yield RowCheck("PI-D028", column.name, f"{value} > {column.high}", f"is above {column.high:g}")
    if column.type == "timestamp":
        outside = f"{value} < TIMESTAMP '1900-01-01' OR {value} >= TIMESTAMP '2262-01-01'"
        yield RowCheck("PI-D032", column.name, outside, "is outside the years 1900 to 2261")
    if column.name in ("event_at", "known_at"):
        latest = literal((ingested_at + CLOCK_TOLERANCE).isoformat(sep=" "))
        future = f"{value} > TIMESTAMP {latest} AND {value} < TIMESTAMP '2262-01-01'"
        yield RowCheck("PI-D029", column.name, future, f"lies after the time of ingest, {ingested_at} UTC")


def find_bad_rows(connection: Any, staged: str, checks: list[RowCheck], *, bad: str) -> None:
    """Write the table `bad`: one row for each fault, with `__id, row, file, code, field, reason, given`.

    Args:
        connection: DuckDB connection.
        staged: Staged relation, as `data.binding.stage` writes it.
        checks: What to look for.
        bad: Name of the table to create.
    """
    selects = [
        f"SELECT __id, {ROW} AS row, {FILE} AS file, {literal(c.code)} AS code, {literal(c.field)} AS field, "
        f"{literal(c.reason)} AS reason, coalesce({quoted('r_' + c.field)}, '') AS given "
        f"FROM {quoted(staged)} WHERE {c.condition}"
        for c in checks
    ]
    connection.execute(f"CREATE TABLE {quoted(bad)} AS {' UNION ALL '.join(selects)}")
