"""SQL databases by SQLAlchemy URL. Values travel as text: decimals and long identifiers stay exact."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa

from data.checks import refusal
from data.connectors.source import FILE, ROW, Source, quoted
from data.errors import DataError

_CHUNK_ROWS = 50_000
Progress = Callable[[str, float], None]
_DUCKDB = "duckdb:///"


def load_sql(
    connection: Any,
    url: str,
    query: str,
    *,
    source: str,
    root: Path,
    relation: str,
    table: str,
    progress: Progress,
) -> Source:
    """Run a query in a database and keep its result as a table of text.

    Args:
        connection: DuckDB connection the rows go to.
        url: SQLAlchemy URL, or `duckdb:///file.duckdb` (opened read-only, relative to `root`).
        query: SQL of that database.
        source: Name of the source, for messages: the URL may hold a password and is never shown.
        root: Base folder of the mapping.
        relation: Name of the DuckDB table to create.
        table: Canonical table, for messages.
        progress: Called with a label and the share done (always 0: a cursor does not know its length).

    Raises:
        DataError: No driver, no connection, the SQL fails, or no rows.
    """
    batches = _duckdb_rows if url.startswith(_DUCKDB) else _sqlalchemy_rows
    columns: dict[str, str] = {}
    rows = 0
    try:
        for names, chunk in batches(url, query, root):
            if not columns:
                columns = {name: f"__c{i}" for i, name in enumerate(names)}
                typed = ", ".join(f"{c} VARCHAR" for c in columns.values())
                connection.execute(f"CREATE TABLE {quoted(relation)} ({typed}, {ROW} BIGINT, {FILE} VARCHAR)")
            _insert(connection, relation, columns, chunk, first=rows + 1, source=source)
            rows += len(chunk)
            progress(f"{table}: {rows:,} rows from {source}", 0.0)
    except DataError:
        raise
    except ModuleNotFoundError as error:
        raise refusal(
            "PI-D010",
            f"{table}: source {source!r} needs the driver {error.name}, which is not installed",
            next_step=f"Install it beside partnerintel: pip install {error.name} "
            "(for postgresql+psycopg the extra `postgres`).",
            pointer=f"sources.{source}",
        ) from None
    except Exception as error:  # drivers raise their own trees; all mean that the source cannot be read
        detail = str(error).replace(url, "<url>").splitlines()[0] if str(error) else type(error).__name__
        raise refusal(
            "PI-D010", f"{table}: source {source!r} cannot be queried: {detail}", pointer=f"sources.{source}"
        ) from None
    if not rows:
        raise refusal("PI-D002", f"{table}: the query on {source!r} returns no rows", pointer=table)
    return Source(relation, columns, dict.fromkeys(columns, "VARCHAR"), f"source {source}", rows=rows)


def _sqlalchemy_rows(url: str, query: str, root: Path) -> Iterator[tuple[list[str], list[Any]]]:
    from sqlalchemy import create_engine, make_url, text
    from sqlalchemy.pool import NullPool

    address = make_url(url)
    if address.get_backend_name() == "sqlite" and address.database not in (None, "", ":memory:"):
        address = address.set(database=str(root / str(address.database)))
        if not Path(str(address.database)).is_file():
            raise FileNotFoundError(f"no file {Path(str(address.database)).name} under root")
    engine = create_engine(address, poolclass=NullPool)
    try:
        with engine.connect().execution_options(stream_results=True) as link:
            result = link.execute(text(query))
            names = list(result.keys())
            while chunk := result.fetchmany(_CHUNK_ROWS):
                yield names, list(chunk)
    finally:
        engine.dispose()


def _duckdb_rows(url: str, query: str, root: Path) -> Iterator[tuple[list[str], list[Any]]]:
    import duckdb

    with duckdb.connect(str(root / url.removeprefix(_DUCKDB)), read_only=True) as link:
        link.execute("SET TimeZone='UTC'")
        link.execute("SET enable_progress_bar=false")
        result = link.execute(query)
        names = [column[0] for column in result.description]
        while chunk := result.fetchmany(_CHUNK_ROWS):
            yield names, chunk


def _insert(
    connection: Any, relation: str, columns: dict[str, str], chunk: list[Any], *, first: int, source: str
) -> None:
    cells = zip(*chunk, strict=True)
    arrays = [pa.array([as_text(v) for v in column], pa.string()) for column in cells]
    arrays += [pa.array(range(first, first + len(chunk)), pa.int64()), pa.array([source] * len(chunk))]
    connection.register("__chunk", pa.table(arrays, names=[*columns.values(), ROW, FILE]))
    connection.execute(f"INSERT INTO {quoted(relation)} SELECT * FROM __chunk")
    connection.unregister("__chunk")


def as_text(value: Any) -> str | None:
    """One database value as the text our own parsers read back exactly."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        aware = value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)
        return aware.isoformat(sep=" ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, float):
        # A whole number stored as floating point is still that whole number: 17850.0 is customer 17850.
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    if isinstance(value, bytes | memoryview):
        return bytes(value).decode("utf-8")
    return str(value)
