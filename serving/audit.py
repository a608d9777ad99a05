"""The audit log: who did what when, each row sealed by a hash over itself and the row before.

An edited, removed or inserted row breaks the chain. Cutting off the newest rows cannot be seen from the log
alone: keep a copy of `head()` elsewhere, for instance with the nightly backup.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, text

from serving.state import Database, iso
from serving.tables import AUDIT_LOG

GENESIS = "0" * 64
_SEALED = ("seq", "at", "actor", "action", "object", "detail", "previous_sha256")


def seal(row: Mapping[str, Any]) -> str:
    """Hash of one row and, through `previous_sha256`, of all before it."""
    canonical = json.dumps([row[name] for name in _SEALED], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def append(
    database: Database,
    *,
    at: datetime,
    actor: str,
    action: str,
    object: str,
    detail: Mapping[str, Any] | None = None,
) -> int:
    """Add one row in its own transaction; returns its number."""
    with database.write() as connection:
        return append_within(connection, at=at, actor=actor, action=action, object=object, detail=detail)


def times_within(connection: Connection, *, actions: Sequence[str]) -> set[tuple[str, str]]:
    """Object and time of all rows of some actions."""
    query = select(AUDIT_LOG.c.object, AUDIT_LOG.c.at).where(AUDIT_LOG.c.action.in_(actions))
    return {(row.object, row.at) for row in connection.execute(query)}


def append_within(
    connection: Connection,
    *,
    at: datetime,
    actor: str,
    action: str,
    object: str,
    detail: Mapping[str, Any] | None = None,
) -> int:
    """Add one row to the caller's transaction, so that a write and its record stand or fall together.

    Args:
        connection: A connection of `Database.write()`.
        at: When, naive UTC.
        actor: Owner and key, or the command line.
        action: What, such as `key.create`, `model.promote`, `denied`.
        object: On what.
        detail: Further plain values; no personal data.
    """
    if connection.dialect.name == "postgresql":
        # Two appends must not read the same predecessor; SQLite's IMMEDIATE transaction sees to that itself.
        connection.execute(text("LOCK TABLE audit_log IN EXCLUSIVE MODE"))
    newest = select(AUDIT_LOG.c.seq, AUDIT_LOG.c.sha256).order_by(AUDIT_LOG.c.seq.desc()).limit(1)
    last = connection.execute(newest).first()
    row: dict[str, Any] = {
        "seq": (last.seq if last else 0) + 1,
        "at": iso(at),
        "actor": actor,
        "action": action,
        "object": object,
        "detail": json.dumps(dict(detail or {}), sort_keys=True, ensure_ascii=False),
        "previous_sha256": last.sha256 if last else GENESIS,
    }
    row["sha256"] = seal(row)
    connection.execute(insert(AUDIT_LOG).values(row))
    return int(row["seq"])


def head(database: Database) -> tuple[int, str]:
    """Number and hash of the newest row."""
    with database.read() as connection:
        newest = select(AUDIT_LOG.c.seq, AUDIT_LOG.c.sha256).order_by(AUDIT_LOG.c.seq.desc()).limit(1)
        last = connection.execute(newest).first()
    return (last.seq, last.sha256) if last else (0, GENESIS)


def broken_rows(database: Database) -> list[int]:
    """Numbers of the rows at which the chain does not hold; empty when the log is as it was written."""
    broken, previous, expected = [], GENESIS, 1
    with database.read() as connection:
        for row in connection.execute(select(AUDIT_LOG).order_by(AUDIT_LOG.c.seq)).mappings():
            if (
                row["seq"] != expected
                or row["previous_sha256"] != previous
                or seal(dict(row)) != row["sha256"]
            ):
                broken.append(row["seq"])
            previous, expected = row["sha256"], row["seq"] + 1
    return broken
