"""A person's wishes: a partner's pause, capacity and opt-out, and the erasure of what names somebody."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from data.errors import NotFoundError
from serving import audit
from serving.auth import Identity
from serving.routing.feed import Feed
from serving.routing.persons import erase_routed
from serving.routing.store import read_lead, set_standing
from serving.shared import Shared
from serving.state import iso


class Wishes:
    """Keeps wishes; each change is in the audit log.

    Args:
        shared: The worker's parts.
        feed: What is ready.
    """

    def __init__(self, shared: Shared, *, feed: Feed) -> None:
        self._feed, self._database, self._clock = feed, shared.database, shared.edges.clock

    def set_partner(
        self, partner_id: str, *, capacity: int | None = None, paused_until: datetime | None = None,
        opted_out: bool = False, identity: Identity,
    ) -> dict[str, Any]:  # fmt: skip
        """A person's wishes about a partner's leads; they replace the ones before.

        Raises:
            NotFoundError: No such partner.
        """
        ready = self._feed.ready()
        if ready.block is None or partner_id not in ready.block.roster.places:
            raise NotFoundError("There is no such partner.")
        until = iso(paused_until) if paused_until else None
        values = {"capacity": capacity, "paused_until": until, "opted_out": int(opted_out)}
        with self._database.write() as connection:
            set_standing(connection, partner_id, values, sqlite_=self._database.is_sqlite)
            audit.append_within(
                connection, at=self._clock(), actor=f"{identity.owner} ({identity.key_id})",
                action="routing.partner", object=partner_id, detail=values,
            )  # fmt: skip
        return {"partner_id": partner_id, "capacity": capacity, "paused_until": until, "opted_out": opted_out}

    def erase(self, lead_id: str, *, identity: Identity) -> dict[str, Any]:
        """Erase what names a person in a lead; its decisions verify as before. Twice changes nothing.

        Raises:
            NotFoundError: No such lead.
        """
        now = self._clock()
        with self._database.write() as connection:
            read_lead(connection, identity.owner, lead_id)
            if erase_routed(connection, owner=identity.owner, lead_id=lead_id, at=now):
                audit.append_within(
                    connection, at=now, actor=f"{identity.owner} ({identity.key_id})", action="lead.erase",
                    object=lead_id,
                )  # fmt: skip
        self._database.forget()
        return {"lead_id": lead_id, "erased": True}
