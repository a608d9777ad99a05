"""A person's wishes: a partner's pause, capacity and opt-out, and the erasure of what names somebody."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select, update

from data.errors import NotFoundError
from serving import audit
from serving.auth import Identity
from serving.routing.feed import Feed
from serving.routing.idempotency import Idempotency
from serving.routing.store import read_lead, set_standing
from serving.routing.tables import PERSONAL
from serving.shared import Shared
from serving.state import iso


class Wishes:
    """Keeps wishes; each change is in the audit log.

    Args:
        shared: The worker's parts.
        feed: What is ready.
        idempotency: Keys, which remember whom a request named.
    """

    def __init__(self, shared: Shared, *, feed: Feed, idempotency: Idempotency) -> None:
        self._feed, self._database, self._clock = feed, shared.database, shared.edges.clock
        self._idempotency = idempotency

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
        mine = (PERSONAL.c.owner == identity.owner) & (PERSONAL.c.lead_id == lead_id)
        with self._database.write() as connection:
            read_lead(connection, identity.owner, lead_id)
            there = connection.execute(select(PERSONAL.c.erased_at).where(mine)).first()
            if there is not None and there.erased_at is None:
                erased = {"content": None, "salt": None, "erased_at": iso(now)}
                connection.execute(update(PERSONAL).where(mine).values(erased))
                self._idempotency.erase(connection, owner=identity.owner, lead_id=lead_id)
                audit.append_within(
                    connection, at=now, actor=f"{identity.owner} ({identity.key_id})", action="lead.erase",
                    object=lead_id,
                )  # fmt: skip
        self._database.forget()
        return {"lead_id": lead_id, "erased": True}
