"""Keeping what routing decided: capacity, offer, lead, decision, personal fields, in one transaction."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, update
from sqlalchemy.exc import IntegrityError

from models.routing.lifecycle import StateError
from serving import outbox
from serving.auth import Identity
from serving.decisions import Decision, canonical
from serving.errors import ConflictError
from serving.routing.drafting import Draft, Wanted
from serving.routing.idempotency import Claim, Idempotency
from serving.routing.lead import commitment, money
from serving.routing.store import LeadRow, OfferRow, add_offer, put_lead, take, tick
from serving.routing.tables import PERSONAL
from serving.shared import Shared
from serving.state import iso

OPEN_AGAIN = frozenset({"unassigned", "conflict_hold"})
"""States in which a lead may be sent once more."""


class TakenError(Exception):
    """Somebody else was first: work it out anew."""


@dataclass(frozen=True)
class Personal:
    """What names a person: content, the salt of its hash, and the hash."""

    content: str
    salt: str
    sha256: str


@dataclass(frozen=True)
class Unplaced:
    """A lead that is offered to nobody before any partner was looked at.

    Attributes:
        wanted: The lead.
        answer: What is answered.
        decision: Its record; None where there was nothing to decide by.
        before: The lead as it stood and its offers, or None.
    """

    wanted: Wanted
    answer: dict[str, Any]
    decision: Decision | None
    before: Any

    @property
    def text(self) -> str:
        """The answer as JSON."""
        return canonical(self.answer) if self.decision is None else self.decision.text


class Keeper:
    """Writes; every method but `writing` works in the caller's transaction.

    Args:
        shared: The worker's parts.
    """

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._database, self._random = shared.database, shared.edges.random
        self.idempotency = Idempotency(shared.database, clock=shared.edges.clock, random=self._random)

    def keep_offer(
        self, connection: Connection, draft: Draft, before: Any, wanted: Wanted, identity: Identity,
        now: datetime, seq: int,
    ) -> LeadRow:  # fmt: skip
        """Take the capacity, keep the offer and the lead."""
        decided, situation = draft.decided, draft.situation
        if decided.partner_id is not None and decided.respond_by is not None:
            taken = take(
                connection, decided.partner_id, capacity=draft.capacity, at=now, seq=seq,
                sqlite_=self._database.is_sqlite,
            )  # fmt: skip
            if not taken:
                raise TakenError
            add_offer(connection, _offer(draft, identity.owner, now))
        lead = LeadRow(
            owner=identity.owner,
            lead_id=wanted.lead.lead_id,
            state="offered" if decided.partner_id else "unassigned",
            code=decided.choice.code,
            partner_id=decided.partner_id,
            respond_by=iso(decided.respond_by) if decided.respond_by else None,
            turn=situation.turn,
            decision_id=situation.decision_id,
            lead={"lead": wanted.lead.to_json(), "top_k": wanted.top_k, "max_reasons": wanted.max_reasons},
            conflict={},
            value_cents=wanted.lead.value_cents,
            currency=wanted.lead.currency,
            closed_at=None,
            created_at=before[0].created_at if before else iso(now),
            updated_at=iso(now),
        )
        put_lead(connection, lead, new=before is None)
        self.tell(connection, "lead.offered" if decided.partner_id else "lead.unassigned", lead, now)
        return lead

    def without_partner(
        self, nobody: Unplaced, personal: Personal | None, claim: Claim, identity: Identity, now: datetime
    ) -> str:
        """Keep a lead that is offered to nobody, in a transaction of its own."""
        with self.writing() as connection:
            self.idempotency.finish(connection, claim, nobody.text)
            tick(connection)
            self.keep_unplaced(connection, nobody, identity, now)
            self.keep_personal(connection, nobody.wanted.lead.lead_id, personal, identity)
        return nobody.text

    def keep_unplaced(
        self, connection: Connection, nobody: Unplaced, identity: Identity, now: datetime
    ) -> None:
        """Keep a lead that is offered to nobody."""
        wanted, answer, before = nobody.wanted, nobody.answer, nobody.before
        state = "conflict_hold" if answer["outcome"] == "conflict_hold" else "unassigned"
        lead = LeadRow(
            identity.owner, wanted.lead.lead_id, state, answer["code"], None, None,
            before[0].turn if before else 0, answer["decision_id"],
            {"lead": wanted.lead.to_json(), "top_k": wanted.top_k, "max_reasons": wanted.max_reasons},
            answer.get("conflict") or {}, wanted.lead.value_cents, wanted.lead.currency, None,
            before[0].created_at if before else iso(now), iso(now),
        )  # fmt: skip
        put_lead(connection, lead, new=before is None)
        if nobody.decision is not None:
            self.keep_decision(connection, nobody.decision, identity, now)
        self.tell(connection, f"lead.{state}", lead, now)

    def writing(self) -> Any:
        """A write whose clash with another one of the same lead is told as a conflict."""
        return Writing(self._database)

    def keep_decision(
        self, connection: Connection, decision: Decision, identity: Identity, now: datetime
    ) -> set[str]:
        """Keep the record of a decision; the layouts returned are known once this is committed."""
        return self._shared.decisions.record_within(connection, [decision], identity=identity, at=now)

    def kept(self, layouts: set[str]) -> None:
        """What `keep_decision` returned is committed."""
        self._shared.decisions.remember(layouts)

    def personal(self, personal: dict[str, str]) -> Personal | None:
        """What names a person, with its salted hash; None when nothing does."""
        if not personal:
            return None
        salt = self._random(16).hex()
        return Personal(json.dumps(personal, ensure_ascii=False), salt, commitment(salt, personal))

    def keep_personal(
        self, connection: Connection, lead_id: str, personal: Personal | None, identity: Identity
    ) -> None:
        """Keep what names a person, apart from the decision."""
        if personal is None:
            return
        mine = (PERSONAL.c.owner == identity.owner) & (PERSONAL.c.lead_id == lead_id)
        values = {"salt": personal.salt, "content": personal.content, "erased_at": None}
        if not connection.execute(update(PERSONAL).where(mine).values(values)).rowcount:
            row = {"owner": identity.owner, "lead_id": lead_id, **values}
            connection.execute(insert(PERSONAL).values(row))

    def tell(self, connection: Connection, what: str, lead: LeadRow, now: datetime) -> None:
        """Put an event into the outbox."""
        payload = {"lead_id": lead.lead_id, "partner_id": lead.partner_id, "decision_id": lead.decision_id}
        partners = self._shared.view().partners
        manager = partners.managers.get(lead.partner_id or "") if partners else None
        news = outbox.News(what, lead.lead_id, manager, payload)
        outbox.append_within(connection, [news], at=now, random=self._random)


class Writing:
    """`Database.write()`; a lead that two requests make at once is a conflict for the second."""

    def __init__(self, database: Any) -> None:
        self._inner = database.write()

    def __enter__(self) -> Connection:
        connection: Connection = self._inner.__enter__()
        return connection

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        try:
            self._inner.__exit__(kind, error, trace)
        except IntegrityError:
            raise ConflictError("Another request routes this lead.", next_step="Ask again.") from None


def _offer(draft: Draft, owner: str, now: datetime) -> OfferRow:
    decided, situation, roster = draft.decided, draft.situation, draft.parts.block.roster
    place = decided.choice.position or 0
    return OfferRow(
        owner=owner,
        lead_id=situation.lead.lead_id,
        turn=situation.turn,
        partner_id=str(decided.partner_id),
        state="offered",
        decision_id=situation.decision_id,
        propensity=decided.choice.propensity,
        policy_version=draft.parts.policy_version,
        tier=roster.tier[place],
        region=roster.region[place],
        size=roster.size[place],
        fairness_cost=decided.choice.fairness_cost,
        offered_at=iso(now),
        respond_by=iso(decided.respond_by or now),
    )


def state_of(lead: LeadRow, offers: Sequence[OfferRow]) -> dict[str, Any]:
    """A lead as the contract shows it."""
    shown = ("partner_id", "turn", "state", "offered_at", "respond_by", "answered_at", "reason", "closed_at",
             "propensity", "decision_id")  # fmt: skip
    return {
        "lead_id": lead.lead_id,
        "state": lead.state,
        "code": lead.code or None,
        "partner_id": lead.partner_id if lead.state not in OPEN_AGAIN else None,
        "respond_by": lead.respond_by if lead.state == "offered" else None,
        "reroutes": lead.turn,
        "decision_id": lead.decision_id,
        "conflict": dict(lead.conflict) or None,
        "value": money(lead.value_cents, lead.currency),
        "closed_at": lead.closed_at,
        "created_at": lead.created_at,
        "updated_at": lead.updated_at,
        "history": [{n: getattr(o, n) for n in shown} for o in offers],
    }


def check_same(
    lead: LeadRow, last: OfferRow, *, value_cents: int | None, currency: str | None, at: datetime | None
) -> None:
    """An outcome told again must be the one on record, where it says something.

    Raises:
        StateError: It says something else.
    """
    value = value_cents is not None and (value_cents, currency) != (last.value_cents, lead.currency)
    if not value and (at is None or iso(at) == lead.closed_at):
        return
    raise StateError(
        f"The lead was {lead.state} on record with another {'value' if value else 'time'}.",
        allowed="the same outcome again; what is on record is not changed",
        next_step="GET /v1/leads/{lead_id} says what is on record.",
    )
