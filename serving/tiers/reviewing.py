"""The review list: recommended changes, and what people decide about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import update

from data.errors import InputError, NotFoundError, PromotionConflictError
from serving import audit, outbox
from serving.auth import Identity
from serving.state import iso
from serving.tables import TIER_CHANGES
from serving.tiers.recommending import manager_limit
from serving.tiers.store import State, TierChange, TierStore, change_within, hold_within
from serving.view import View

MAX_REASON = 2_000
SCAN = 200


class Reviewing:
    """Lists recommended changes and records decisions.

    Args:
        view: Gives who manages whom.
        store: Changes.
        clock: Naive UTC time.
        random: Source of random bytes for ids.
    """

    def __init__(
        self,
        view: Callable[[], View],
        *,
        store: TierStore,
        clock: Callable[[], datetime],
        random: Callable[[int], bytes],
    ) -> None:
        self._view, self._store, self._clock, self._random = view, store, clock, random

    def changes(
        self,
        *,
        identity: Identity,
        state: State = "open",
        change: Literal["promote", "demote"] | None = None,
        mine: bool = False,
        limit: int = 50,
        cursor: str | None = None,
    ) -> dict[str, Any]:
        """A page of changes, the oldest first; a channel manager sees those of its own partners.

        Args:
            identity: Who asks.
            state: Which ones.
            change: Only promotions, or only demotions; None: both.
            mine: Only partners of the caller's manager id.
            limit: Most entries.
            cursor: Where the page before ended.
        """
        owner = identity.manager_id if mine else manager_limit(identity)
        owner = (owner or "") if mine else owner
        view, after = self._view(), cursor or ""
        found: list[TierChange] = []
        while len(found) <= limit:
            page = self._store.changes(state=state, after=after, limit=SCAN)
            found += [c for c in page if _visible(view, c, owner) and (change is None or c.change == change)]
            if len(page) < SCAN:
                break
            after = page[-1].change_id
        more = len(found) > limit
        shown = found[:limit]
        return {
            "changes": [change_json(c) for c in shown],
            "next_cursor": shown[-1].change_id if more else None,
        }

    def decide(
        self, change_id: str, decision: Literal["approve", "reject"], *, reason: str, identity: Identity
    ) -> dict[str, Any]:
        """Approve or reject an open change; the same decision twice changes nothing.

        What makes a partner worse off, and every rejection, needs a reason.

        Raises:
            NotFoundError: There is none, or it is of another manager's partner.
            InputError: No reason where one is needed.
            PromotionConflictError: It was decided otherwise, or is no longer recommended.
        """
        change = self._store.change(change_id)
        if not _visible(self._view(), change, manager_limit(identity)):
            raise NotFoundError("There is no such tier change.")
        reason = reason.strip()
        if len(reason) > MAX_REASON or (not reason and (decision == "reject" or change.change == "demote")):
            raise InputError(
                "A decision against a partner, or against a recommendation, needs a reason.",
                allowed=f"1 to {MAX_REASON} characters",
                pointer="/reason",
            )
        wanted: State = "approved" if decision == "approve" else "rejected"
        with self._store.database.write() as connection:
            found = change_within(connection, change_id)
            if found.state == wanted:
                return change_json(found)
            if found.state != "open":
                raise PromotionConflictError(f"The change is {found.state} already.")
            self._record(connection, found, wanted, reason=reason, identity=identity)
        return change_json(self._store.change(change_id))

    def _record(
        self, connection: Any, found: TierChange, state: State, *, reason: str, identity: Identity
    ) -> None:
        now = self._clock()
        values = {"state": state, "decided_at": iso(now), "decided_by": identity.owner, "reason": reason}
        where = (TIER_CHANGES.c.change_id == found.change_id) & (TIER_CHANGES.c.state == "open")
        connection.execute(update(TIER_CHANGES).where(where).values(values))
        if state == "approved":
            hold_within(connection, found)
        detail = {"from": found.from_tier, "to": found.to_tier, "reason": reason}
        audit.append_within(
            connection, at=now, actor=f"{identity.owner} ({identity.key_id})",
            action=f"tier.{state}", object=found.partner_id, detail={**detail, "change": found.change_id},
        )  # fmt: skip
        partners = self._view().partners
        manager = partners.managers.get(found.partner_id) if partners else None
        payload = {"partner_id": found.partner_id, "change_id": found.change_id, "state": state}
        news = outbox.News(
            "tier.changed",
            found.partner_id,
            manager,
            {**payload, "from": found.from_tier, "to": found.to_tier},
        )
        outbox.append_within(connection, [news], at=now, random=self._random)


def change_json(change: TierChange) -> dict[str, Any]:
    """A change as the contract tells it."""
    return {
        "change_id": change.change_id,
        "partner_id": change.partner_id,
        "change": change.change,
        "from_tier": change.from_tier,
        "to_tier": change.to_tier,
        "needs_human_decision": change.change == "demote",
        "state": change.state,
        "opened_at": change.opened_at,
        "reviewed_at": change.reviewed_at,
        "policy_version": change.policy_version,
        "points": change.answer.get("points"),
        "why": list(change.answer.get("why", ())),
        "to_keep": list(change.answer.get("to_keep", ())),
        "decided_at": change.decided_at,
        "decided_by": change.decided_by,
        "reason": change.reason,
    }


def _visible(view: View, change: TierChange, manager_id: str | None) -> bool:
    """Of a partner of that manager; None: all, those that left included."""
    if manager_id is None:
        return True
    managers: Mapping[str, str] = view.partners.managers if view.partners else {}
    return managers.get(change.partner_id) == manager_id
