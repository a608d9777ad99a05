"""Which source column feeds which canonical column, and the staged relation that comes of it."""

from __future__ import annotations

from typing import Any

from data.checks import refusal
from data.connectors.source import FILE, ROW, Source, quoted, scalar
from data.convert import (
    SQL_TYPES,
    Bound,
    clean_sql,
    constant_sql,
    convertible,
    kind_of,
    value_sql,
    with_something,
)
from data.errors import DataError
from data.mapping import TableMapping, nearest
from data.tables import Column, TableContract


def bind(connection: Any, source: Source, mapping: TableMapping, contract: TableContract) -> list[Bound]:
    """Find the source column of each canonical column.

    Raises:
        MissingDataError: A mapped column is not there, or a required one is not mapped.
    """
    wanted = mapping.columns
    if wanted is None:
        wanted = {n: n for n in contract.names if n in source.columns and n not in mapping.constants}
    bound = []
    for ours, theirs in wanted.items():
        if theirs not in source.columns:
            near = nearest(theirs, source.columns)
            raise refusal(
                "PI-D005",
                f"{contract.name}: {source.name} has no column {theirs!r} (mapped to {ours})",
                allowed=", ".join(source.columns),
                next_step=f"Did you mean {near!r}?" if near else "",
                pointer=f"{contract.name}.{ours}",
            )
        column = contract.column(ours)
        kind = kind_of(source.types[theirs])
        raw = source.columns[theirs]
        if kind is None or not convertible(kind, column.type):
            if scalar(connection, f"SELECT count({raw}) FROM {quoted(source.relation)}"):
                raise _wrong_type(contract.name, column, theirs, source.types[theirs])
            kind, raw = "text", "NULL"  # a column that holds nothing may have any type
        if kind == "text":
            raw = clean_sql(f"CAST({raw} AS VARCHAR)", mapping.missing_values)
        bound.append(Bound(column, theirs, kind, raw))
    _check_required(contract, {b.column.name for b in bound} | set(mapping.constants), source)
    return bound


def _wrong_type(table: str, column: Column, theirs: str, given: str) -> DataError:
    return refusal(
        "PI-D011",
        f"{table}.{column.name} needs a {column.type}; {theirs!r} is {given}",
        pointer=f"{table}.{column.name}",
    )


def _check_required(contract: TableContract, mapped: set[str], source: Source) -> None:
    for column in contract.columns:
        if column.required and column.name not in mapped:
            raise refusal(
                "PI-D006",
                f"{contract.name}: no column of {source.name} is mapped to {column.name}, which is required",
                allowed=", ".join(source.columns),
                pointer=f"{contract.name}.{column.name}",
            )


def stage(
    connection: Any,
    source: Source,
    mapping: TableMapping,
    contract: TableContract,
    *,
    staged: str,
    offset: int,
) -> int:
    """Write the relation `staged`: `__id`, `__row`, `__file`, canonical columns and `r_<column>` raw texts.

    Args:
        connection: DuckDB connection.
        source: The loaded origin.
        mapping: Its mapping.
        contract: The canonical table.
        staged: Name of the table to create.
        offset: First `__id`, so that several origins of one table do not clash.

    Returns:
        Rows that `where:` left out.

    Raises:
        DataError: A column is missing, of the wrong type, or can be read in two ways.
    """
    bound = bind(connection, source, mapping, contract)
    picked = {b.column.name: f"{b.raw} AS {quoted(b.column.name)}" for b in bound}
    clean = quoted(f"{staged}_clean")
    columns = ", ".join([f"row_number() OVER () + {offset} AS __id", ROW, FILE, *picked.values()])
    filtered = filtered_sql(connection, source, mapping.where, at=f"tables.{contract.name}.where")
    connection.execute(f"CREATE TEMP TABLE {clean} AS SELECT {columns} FROM {filtered}")
    prepared = with_something(clean, [b.column.name for b in bound if b.kind == "text"])
    values = value_sql(
        connection, clean, bound, origin=mapping, table=contract.name, separator=source.separator
    )
    selected = ["__id", ROW, FILE]
    for column in contract.columns:
        name = quoted(column.name)
        if column.name in mapping.constants:
            selected.append(
                f"{constant_sql(column, mapping.constants[column.name], contract.name)} AS {name}"
            )
            selected.append(f"NULL::VARCHAR AS {quoted('r_' + column.name)}")
            continue
        value = values.get(column.name, "NULL")
        raw = f"CAST({name} AS VARCHAR)" if column.name in values else "NULL::VARCHAR"
        selected.append(f"CAST({value} AS {SQL_TYPES[column.type]}) AS {name}")
        selected.append(f"{raw} AS {quoted('r_' + column.name)}")
    connection.execute(f"CREATE TABLE {quoted(staged)} AS SELECT {', '.join(selected)} FROM {prepared}")
    kept = scalar(connection, f"SELECT count(*) FROM {clean}")
    connection.execute(f"DROP TABLE {clean}")
    return source.rows - len(source.faults) - int(kept)


def filtered_sql(connection: Any, source: Source, where: str | None, *, at: str) -> str:
    """The source's relation, or a subquery of it that `where:` leaves.

    Args:
        connection: DuckDB connection.
        source: The loaded origin.
        where: SQL condition over the customer's column names, or None.
        at: YAML path of the condition, for errors.

    Raises:
        DataError: The condition fails.
    """
    relation = quoted(source.relation)
    if not where:
        return relation
    import duckdb

    theirs = ", ".join(f"{column} AS {quoted(name)}" for name, column in source.columns.items())
    ours = ", ".join([ROW, FILE, *source.columns.values()])
    kept = f"(SELECT {ours} FROM (SELECT *, {theirs} FROM {relation}) WHERE {where}\n)"
    try:
        connection.sql(f"SELECT count(*) FROM {kept}").fetchall()
    except duckdb.Error as error:
        reason = str(error).strip().splitlines()[0]
        raise refusal(
            "PI-D010",
            f"{at}: {where!r} fails: {reason}",
            allowed="a SQL condition over "
            + ", ".join(source.columns)
            + " (CSV columns are text: CAST them)",
            pointer=at,
        ) from error
    return kept
