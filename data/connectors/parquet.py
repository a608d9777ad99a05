"""Parquet files, read by DuckDB with their own types."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from data.checks import refusal
from data.connectors.source import FILE, ROW, Source, literal, quoted, scalar


def load_parquet(connection: Any, paths: Iterable[Path], *, relation: str, table: str) -> Source:
    """Expose Parquet files as a view: only the columns that are mapped will be read.

    Args:
        connection: DuckDB connection.
        paths: Files of the same columns.
        relation: Name of the DuckDB view to create.
        table: Canonical table, for messages.

    Raises:
        DataError: Not Parquet, or no rows.
    """
    import duckdb

    paths = list(paths)
    files = "[" + ", ".join(literal(str(p)) for p in paths) + "]"
    scan = f"read_parquet({files}, file_row_number=true, filename=true, union_by_name=true)"
    try:
        described = connection.sql(f"DESCRIBE SELECT * FROM {scan}").fetchall()
        rows = scalar(connection, f"SELECT count(*) FROM {scan}")
    except duckdb.Error as error:
        raise refusal("PI-D003", f"{table}: {paths[0].name} cannot be read as Parquet: {error}") from error
    if not rows:
        raise refusal("PI-D002", f"{table}: {paths[0].name} has no rows", pointer=table)
    kinds = {name: kind for name, kind, *_ in described if name not in ("file_row_number", "filename")}
    columns = {name: f"__c{i}" for i, name in enumerate(kinds)}
    picked = ", ".join(f"{quoted(name)} AS {column}" for name, column in columns.items())
    connection.execute(
        f"CREATE VIEW {quoted(relation)} AS SELECT {picked}, file_row_number + 1 AS {ROW}, "
        f"parse_filename(filename) AS {FILE} FROM {scan}"
    )
    name = paths[0].name if len(paths) == 1 else f"{paths[0].name} and {len(paths) - 1} more files"
    return Source(relation, columns, kinds, name, rows=rows)
