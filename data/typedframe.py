"""Rows of ready-made columns, each typed as a whole; rows with cells that do not fit are set aside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from data.binding import filtered_sql
from data.checks import Finding, finding, refusal
from data.columns import ColumnKind, Profile, column_sql, profile
from data.connectors.source import FILE, ROW, Source, literal, quoted, scalar
from data.convert import NOTHING, clean_sql, kind_of, with_something
from data.mapping import SnapshotMapping
from data.schemas import to_pandas

_FAULTS: Mapping[ColumnKind, tuple[str, str]] = {
    "number": ("PI-D023", "is not a number"),
    "date": ("PI-D025", "is not a date"),
    "boolean": ("PI-D026", "is neither yes nor no"),
    "category": ("PI-D031", "is not an exact identifier"),
}


@dataclass(frozen=True)
class TypedFrame:
    """Typed rows.

    Attributes:
        frame: `__row`, `__file` and the kept columns under their own names, in the order of the file.
        profiles: What each column holds.
        rows_in: Rows that could be split into fields and that `where:` kept.
        rows_bad: Rows set aside because of a cell.
        findings: One for each bad cell.
    """

    frame: Any
    profiles: tuple[Profile, ...]
    rows_in: int
    rows_bad: int
    findings: tuple[Finding, ...]


def read_typed(
    connection: Any,
    source: Source,
    mapping: SnapshotMapping,
    *,
    keep: list[str],
    forced: Mapping[str, ColumnKind],
    required: set[str],
) -> TypedFrame:
    """Type the columns of a loaded source.

    Args:
        connection: DuckDB connection.
        source: The loaded origin.
        mapping: Its mapping.
        keep: Columns to read.
        forced: What columns must hold; others are looked into.
        required: Columns that must not be missing in any row.

    Raises:
        DataError: Dates or numbers can be read in two ways, or no row is left.
    """
    rows = _clean(connection, source, mapping, keep)
    text = [source.columns[name] for name in keep if kind_of(source.types[name]) == "text"]
    profiles = [
        profile(
            connection,
            "clean",
            name=name,
            column=source.columns[name],
            stored=kind_of(source.types[name]) or "text",
            forced=forced.get(name),
            origin=mapping,
        )
        for name in keep
    ]
    values = column_sql(
        connection, "clean", profiles, origin=mapping, table=mapping.model, separator=source.separator
    )
    typed = ", ".join(f"{values[p.name]} AS {p.column}" for p in profiles)
    raw = ", ".join(f"CAST({p.column} AS VARCHAR) AS r{p.column}" for p in profiles)
    readable = with_something("clean", text)
    connection.execute(f"CREATE TABLE typed AS SELECT {ROW}, {FILE}, {typed}, {raw} FROM {readable}")
    faults = [f for p in profiles for f in _faults(connection, p, mapping, required=p.name in required)]
    return _without_bad(connection, mapping, profiles, faults, rows=rows)


def _clean(connection: Any, source: Source, mapping: SnapshotMapping, keep: list[str]) -> int:
    """Write the relation `clean` and return its number of rows."""
    columns = []
    for name in keep:
        column = value = source.columns[name]
        if kind_of(source.types[name]) == "text":
            value = clean_sql(f"CAST({column} AS VARCHAR)", mapping.missing_values)
        columns.append(f"{value} AS {column}")
    relation = filtered_sql(connection, source, mapping.where, at=f"snapshots.{mapping.model}.where")
    connection.execute(f"CREATE TABLE clean AS SELECT {', '.join([ROW, FILE, *columns])} FROM {relation}")
    return int(scalar(connection, "SELECT count(*) FROM clean"))


def _faults(connection: Any, p: Profile, mapping: SnapshotMapping, *, required: bool) -> list[Finding]:
    """The bad cells of a column."""
    value, raw = quoted(p.column), quoted(f"r{p.column}")
    nothing = ", ".join(literal(word) for word in NOTHING)
    given = f"{raw} IS NOT NULL AND lower({raw}) NOT IN ({nothing})"
    looked_for = [(*_FAULTS[p.kind], f"{value} IS NULL AND {given}")]
    if required:
        looked_for.append(("PI-D022", "is required and missing", f"{value} IS NULL AND NOT ({given})"))
    found = []
    for code, reason, condition in looked_for:
        query = f"SELECT {FILE}, {ROW}, coalesce({raw}, '') FROM typed WHERE {condition} ORDER BY ALL"
        found += [
            finding(code, mapping.model, row=row, field=p.name, reason=reason, given=text, file=file)
            for file, row, text in connection.sql(query).fetchall()
        ]
    return found


def _without_bad(
    connection: Any, mapping: SnapshotMapping, profiles: list[Profile], faults: list[Finding], *, rows: int
) -> TypedFrame:
    listed = ", ".join([ROW, FILE, *(p.column for p in profiles)])
    table = connection.sql(f"SELECT {listed} FROM typed ORDER BY {FILE}, {ROW}").to_arrow_table()
    frame = to_pandas(table).rename(columns={p.column: p.name for p in profiles})
    bad = {(f.file, f.row) for f in faults}
    if bad:
        good = [key not in bad for key in zip(frame[FILE], frame[ROW], strict=True)]
        frame = frame[good].reset_index(drop=True)
    if frame.empty:
        first = (
            f"The first bad one: row {faults[0].row}, {faults[0].field} {faults[0].reason}." if faults else ""
        )
        raise refusal("PI-D002", f"{mapping.model}: of {rows:,} rows none can be used", next_step=first)
    return TypedFrame(frame, tuple(profiles), rows, len(bad), tuple(faults))
