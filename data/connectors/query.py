"""SQL run in DuckDB over files: `FROM 'orders.parquet'` means the file under `root:`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from data.checks import refusal
from data.connectors.source import FILE, ROW, Source, literal, quoted, scalar


def load_query(connection: Any, query: str, *, root: Path, relation: str, table: str) -> Source:
    """Run a query in DuckDB and keep its result as a table.

    Args:
        connection: DuckDB connection.
        query: SQL; relative file names are resolved against `root`.
        root: Base folder of the mapping.
        relation: Name of the DuckDB table to create.
        table: Canonical table, for messages.

    Raises:
        DataError: The SQL fails, names a file that is not there, or returns no rows.
    """
    import duckdb

    connection.execute(f"SET file_search_path={literal(str(root))}")
    body = query.strip().rstrip(";")
    try:
        described = connection.sql(f"DESCRIBE ({body}\n)").fetchall()
        kinds = {name: kind for name, kind, *_ in described}
        columns = {name: f"__c{i}" for i, name in enumerate(kinds)}
        picked = ", ".join(f"{quoted(name)} AS {column}" for name, column in columns.items())
        connection.execute(
            f"CREATE TABLE {quoted(relation)} AS SELECT {picked}, row_number() OVER () AS {ROW}, "
            f"'query' AS {FILE} FROM ({body}\n)"
        )
    except duckdb.IOException as error:
        there = "" if root.is_dir() else ", which does not exist"
        raise refusal(
            "PI-D001",
            f"{table}: the query finds no file: {' '.join(str(error).split())}",
            next_step=f"File names in queries are relative to `root:`, here {root.resolve()}{there}.",
            pointer=f"tables.{table}.query",
        ) from error
    except duckdb.Error as error:
        raise refusal(
            "PI-D010",
            f"{table}: the query fails: {' '.join(str(error).split())}",
            pointer=f"tables.{table}.query",
        ) from error
    finally:
        connection.execute("SET file_search_path=''")
    rows = scalar(connection, f"SELECT count(*) FROM {quoted(relation)}")
    if not rows:
        raise refusal("PI-D002", f"{table}: the query returns no rows", pointer=table)
    return Source(relation, columns, kinds, "the query", rows=rows)
