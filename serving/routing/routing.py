"""The routing use cases: leads find partners, partners answer, leads end. They know no HTTP.

A decision is worked out without any lock, then committed together with the partner's capacity, the lead, the
offer and the caller's idempotency key; if the capacity was taken meanwhile, it is worked out anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Literal, TypeVar

from sqlalchemy import Connection

from data.errors import InputError
from models.routing.eligibility import Standing
from models.routing.lifecycle import Answer, StateError, answered, closed
from models.routing.settings import RoutingSettings
from serving.auth import Identity
from serving.errors import ConflictError, UnavailableError
from serving.routing.drafting import Draft, Drafter, Wanted, nobody
from serving.routing.feed import Feed, Ready
from serving.routing.idempotency import AnsweredError, Claim
from serving.routing.keeping import OPEN_AGAIN, Keeper, Personal, TakenError, Unplaced, check_same, state_of
from serving.routing.lead import Lead
from serving.routing.record import decision_of, hold_of, keep_log
from serving.routing.registrations import Account
from serving.routing.store import (
    LeadRow,
    OfferRow,
    StandingBook,
    change_offer,
    due_offers,
    find_lead,
    give_back,
    put_lead,
    read_lead,
    tick,
)
from serving.shared import Shared
from serving.state import iso

TRIES = 200
"""Times a decision is worked out anew when its partner's capacity was taken meanwhile."""
T = TypeVar("T")
CLOCK_KEY = "clock"


class Routing:
    """Routes leads.

    Args:
        shared: The worker's parts.
        feed: What is ready.
        settings: Of routing.
    """

    def __init__(self, shared: Shared, *, feed: Feed, settings: RoutingSettings) -> None:
        self._shared, self._feed, self._settings = shared, feed, settings
        self._database, self._clock, self._random = shared.database, shared.edges.clock, shared.edges.random
        self.keeper = Keeper(shared)
        self._book = StandingBook(shared.database)
        self.drafter = Drafter(settings, shared.settings, random=self._random)
        self.idempotency = self.keeper.idempotency

    def route(
        self, wanted: Wanted, *, key: str, request: Any, personal: dict[str, str], identity: Identity
    ) -> str:
        """Offer a lead to a partner; the answer as JSON text, the same bytes for the same key.

        Args:
            wanted: The lead and what to show.
            key: Idempotency key.
            request: The request as sent, without what names a person, for telling two apart.
            personal: What names a person; kept apart.
            identity: Whose lead it is.

        Raises:
            ConflictError: The key's first request is under way, or the lead is being worked on.
            InputError: The key was used for something else.
        """

        def work(claim: Claim) -> str:
            kept = self.keeper.personal(personal)
            return self.again(lambda: self._route_once(wanted, kept, claim, identity))

        given = {"route": request}
        about = {"contact": personal, "lead_id": wanted.lead.lead_id}
        return self.once(key, given, work, identity, **about)

    def respond(
        self, lead_id: str, partner_id: str, answer: Literal["accepted", "declined"], *, reason: str = "",
        identity: Identity,
    ) -> dict[str, Any]:  # fmt: skip
        """A partner's answer; a declined lead goes on to the next. The same answer twice changes nothing.

        Raises:
            NotFoundError: No such lead.
            StateError: The partner was never offered it, or the offer is no longer open.
        """
        self._expire_if_due(lead_id, identity=identity)
        return self.again(lambda: self._answer_once(lead_id, partner_id, answer, reason, identity))

    def outcome(
        self, lead_id: str, result: Literal["won", "lost"], *, value_cents: int | None = None,
        currency: str | None = None, occurred_at: datetime | None = None, reason: str = "",
        identity: Identity,
    ) -> dict[str, Any]:  # fmt: skip
        """What became of an accepted lead; the partner's capacity comes back.

        Raises:
            NotFoundError: No such lead.
            InputError: It lies in the future.
            StateError: Nobody has accepted it, or it ended otherwise.
        """
        now = self._clock()
        at = occurred_at or now
        with self._database.write() as connection:
            seq = tick(connection)
            lead, offers = read_lead(connection, identity.owner, lead_id)
            step = closed(lead.state, result)
            last = offers[-1]
            if at > now + timedelta(minutes=5):
                raise InputError("occurred_at lies in the future.", pointer="/occurred_at")
            # Callers who know the day only send its midnight.
            if iso(at)[:10] < last.offered_at[:10]:
                raise InputError(
                    "occurred_at lies before the offer.", pointer="/occurred_at",
                    allowed=f"from {last.offered_at[:10]} on, when the partner was offered the lead",
                )  # fmt: skip
            if step.offer is None:
                check_same(lead, last, value_cents=value_cents, currency=currency, at=occurred_at)
                return state_of(lead, offers)
            values = {"closed_at": iso(at), "value_cents": value_cents}
            values = {**values, **({"reason": reason} if reason else {})}
            change_offer(connection, last, was="accepted", state=step.offer, **values)
            give_back(connection, last.partner_id, seq=seq)
            told: dict[str, Any] = (
                {} if value_cents is None else {"value_cents": value_cents, "currency": currency}
            )
            ended = replace(lead, state=step.lead, closed_at=iso(at), updated_at=iso(now), **told)
            put_lead(connection, ended, new=False)
            self.keeper.tell(connection, f"lead.{result}", ended, now)
            return state_of(*read_lead(connection, identity.owner, lead_id))

    def lead(self, lead_id: str, *, identity: Identity) -> dict[str, Any]:
        """Where a lead is, and its history.

        Raises:
            NotFoundError: The caller's owner has no such lead.
        """
        with self._database.read() as connection:
            return state_of(*read_lead(connection, identity.owner, lead_id))

    def check_registration(self, account: Account, *, partner_id: str | None = None) -> dict[str, Any]:
        """Whether an account is claimed by an open registration of somebody else."""
        ready = self.ready()
        claims = self.drafter.claims(ready, account, now=self._clock())
        others = [c for c in claims if c.partner_id != partner_id]
        return {
            "conflict": bool(others),
            "owner": others[0].partner_id if others else None,
            "claims": [c.to_json() for c in claims],
            "registrations_checked": len(ready.registrations),
        }

    def sweep(self, *, most: int = 200) -> int:
        """Offers whose time is over expire, and their leads go on; returns how many."""
        with self._database.read() as connection:
            due = due_offers(connection, now=self._clock(), most=most)
        for owner, lead_id, partner_id in due:
            identity = Identity(CLOCK_KEY, owner, "prm")
            self.again(
                lambda lead=lead_id, partner=partner_id, who=identity: self._answer_once(  # type: ignore[misc]
                    lead, partner, "expired", "", who
                )
            )
        return len(due)

    def forget_keys(self) -> int:
        """Idempotency keys that need not be remembered any longer are dropped; returns how many."""
        return self.idempotency.forget(self._clock() - timedelta(days=self._settings.idempotency_days))

    def once(
        self, key: str, request: Any, work: Callable[[Claim], str], identity: Identity, **about: Any
    ) -> str:
        """Run work under an idempotency key, or give the stored answer; batches use it, too.

        The work looks for the stored answer itself, in the transaction in which it reads everything else.
        """
        with self.idempotency.claim(key, request, owner=identity.owner, **about) as claim:
            try:
                return work(claim)
            except AnsweredError:
                found = self.answered(claim)
                if found is None:
                    raise ConflictError("Another request routes this lead.", next_step="Ask again.") from None
                return found

    def answered(self, claim: Claim) -> str | None:
        """The stored answer under a claim, when there is one."""
        with self._database.read() as connection:
            return self.idempotency.stored(connection, claim)

    def now(self) -> datetime:
        """Naive UTC."""
        return self._clock()

    def standing(self, now: datetime) -> Standing:
        """How partners stand."""
        return self._book.at(now)

    def again(self, work: Callable[[], T]) -> T:
        """Do work, and anew when somebody else was first.

        Raises:
            UnavailableError: Somebody else was first every time.
        """
        for _ in range(TRIES):
            try:
                return work()
            except TakenError:
                continue
        raise UnavailableError(
            "Partners' capacity is being taken faster than a decision can be made.",
            next_step="Try again in a moment; nothing was recorded.",
        )

    def ready(self) -> Ready:
        """What is ready; made now where nothing was yet."""
        ready = self._feed.ready()
        return ready if ready.policies else self._feed.refresh()

    def _route_once(self, wanted: Wanted, personal: Personal | None, claim: Claim, identity: Identity) -> str:
        ready, now = self.ready(), self._clock()
        lead = wanted.lead
        with self._database.read() as connection:
            found = self.idempotency.stored(connection, claim)
            if found is not None:
                return found
            before = self.before(connection, lead.lead_id, identity)
            standing = self._book.within(connection, now)
        unplaced = self.held(ready, wanted, before, now, personal=personal)
        if unplaced is None and ready.block is None:
            unplaced = self.nobody(wanted, before, now)
        if unplaced is not None:
            return self.keeper.without_partner(unplaced, personal, claim, identity, now)
        had = tuple(o.partner_id for o in before[1]) if before else ()
        turn = max((o.turn for o in before[1]), default=-1) + 1 if before else 0
        again = replace(wanted, had=had, turn=turn)
        draft = self._drafted(ready, again, standing, now)
        decision = decision_of(
            draft.parts, draft.situation, draft.decided, personal=personal.sha256 if personal else None
        )
        with self.keeper.writing() as connection:
            self.idempotency.finish(connection, claim, decision.text)
            seq = tick(connection)
            self.keeper.keep_offer(connection, draft, before, wanted, identity, now, seq)
            layouts = self.keeper.keep_decision(connection, decision, identity, now)
            keep_log(connection, decision.decision_id, draft.decided)
            self.keeper.keep_personal(connection, lead.lead_id, personal, identity)
        self.keeper.kept(layouts)
        return decision.text

    def _drafted(self, ready: Ready, wanted: Wanted, standing: Standing, now: datetime) -> Draft:
        parts = self.drafter.parts(ready, wanted.lead.lead_id, now=now)
        if parts is None:
            raise UnavailableError("No partner features could be loaded.")
        preferred = ready.known_accounts.get((wanted.lead.domain or "").lower(), ())
        situation = self.drafter.situation(ready, parts, wanted, standing, now=now, preferred=preferred)
        return self.drafter.draft(parts, situation)

    def reading(self) -> AbstractContextManager[Connection]:
        """A connection to read with."""
        return self._database.read()

    def before(
        self, connection: Connection, lead_id: str, identity: Identity
    ) -> tuple[LeadRow, list[OfferRow]] | None:
        """The lead as it stands, when it was sent before and may be routed again.

        Raises:
            ConflictError: It is being worked on, or has ended.
        """
        found = find_lead(connection, identity.owner, lead_id)
        if found is None:
            return None
        lead, offers = found
        if lead.state not in OPEN_AGAIN:
            raise ConflictError(
                f"This lead is {lead.state} already.", next_step="GET /v1/leads/{lead_id} says where it is."
            )
        return lead, offers

    def _answer_once(
        self, lead_id: str, partner_id: str, answer: Answer, reason: str, identity: Identity
    ) -> dict[str, Any]:
        ready, now = self.ready(), self._clock()
        with self._database.read() as connection:
            lead, offers = read_lead(connection, identity.owner, lead_id)
        offer = next((o for o in reversed(offers) if o.partner_id == partner_id), None)
        if offer is None:
            raise StateError("This partner was never offered the lead.", pointer="/partner_id")
        _, policy = ready.policy_for(lead_id)
        step = answered(
            lead.state, offer.state, answer, reroutes=lead.turn, most_reroutes=policy.most_reroutes
        )
        if step.offer is None:
            return {**state_of(lead, offers), "next_offer": self._told_next(offer, offers, identity)}
        draft = self._next(ready, lead, offers, now) if step.reroutes else None
        with self.keeper.writing() as connection:
            seq = tick(connection)
            told = {"state": step.offer, "answered_at": iso(now), "reason": reason or None}
            if not change_offer(connection, offer, was="offered", **told):
                raise TakenError
            if step.frees:
                give_back(connection, offer.partner_id, seq=seq)
            self.keeper.tell(connection, f"lead.{step.offer}", replace(lead, partner_id=partner_id), now)
            if draft is not None:
                self._keep_next(connection, draft, lead, identity, now, seq)
            else:
                code = "" if step.offer == "accepted" else "no_more_offers"
                ended = replace(lead, state=step.lead, code=code, respond_by=None, updated_at=iso(now))
                put_lead(connection, ended, new=False)
                if code:
                    self.keeper.tell(connection, "lead.unassigned", replace(ended, partner_id=None), now)
            found = read_lead(connection, identity.owner, lead_id)
        return {**state_of(*found), "next_offer": draft.decided.response if draft else None}

    def _told_next(self, offer: OfferRow, offers: Sequence[OfferRow], identity: Identity) -> Any:
        """The offer that followed one, as it was told then; a retry must not miss it."""
        after = [o.decision_id for o in offers if o.turn == offer.turn + 1]
        return self._shared.decisions.read(after[0], identity=identity).decision.response if after else None

    def _next(self, ready: Ready, lead: LeadRow, offers: Sequence[OfferRow], now: datetime) -> Draft:
        """The next offer of a lead: to nobody who had it."""
        wanted = Wanted(
            Lead.from_json(lead.lead["lead"]),
            top_k=lead.lead["top_k"],
            max_reasons=lead.lead["max_reasons"],
            turn=lead.turn + 1,
            had=tuple(o.partner_id for o in offers),
        )
        return self._drafted(ready, wanted, self._book.at(now), now)

    def _keep_next(
        self, connection: Connection, draft: Draft, lead: LeadRow, identity: Identity, now: datetime, seq: int
    ) -> None:
        wanted = Wanted(
            draft.situation.lead, top_k=draft.situation.top_k, max_reasons=draft.situation.max_reasons
        )
        self.keeper.keep_offer(connection, draft, (lead,), wanted, identity, now, seq)
        decision = decision_of(draft.parts, draft.situation, draft.decided, personal=None)
        self.keeper.keep_decision(connection, decision, identity, now)
        keep_log(connection, decision.decision_id, draft.decided)

    def held(
        self, ready: Ready, wanted: Wanted, before: Any, now: datetime, *, personal: Personal | None = None
    ) -> Unplaced | None:
        """The lead on hold, when somebody has registered its account."""
        lead = wanted.lead
        account = Account(lead.company, lead.domain, lead.country, lead.city)
        claims = [] if wanted.resolved else self.drafter.claims(ready, account, now=now)
        if not claims:
            return None
        told, sha256 = [c.to_json() for c in claims], personal.sha256 if personal else None
        decision = hold_of(lead, told, decision_id=self.drafter.new_id(now), personal=sha256)
        return Unplaced(wanted, dict(decision.response), decision, before)

    def nobody(self, wanted: Wanted, before: Any, now: datetime) -> Unplaced:
        """The lead, with nothing known of any partner."""
        return Unplaced(wanted, nobody(wanted, self.drafter.new_id(now)), None, before)

    def _expire_if_due(self, lead_id: str, *, identity: Identity) -> None:
        """An offer whose time is over has expired, even if the sweep was not there yet."""
        now = self._clock()
        with self._database.read() as connection:
            _, offers = read_lead(connection, identity.owner, lead_id)
        for offer in offers:
            if offer.state == "offered" and offer.respond_by <= iso(now):
                self.again(lambda o=offer: self._answer_once(lead_id, o.partner_id, "expired", "", identity))  # type: ignore[misc]
