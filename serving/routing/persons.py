"""Persons named in leads that were routed, whoever sent the lead."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, select, update

from serving.routing.idempotency import erase_contact
from serving.routing.tables import PERSONAL
from serving.state import iso


@dataclass(frozen=True)
class Routed:
    """What names a person in one lead.

    Attributes:
        owner: Whose key sent the lead.
        lead_id: Lead.
        content: Contact fields as JSON.
    """

    owner: str
    lead_id: str
    content: str


def find_routed(connection: Connection, names: Collection[str]) -> list[Routed]:
    """Leads of which any contact field is one of these names, lower case; or whose identifier is."""
    rows = connection.execute(select(PERSONAL).where(PERSONAL.c.content.is_not(None))).all()
    found = [Routed(r.owner, r.lead_id, r.content) for r in rows]
    return [r for r in found if {r.lead_id.lower(), *_values(r.content)} & set(names)]


def erase_routed(connection: Connection, *, owner: str, lead_id: str, at: datetime) -> bool:
    """Forget content and salts, so that the hashes that stay name nobody; False when there was nothing."""
    mine = and_(PERSONAL.c.owner == owner, PERSONAL.c.lead_id == lead_id, PERSONAL.c.erased_at.is_(None))
    gone = {"content": None, "salt": None, "erased_at": iso(at)}
    if not connection.execute(update(PERSONAL).where(mine).values(gone)).rowcount:
        return False
    erase_contact(connection, owner=owner, lead_id=lead_id)
    return True


def _values(content: str) -> set[str]:
    return {str(value).lower() for value in json.loads(content).values()}
