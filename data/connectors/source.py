"""What a connector hands over: a relation inside DuckDB whose columns are known by their customer names."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from data.checks import Finding

ROW, FILE, ID = "__row", "__file", "__id"


@dataclass(frozen=True)
class Source:
    """One origin, loaded.

    Attributes:
        relation: DuckDB table with columns __c0, __c1, … and `__row` (BIGINT), `__file` (VARCHAR).
        columns: The customer's column name to its column in `relation`. DuckDB ignores case in names, so
            the customer's own names never become DuckDB names.
        types: The customer's column name to its DuckDB type; VARCHAR for text.
        name: File pattern or query, for messages.
        separator: Of a CSV file, else ''.
        faults: Rows that could not be split into fields; they are in no relation.
        rows: Rows read, faulty ones included.
        notes: Findings about the whole input.
    """

    relation: str
    columns: dict[str, str]
    types: dict[str, str]
    name: str
    separator: str = ""
    faults: tuple[Finding, ...] = ()
    rows: int = 0
    notes: tuple[Finding, ...] = field(default=())


def quoted(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    """A text as an SQL literal."""
    return "'" + value.replace("'", "''") + "'"


def scalar(connection: Any, sql: str) -> Any:
    """The single value a query returns."""
    return first_row(connection, sql)[0]


def first_row(connection: Any, sql: str) -> tuple[Any, ...]:
    """The single row a query returns."""
    rows: list[tuple[Any, ...]] = connection.sql(sql).fetchall()
    return rows[0]
