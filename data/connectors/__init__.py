"""Where rows come from: CSV, Parquet, a DuckDB query over files, or a database by URL."""

from __future__ import annotations

import glob
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from data.checks import refusal
from data.connectors.csv import load_csv
from data.connectors.parquet import load_parquet
from data.connectors.query import load_query
from data.connectors.source import Source
from data.connectors.sql import load_sql
from data.mapping import Origin, SourceSettings, nearest

Progress = Callable[[str, float], None]
_PARQUET = {".parquet", ".pq"}


def load_source(
    connection: Any,
    origin: Origin,
    *,
    root: Path,
    sources: Mapping[str, SourceSettings],
    relation: str,
    table: str,
    expected: Iterable[str],
    progress: Progress,
) -> Source:
    """Load one origin into a DuckDB relation.

    Args:
        connection: DuckDB connection.
        origin: Table or snapshot mapping.
        root: Base of relative paths.
        sources: Databases by name.
        relation: Name of the relation to create.
        table: Canonical table or model, for messages.
        expected: Column names the mapping refers to.
        progress: Called with a label and the share done.

    Raises:
        DataError: The file is missing, empty or unreadable, or the query fails.
    """
    progress(f"{table}: opening", 0.0)
    if origin.query is not None and origin.source is not None:
        url = sources[origin.source].url
        return load_sql(
            connection,
            url,
            origin.query,
            source=origin.source,
            root=root,
            relation=relation,
            table=table,
            progress=progress,
        )
    if origin.query is not None:
        return load_query(connection, origin.query, root=root, relation=relation, table=table)
    paths = find_files(root, str(origin.path), table=table)
    parquet = {p.suffix.lower() in _PARQUET for p in paths}
    if parquet == {True}:
        return load_parquet(connection, paths, relation=relation, table=table)
    if parquet == {True, False}:
        raise refusal("PI-D003", f"{table}: {origin.path} matches Parquet and other files together")
    return load_csv(
        connection,
        paths,
        origin=origin,
        relation=relation,
        table=table,
        expected=expected,
        progress=progress,
    )


def find_files(root: Path, pattern: str, *, table: str) -> list[Path]:
    """Files of a path or glob, sorted by name.

    Raises:
        DataError: There is none; the nearest file name of the folder is suggested.
    """
    whole = root / pattern
    found = [whole] if whole.is_file() else sorted(Path(p) for p in glob.glob(str(whole), recursive=True))  # noqa: PTH207 - root and pattern may both be absolute
    files = [p for p in found if p.is_file()]
    if files:
        return files
    folder = whole.parent
    if not folder.is_dir():
        raise refusal("PI-D001", f"{table}: there is no folder {folder}", pointer=f"tables.{table}.path")
    near = nearest(whole.name, sorted(p.name for p in folder.iterdir() if p.is_file()))
    step = f"Did you mean {near}?" if near else ""
    raise refusal(
        "PI-D001", f"{table}: there is no file {whole}", next_step=step, pointer=f"tables.{table}.path"
    )
