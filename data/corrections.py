"""Rows whose content changed at its source, where nothing says since when: known from their ingest on.

A row with `known_at` says itself when it counts, and the order of deliveries does not matter. A row without
one that differs from what is held for its key is the source's new state. Dated back to when it happened it
would tie with the version it corrects, and features of earlier dates would know what nobody knew.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from data.connectors.source import literal, quoted, scalar
from data.rowhash import row_hash_sql
from data.tables import TableContract

UNDATED = "__undated"
"""Column that says that a row came without `known_at`."""


def date_corrections(connection: Any, shape: TableContract, *, fresh: str, held: str, at: datetime) -> int:
    """Find the rows without `known_at` that correct a row held, and date them.

    Content that was held before is an old delivery and no news. Not so where a table says how things stand
    (partners): there the one content that is given for a key is news when another one holds, so that what
    changes back is seen.

    Args:
        connection: DuckDB connection, with all rows handed in as `__hashed`.
        shape: Contract of the table.
        fresh: Table of the distinct ones whose hash is not held; changed in place.
        held: SQL of the rows held.
        at: Time of ingest.

    Returns:
        Rows that correct what was held.
    """
    key = ", ".join(quoted(k) for k in shape.key)
    # Where things happen once, only content never seen is looked at: that keeps large tables cheap.
    given = fresh if shape.dated else "(SELECT DISTINCT ON (row_hash) * FROM __hashed)"
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE __suspects AS "
        f"SELECT {key} FROM {given} WHERE {UNDATED} INTERSECT SELECT {key} FROM {held}"
    )
    if not scalar(connection, "SELECT count(*) FROM __suspects"):
        return 0
    content = row_hash_sql(replace(shape, columns=tuple(c for c in shape.columns if c.name != "known_at")))
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE __versions AS SELECT {key}, {content} AS content, "
        f"row_number() OVER (PARTITION BY {key} ORDER BY known_at DESC, row_hash DESC) = 1 AS holds "
        f"FROM {held} SEMI JOIN __suspects USING ({key})"
    )
    returns = "false" if shape.dated else f"count(*) OVER (PARTITION BY {key}) = 1"
    same = " AND ".join(f"new.{quoted(k)} = old.{quoted(k)}" for k in shape.key)
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE __news AS "
        f"WITH new AS (SELECT *, {content} AS content, {returns} AS returns FROM {given}) "
        f"SELECT * FROM new SEMI JOIN __suspects USING ({key}) WHERE {UNDATED} AND NOT EXISTS "
        f"(SELECT 1 FROM __versions AS old WHERE {same} AND new.content = old.content "
        f"AND (old.holds OR NOT new.returns))"
    )
    connection.execute(f"DELETE FROM {fresh} AS new USING __suspects AS old WHERE {UNDATED} AND {same}")
    moment = (at.astimezone(UTC).replace(tzinfo=None) if at.tzinfo else at).isoformat(sep=" ")
    dated = f"TIMESTAMP {literal(moment)} AS known_at"
    columns = ", ".join(dated if n == "known_at" else quoted(n) for n in shape.names)
    connection.execute(
        f"INSERT INTO {fresh} BY NAME SELECT *, {row_hash_sql(shape)} AS row_hash, true AS {UNDATED} "
        f"FROM (SELECT {columns} FROM __news)"
    )
    return int(scalar(connection, "SELECT count(*) FROM __news"))
