"""Canonical tables as Ibis expressions over Parquet files."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.tables import TABLES

PARQUET_TYPES = {
    "string": "string",
    "integer": "int64",
    "number": "float64",
    "boolean": "boolean",
    "timestamp": "timestamp(6)",
}
TablePaths = Mapping[str, Sequence[Path]]
MEMORY_LIMIT = "1000MB"


@dataclass(frozen=True)
class Source:
    """A DuckDB session and the files of the tables that exist.

    Attributes:
        connection: Ibis backend.
        paths: Table name to its Parquet files; a table without files is absent.
    """

    connection: Any
    paths: TablePaths

    def has(self, table: str) -> bool:
        """Whether the table exists."""
        return bool(self.paths.get(table))

    def table(self, name: str, *, paths: Sequence[Path] | None = None) -> Any:
        """All row versions of a table, every column of the contract present and typed.

        Args:
            name: Canonical table that exists.
            paths: Some of its files; None: all.
        """
        files = [str(p) for p in (self.paths[name] if paths is None else paths)]
        rows = self.connection.read_parquet(files, union_by_name=True)
        columns = {c.name: _typed(rows, c.name, PARQUET_TYPES[c.type]) for c in TABLES[name].columns}
        return rows.select(**columns, row_hash=_typed(rows, "row_hash", "string"))

    def keep(self, name: str, rows: Any) -> Any:
        """Compute an expression once and refer to its result from then on."""
        return self.connection.create_table(name, rows, temp=True, overwrite=True)


def _typed(rows: Any, name: str, kind: str) -> Any:
    import ibis

    if name not in rows.columns:
        return ibis.null().cast(kind)
    column = rows[name]
    return column if str(column.type()) == kind else column.cast(kind)


@contextmanager
def open_source(
    paths: TablePaths, *, threads: int = 2, memory_limit: str = MEMORY_LIMIT, spill: Path | None = None
) -> Iterator[Source]:
    """A session over the given files, closed at the end.

    Args:
        paths: Table name to Parquet files.
        threads: DuckDB threads. Results do not depend on it: sums are over integers.
        memory_limit: Above it DuckDB spills to disk.
        spill: Folder for the spill files; None: a temporary one.
    """
    import ibis

    with tempfile.TemporaryDirectory(prefix="partnerintel-", dir=spill) as folder:
        connection = ibis.duckdb.connect(threads=threads, memory_limit=memory_limit, temp_directory=folder)
        connection.raw_sql("SET TimeZone = 'UTC'")
        connection.raw_sql("SET preserve_insertion_order = false")
        connection.raw_sql("SET enable_progress_bar = false")
        try:
            yield Source(connection, {name: tuple(files) for name, files in paths.items() if files})
        finally:
            connection.disconnect()


def lake_paths(lake: Any) -> dict[str, list[Path]]:
    """The files of every table in a `data.lake.Lake`."""
    return {name: list(lake.paths(name)) for name in TABLES if lake.has(name)}
