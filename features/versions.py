"""From row versions to spans of validity, in whole days.

A row is known from the first midnight at or after `known_at`, and gone at the first midnight at which a later
version of the same record is known. So at `as_of` exactly the version with the greatest (known_at, row_hash)
among those known is valid: `known_day <= as_of < gone_day`. Days are integers since 1970-01-01 (UTC).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from data.tables import TABLES
from features.source import Source

NEVER = 2**30
"""A gone_day that never comes."""
HASHES_AT_ONCE = 20_000_000


def day_of(moment: Any) -> Any:
    """The day a moment falls on."""
    import ibis

    return moment.date().delta(ibis.date(1970, 1, 1), unit="day").cast("int32")


def first_midnight(moment: Any) -> Any:
    """The first midnight at or after a moment, as a day."""
    return (day_of(moment) + (moment > moment.truncate("D")).cast("int32")).cast("int32")


def spans(source: Source, name: str, *, paths: Sequence[Path] | None = None) -> Any:
    """The versions of a table that are valid at some midnight.

    Args:
        source: Where the table is.
        name: Canonical table that exists.
        paths: Some of its files; None: all.

    Returns:
        Contract columns, `known_day`, `gone_day`, and `event_day` where rows carry `event_at`.
    """
    return _dated(_followed(source.table(name, paths=paths), key=TABLES[name].key))


def spans_of_large(source: Source, name: str, *, paths: Sequence[Path]) -> tuple[Any, bool]:
    """As `spans`, for tables of millions of rows: only keys that occur twice are sorted into versions.

    Returns:
        The rows, and whether any of them was corrected; if not, every `gone_day` is NEVER.
    """
    rows = source.table(name, paths=paths)
    key = TABLES[name].key
    repeated = _repeated_keys(source, rows, key)
    if repeated is None:
        return _dated(_alone(rows)), False
    twice = _followed(rows.semi_join(repeated, list(key)), key=key)
    once = _alone(rows.anti_join(repeated, list(key)))
    return _dated(once.union(twice.select(once.columns))), True


def spans_alone(rows: Any) -> Any:
    """As `spans`, for rows of which no record has another version."""
    return _dated(_alone(rows))


def overlap(source: Source, name: str, *, new: Sequence[Path], old: Sequence[Path]) -> bool:
    """Whether a record of the new files has a version in the old ones: a correction or a repetition."""
    key = ", ".join(f'"{k}"' for k in TABLES[name].key)
    sql = (
        f"SELECT count(*) FROM (SELECT hash({key}) AS h FROM {_files(old)}) AS old "
        f"SEMI JOIN (SELECT hash({key}) AS h FROM {_files(new)}) AS new USING (h)"
    )
    return bool(_number(source, sql))


def first_known_day(source: Source, name: str, *, paths: Sequence[Path]) -> int:
    """The first midnight at which any row of these files is known; NEVER without rows."""
    rows = source.table(name, paths=paths)
    day = rows.aggregate(day=first_midnight(known_since(rows)).min()).to_pyarrow()["day"][0].as_py()
    return NEVER if day is None else int(day)


def known_since(rows: Any) -> Any:
    """known_at, or event_at where it is missing, or the epoch for undated rows."""
    import ibis

    fallback = [rows[c] for c in ("event_at",) if c in rows.columns]
    return ibis.coalesce(rows.known_at, *fallback, ibis.timestamp("1970-01-01 00:00:00"))


def _repeated_keys(source: Source, rows: Any, key: tuple[str, ...]) -> Any | None:
    """Table of the keys with more than one row, or None.

    Written in SQL, which hands the 64-bit hashes to NumPy: sorting them costs a quarter of the cheapest
    grouping. Keys that only share a hash are told apart by the grouping that follows.
    """
    import ibis

    columns = ", ".join(f'"{k}"' for k in key)
    raw = ibis.to_sql(rows.select(list(key)), dialect="duckdb")
    hashes = _repeated_hashes(source, f"SELECT hash({columns}) AS h FROM ({raw})")
    if not len(hashes):
        return None
    source.connection.create_table("repeated_hash", pa.table({"h": hashes}), temp=True, overwrite=True)
    source.connection.raw_sql(
        f"CREATE OR REPLACE TEMP TABLE repeated_key AS SELECT {columns} FROM ({raw}) "
        f"WHERE hash({columns}) IN (SELECT h FROM repeated_hash) GROUP BY ALL HAVING count(*) > 1"
    ).fetchall()
    if not _number(source, "SELECT count(*) FROM repeated_key"):
        return None
    return source.connection.table("repeated_key", database=("temp", "main"))


def _repeated_hashes(source: Source, sql: str) -> Any:
    """Hashes that occur twice, looked for in slices that fit into memory."""
    slices = 1 + _number(source, f"SELECT count(*) FROM ({sql})") // HASHES_AT_ONCE
    found = []
    for i in range(slices):
        part = f"SELECT h FROM ({sql}) WHERE h % {slices} = {i}" if slices > 1 else sql
        hashes = np.asarray(source.connection.con.execute(part).fetchnumpy()["h"])
        hashes.sort()
        found.append(np.unique(hashes[1:][hashes[1:] == hashes[:-1]]))
    return np.concatenate(found)


def _number(source: Source, sql: str) -> int:
    return int(source.connection.raw_sql(sql).fetchall()[0][0])


def _files(paths: Sequence[Path]) -> str:
    listed = ", ".join("'" + str(p).replace("'", "''") + "'" for p in paths)
    return f"read_parquet([{listed}], union_by_name = true)"


def _followed(rows: Any, *, key: tuple[str, ...]) -> Any:
    """Add `known_day` and `gone_day` by looking at the next version of each key."""
    import ibis

    rows = rows.mutate(_known=known_since(rows))
    following = ibis.window(group_by=list(key), order_by=["_known", "row_hash"])
    rows = rows.mutate(known_day=first_midnight(rows._known), _next=rows._known.lead().over(following))
    gone = ibis.coalesce(first_midnight(rows._next), ibis.literal(NEVER)).cast("int32")
    rows = rows.mutate(gone_day=gone).drop("_known", "_next")
    return rows.filter(rows.known_day < rows.gone_day)


def _alone(rows: Any) -> Any:
    """Add `known_day` and `gone_day` to rows whose keys have one version each."""
    import ibis

    return rows.mutate(
        known_day=first_midnight(known_since(rows)), gone_day=ibis.literal(NEVER).cast("int32")
    )


def _dated(rows: Any) -> Any:
    return rows.mutate(event_day=day_of(rows.event_at)) if "event_at" in rows.columns else rows
