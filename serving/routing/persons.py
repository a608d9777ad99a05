"""Persons named in leads that were routed, whoever sent the lead."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, select, update

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


def erase_routed(connection: Connection, routed: Sequence[Routed], *, at: datetime) -> None:
    """Forget content and salt; the hash in a decision then names nobody."""
    gone = {"content": None, "salt": None, "erased_at": iso(at)}
    for lead in routed:
        mine = and_(PERSONAL.c.owner == lead.owner, PERSONAL.c.lead_id == lead.lead_id)
        connection.execute(update(PERSONAL).where(mine).values(gone))


def _values(content: str) -> set[str]:
    return {str(value).lower() for value in json.loads(content).values()}
