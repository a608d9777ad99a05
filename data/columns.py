"""What a ready-made column holds: numbers, dates, yes/no or categories, told from all of its values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from data.checks import refusal
from data.connectors.source import first_row, literal, quoted
from data.convert import (
    NO,
    YES,
    Kind,
    convertible,
    given_style,
    something,
    two_dates,
    two_numbers,
    typed_sql,
    with_something,
)
from data.dates import choose_order, date_sql, looks_dated_sql, weigh_dates
from data.mapping import Origin
from data.numbers import choose_style, looks_numeric_sql, number_sql, weigh_numbers
from data.tables import ColumnType

ColumnKind = Literal["number", "date", "boolean", "category"]
# A column of numbers with a few typing errors is a column of numbers; the rows with the errors are set aside.
NEARLY_ALL = 0.95
_FEW = 20
_WORDS = tuple(word for word in (*YES, *NO) if not word.isdigit())
_CANONICAL: Mapping[ColumnKind, ColumnType] = {
    "number": "number",
    "date": "timestamp",
    "boolean": "boolean",
    "category": "string",
}
_SQL_TYPES = {"number": "DOUBLE", "date": "TIMESTAMP", "boolean": "BOOLEAN", "category": "VARCHAR"}


@dataclass(frozen=True)
class Profile:
    """Counts of one cleaned column.

    Attributes:
        name: The customer's column name.
        column: Its column in the relation.
        stored: What the source holds.
        kind: What the column holds.
    """

    name: str
    column: str
    stored: Kind
    kind: ColumnKind


def profile(
    connection: Any,
    relation: str,
    *,
    name: str,
    column: str,
    stored: Kind,
    forced: ColumnKind | None,
    origin: Origin,
) -> Profile:
    """Look at all values of a column and say what it holds.

    Args:
        connection: DuckDB connection.
        relation: Cleaned relation.
        name: The customer's column name.
        column: Its column in the relation.
        stored: What the source holds; text is looked into, types are believed.
        forced: What the column must hold, or None.
        origin: Mapping with `dates:`.

    Raises:
        DataError: The source's type cannot become the forced kind.
    """
    if forced and not convertible(stored, _CANONICAL[forced]):
        raise refusal(
            "PI-D011", f"column {name!r} holds {stored} values and a {forced} is needed", pointer=name
        )
    return Profile(name, column, stored, forced or _kind(connection, relation, column, stored, origin=origin))


def _kind(connection: Any, relation: str, column: str, stored: Kind, *, origin: Origin) -> ColumnKind:
    typed: Mapping[Kind, ColumnKind] = {
        "whole": "number",
        "float": "number",
        "decimal": "number",
        "boolean": "boolean",
        "moment": "date",
    }
    if stored in typed:
        return typed[stored]
    words = ", ".join(literal(word) for word in _WORDS)
    dated = looks_dated_sql("v")
    if origin.dates:
        dated = f"({date_sql('v', order='day_first', formats=origin.dates)}) IS NOT NULL"
    # Each different value is looked at once, however often it stands there.
    values = (
        f"SELECT {something(column)} AS v, count(*) AS n FROM {with_something(relation, [column])} "
        f"WHERE {something(column)} IS NOT NULL GROUP BY v"
    )
    tests = [looks_numeric_sql("v"), "v SIMILAR TO '0[0-9]+'", dated, f"lower(v) IN ({words})"]
    sums = ", ".join(f"coalesce(sum(n) FILTER ({test}), 0)" for test in ("true", *tests))
    present, numeric, coded, dates, yes_no = first_row(connection, f"SELECT {sums} FROM ({values})")
    enough = present if present < _FEW else NEARLY_ALL * present
    if not present:
        return "category"
    if yes_no == present:
        return "boolean"
    if dates >= enough:
        return "date"
    # 00123 is a code: as a number it would lose its zeros.
    return "number" if numeric >= enough and not coded else "category"


def column_sql(
    connection: Any, relation: str, profiles: Sequence[Profile], *, origin: Origin, table: str, separator: str
) -> dict[str, str]:
    """SQL of each column's typed value over `with_something(relation, …)`, by the customer's name.

    Args:
        connection: DuckDB connection.
        relation: Cleaned relation.
        profiles: Its columns.
        origin: Mapping with `dates:` and `decimal:`.
        table: Name for messages.
        separator: Of the CSV file, or ''.

    Raises:
        DataError: Dates or numbers can be read in two ways.
    """
    dated = [p for p in profiles if p.kind == "date" and p.stored == "text"]
    counted = [p for p in profiles if p.kind == "number" and p.stored == "text"]
    found = {p.name: _typed(p) for p in profiles}
    alone = {p.column: with_something(relation, [p.column]) for p in (*dated, *counted)}
    weighed = [weigh_dates(connection, alone[p.column], something(p.column), column=p.name) for p in dated]
    for p, evidence in zip(dated, weighed, strict=True):
        order = "day_first" if origin.dates else choose_order(evidence, weighed)
        if order is None:
            raise two_dates(table, p.name, p.name, evidence.example)
        found[p.name] = date_sql(something(p.column), order=order, formats=origin.dates)
    sized = [weigh_numbers(connection, alone[p.column], something(p.column), column=p.name) for p in counted]
    for p, numbers in zip(counted, sized, strict=True):
        style = given_style(origin) or choose_style(numbers, sized, point_is_usual=separator in ("", ","))
        if style is None:
            raise two_numbers(table, p.name, p.name, numbers.example)
        parsed = number_sql(something(p.column), style=style, strict=origin.decimal is not None)
        found[p.name] = f"CASE WHEN isfinite({parsed}) THEN ({parsed}) END"
    return {p.name: f"CAST({found[p.name]} AS {_SQL_TYPES[p.kind]})" for p in profiles}


def _typed(profile: Profile) -> str:
    if profile.stored == "text" and profile.kind in ("number", "date"):
        return "NULL"  # replaced by the parser that fits the column
    return typed_sql(quoted(profile.column), profile.stored, _CANONICAL[profile.kind])
