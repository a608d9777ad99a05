"""Events that others want to hear of, kept in the order in which they were committed.

An event is written in the transaction of the change it tells of, so that neither is without the other.
Webhooks and `GET /v1/events` read from here; sequence numbers have no holes that could fill later.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, text

from serving.decisions import canonical
from serving.ids import new_id
from serving.state import Database, iso
from serving.tables import OUTBOX

# Built once: building a statement costs SQLAlchemy several times as much as running it.
_LOCK = text("LOCK TABLE outbox IN EXCLUSIVE MODE")
_LAST = select(func.max(OUTBOX.c.seq))
_ADD = insert(OUTBOX)


@dataclass(frozen=True)
class Event:
    """Something that happened.

    Attributes:
        seq: Place in the order.
        event_id: Identifier; the same in every delivery.
        type: What, such as `alert.opened`, `score.changed`, `model.promoted`, `lead.offered`.
        at: RFC 3339.
        object: To what.
        manager_id: Whose partner it concerns; None: nobody's in particular, so only admins hear of it.
        payload: Plain values without personal data.
    """

    seq: int
    event_id: str
    type: str
    at: str
    object: str
    manager_id: str | None
    payload: Mapping[str, Any]


@dataclass(frozen=True)
class News:
    """An event before it has a place: type, object, manager and payload as in `Event`."""

    type: str
    object: str
    manager_id: str | None
    payload: Mapping[str, Any]


def append_within(
    connection: Connection, news: Sequence[News], *, at: datetime, random: Callable[[int], bytes]
) -> list[Event]:
    """Add events to the caller's transaction."""
    if not news:
        return []
    if connection.dialect.name == "postgresql":
        # Two writers must not take the same place; SQLite's IMMEDIATE transaction sees to that itself.
        connection.execute(_LOCK)
    last = connection.execute(_LAST).scalar() or 0
    events = [
        Event(
            last + n,
            new_id("evt", at=at, random=random),
            one.type,
            iso(at),
            one.object,
            one.manager_id,
            one.payload,
        )
        for n, one in enumerate(news, start=1)
    ]
    rows = [{**event.__dict__, "payload": canonical(dict(event.payload))} for event in events]
    connection.execute(_ADD, rows if len(rows) > 1 else rows[0])
    return events


def read_after(
    database: Database, seq: int, *, limit: int, manager_id: str | None = None, types: Sequence[str] = ()
) -> list[Event]:
    """Events after a place, oldest first; those of one manager's partners, or everybody's when None."""
    query = select(OUTBOX).where(OUTBOX.c.seq > seq).order_by(OUTBOX.c.seq).limit(limit)
    if manager_id is not None:
        query = query.where(OUTBOX.c.manager_id == manager_id)
    if types:
        query = query.where(OUTBOX.c.type.in_(types))
    with database.read() as connection:
        rows = connection.execute(query).mappings()
        return [Event(**{**dict(row), "payload": json.loads(row["payload"])}) for row in rows]
