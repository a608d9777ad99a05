"""SQL that turns raw values into canonical ones, by the table's contract and never by guessing.

A value that cannot be converted becomes NULL; its raw text is kept beside it for the quarantine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from data.checks import refusal
from data.connectors.source import literal, quoted
from data.dates import choose_order, date_sql, weigh_dates
from data.errors import ConfigError, DataError
from data.mapping import Origin, Scalar
from data.numbers import Style, choose_style, number_sql, weigh_numbers
from data.tables import Column, ColumnType

Kind = Literal["text", "whole", "float", "decimal", "boolean", "moment"]
SQL_TYPES: dict[ColumnType, str] = {
    "string": "VARCHAR",
    "integer": "BIGINT",
    "number": "DOUBLE",
    "boolean": "BOOLEAN",
    "timestamp": "TIMESTAMP",
}
EXACT = 2**53
# Ways to write "nothing" where a number, date or yes/no is expected; in text columns they are text.
NOTHING = ("na", "n/a", "nan", "null", "none", "\\n", "#n/a", "-", "nat")
YES, NO = ("true", "yes", "y", "t", "1"), ("false", "no", "n", "f", "0")


@dataclass(frozen=True)
class Bound:
    """One canonical column and where its values come from.

    Attributes:
        column: The contract's column.
        theirs: The customer's column name.
        kind: What the source holds.
        raw: SQL of the raw value, cleaned when it is text.
    """

    column: Column
    theirs: str
    kind: Kind
    raw: str


def kind_of(duckdb_type: str) -> Kind | None:
    """What a DuckDB type holds, or None when it cannot become a canonical value."""
    name = duckdb_type.upper()
    if "[" in name or name.startswith(("STRUCT", "MAP", "BLOB", "BIT", "INTERVAL", "UNION")):
        return None
    if name.startswith("DECIMAL"):
        return "decimal"
    if "INT" in name:
        return "whole"
    if name in ("DOUBLE", "FLOAT", "REAL"):
        return "float"
    if name == "BOOLEAN":
        return "boolean"
    if name.startswith(("TIMESTAMP", "DATE")):
        return "moment"
    return "text"


def convertible(kind: Kind, target: ColumnType) -> bool:
    """Whether values of that kind can become canonical ones of that type."""
    refused: dict[Kind, tuple[ColumnType, ...]] = {
        "text": (),
        "whole": (),
        "float": ("timestamp",),
        "decimal": ("timestamp",),
        "boolean": ("timestamp",),
        "moment": ("integer", "number", "boolean"),
    }
    return target not in refused[kind]


def clean_sql(expression: str, missing_values: Sequence[str]) -> str:
    """SQL of a text without surrounding blanks; empty and the mapping's missing values become NULL."""
    clean = f"nullif(trim({expression}, ' \t\r\n\u00a0'), '')"
    for value in missing_values:
        clean = f"nullif({clean}, {literal(value.strip())})"
    return clean


def with_something(relation: str, columns: Sequence[str]) -> str:
    """SQL of the relation with a column `s_<column>` for each text column: words for nothing are NULL there.

    A column of its own, because the parsers mention their text a dozen times.
    """
    words = ", ".join(literal(word) for word in NOTHING)
    extra = [
        f"CASE WHEN lower({quoted(c)}) NOT IN ({words}) THEN {quoted(c)} END AS {something(c)}"
        for c in columns
    ]
    return f"(SELECT {', '.join(['*', *extra])} FROM {relation})"


def something(column: str) -> str:
    """SQL name of the column that `with_something` adds."""
    return quoted(f"s_{column}")


def value_sql(
    connection: Any, relation: str, bound: Sequence[Bound], *, origin: Origin, table: str, separator: str
) -> dict[str, str]:
    """SQL of each canonical value over `with_something(relation, …)`.

    Args:
        connection: DuckDB connection.
        relation: Relation of cleaned raw values under canonical names.
        bound: Its columns.
        origin: Mapping with `dates:` and `decimal:`.
        table: Canonical table, for messages.
        separator: Of the CSV file, or ''.

    Raises:
        DataError: Dates or numbers can be read in two ways.
    """
    found = {b.column.name: typed_sql(quoted(b.column.name), b.kind, b.column.type) for b in bound}
    for b in bound:
        if b.column.allowed:  # closed sets are lower case; `Won` means won
            found[b.column.name] = f"lower({found[b.column.name]})"
    dated = [b for b in bound if b.kind == "text" and b.column.type == "timestamp"]
    counted = [b for b in bound if b.kind == "text" and b.column.type in ("integer", "number")]
    alone = {b: with_something(relation, [b.column.name]) for b in (*dated, *counted)}
    weighed = [weigh_dates(connection, alone[b], something(b.column.name), column=b.theirs) for b in dated]
    for b, evidence in zip(dated, weighed, strict=True):
        order = "day_first" if origin.dates else choose_order(evidence, weighed)
        if order is None:
            raise two_dates(table, b.column.name, b.theirs, evidence.example)
        found[b.column.name] = date_sql(something(b.column.name), order=order, formats=origin.dates)
    sized = [weigh_numbers(connection, alone[b], something(b.column.name), column=b.theirs) for b in counted]
    for b, numbers in zip(counted, sized, strict=True):
        style = given_style(origin) or choose_style(numbers, sized, point_is_usual=separator in ("", ","))
        if style is None:
            raise two_numbers(table, b.column.name, b.theirs, numbers.example)
        parsed = number_sql(something(b.column.name), style=style, strict=origin.decimal is not None)
        found[b.column.name] = _whole_sql(parsed) if b.column.type == "integer" else _finite_sql(parsed)
    return found


def given_style(origin: Origin) -> Style | None:
    """What `decimal:` of the mapping says."""
    styles: dict[str | None, Style] = {".": "point", ",": "comma"}
    return styles.get(origin.decimal)


def typed_sql(name: str, kind: Kind, target: ColumnType) -> str:
    """SQL that turns a typed source column, or text for a text or yes/no column, into a canonical value."""
    if target == "string":
        return _string_sql(name, kind)
    if target == "timestamp":
        if kind == "whole":
            return f"try_strptime(CAST({name} AS VARCHAR), '%Y%m%d')"
        return f"CAST({name} AS TIMESTAMP)"
    if target == "boolean":
        if kind == "boolean":
            return name
        text = (
            f"lower(CAST({name} AS VARCHAR))"
            if kind == "text"
            else f"CAST(CAST({name} AS DOUBLE) AS VARCHAR)"
        )
        suffix = "" if kind == "text" else ".0"
        yes = ", ".join(literal(w if kind == "text" else w + suffix) for w in YES)
        no = ", ".join(literal(w if kind == "text" else w + suffix) for w in NO)
        return f"CASE WHEN {text} IN ({yes}) THEN true WHEN {text} IN ({no}) THEN false END"
    number = f"CAST({name} AS DOUBLE)"
    return _whole_sql(number) if target == "integer" else _finite_sql(number)


def _string_sql(name: str, kind: Kind) -> str:
    if kind == "float":
        # 17850.0 is customer 17850; from 2^53 on neighbours share one floating point number.
        return (
            f"CASE WHEN isnan({name}) OR abs({name}) >= {EXACT} THEN NULL "
            f"WHEN {name} = floor({name}) THEN CAST(CAST({name} AS BIGINT) AS VARCHAR) "
            f"ELSE CAST({name} AS VARCHAR) END"
        )
    return f"CAST({name} AS VARCHAR)"


def _whole_sql(number: str) -> str:
    whole = f"({number}) = floor({number}) AND abs({number}) < {EXACT}"
    return f"CASE WHEN {whole} THEN CAST({number} AS BIGINT) END"


def _finite_sql(number: str) -> str:
    return f"CASE WHEN isfinite({number}) THEN ({number}) END"


def constant_sql(column: Column, value: Scalar, table: str) -> str:
    """SQL of a constant of the mapping.

    Raises:
        ConfigError: The constant is not of the column's type or not allowed.
    """
    at = f"tables.{table}.constants.{column.name}"
    fits = {
        "string": isinstance(value, str),
        "integer": isinstance(value, int) and not isinstance(value, bool),
        "number": isinstance(value, int | float) and not isinstance(value, bool),
        "boolean": isinstance(value, bool),
        "timestamp": isinstance(value, str),
    }[column.type]
    if not fits or (column.allowed and value not in column.allowed):
        allowed = ", ".join(column.allowed) or f"a {column.type}"
        step = "Put it in quotes." if column.type == "string" else ""
        raise ConfigError(f"{at} is {value!r}.", allowed=allowed, next_step=step, pointer=at)
    return f"CAST({literal(str(value))} AS {SQL_TYPES[column.type]})"


def two_dates(table: str, column: str, theirs: str, example: str) -> DataError:
    """The refusal of a date column with two readings."""
    return refusal(
        "PI-D008",
        f"{table}.{column}: {example!r} in column {theirs!r} may be day/month or month/day, "
        "and no other value decides",
        next_step="Add `dates: [DD/MM/YYYY]` or `dates: [MM/DD/YYYY]` to the table.",
        pointer=f"{table}.{column}",
    )


def two_numbers(table: str, column: str, theirs: str, example: str) -> DataError:
    """The refusal of a number column with two readings."""
    return refusal(
        "PI-D009",
        f"{table}.{column}: {example!r} in column {theirs!r} may be thousands or a fraction, "
        "and no other value decides",
        next_step='Add `decimal: "."` or `decimal: ","` to the table.',
        pointer=f"{table}.{column}",
    )
