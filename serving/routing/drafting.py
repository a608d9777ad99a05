"""From a lead and what is ready to a decision that is not kept yet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from models.routing.eligibility import Standing, capacities
from models.routing.settings import RoutingSettings
from serving.ids import new_id
from serving.routing.deciding import Decided, Parts, Scored, Situation, decide
from serving.routing.feed import Ready
from serving.routing.lead import Lead
from serving.routing.registrations import Account, Claimed
from serving.routing.telling import moment
from serving.settings import ServingSettings

NO_FEATURES = "No partner features could be loaded."
OLD_FEATURES = "The last-known partner features have expired; leads go by rules."
DOWN = "The feature store cannot be reached; the last-known features were used."
NO_RATE = "The models do not know the lead's value: routing.usd_rates has no rate for its currency."
NO_MODEL = "No routing model is in service; leads go by rules."


@dataclass(frozen=True)
class Draft:
    """A decision and everything it was made from."""

    parts: Parts
    situation: Situation
    decided: Decided

    @property
    def capacity(self) -> int:
        """Leads the chosen partner can work on at once."""
        place = self.decided.choice.position
        if place is None:
            return 0
        return int(capacities(self.parts.policy, self.parts.block.roster, self.situation.standing)[place])


@dataclass(frozen=True)
class Wanted:
    """What is asked for one lead.

    Attributes:
        lead: The lead.
        top_k: Matches to show.
        max_reasons: Reasons in each direction.
        turn: 0 for the first offer.
        had: Partners that had it.
        resolved: Whether a person has settled who may claim the account.
        row: Its place in a batch.
    """

    lead: Lead
    top_k: int = 3
    max_reasons: int = 5
    turn: int = 0
    had: tuple[str, ...] = ()
    resolved: bool = False
    row: int = 0


class Drafter:
    """Makes drafts.

    Args:
        settings: Of routing.
        serving: Of the service.
        random: Source of random bytes for ids.
    """

    def __init__(
        self, settings: RoutingSettings, serving: ServingSettings, *, random: Callable[[int], bytes]
    ) -> None:
        self._settings, self._serving, self._random = settings, serving, random

    def claims(self, ready: Ready, account: Account, *, now: datetime) -> list[Claimed]:
        """Open registrations of the account."""
        settings = self._settings
        return ready.registrations.claims(
            account, least=settings.match_least, at=now, days=settings.registration_days
        )

    def new_id(self, now: datetime) -> str:
        """An id for a decision."""
        return new_id("dec", at=now, random=self._random)

    def parts(self, ready: Ready, lead_id: str, *, now: datetime) -> Parts | None:
        """What a decision about a lead is made with; None without any partner."""
        if ready.block is None:
            return None
        version, policy = ready.policy_for(lead_id)
        accept, win = ready.accept, ready.win
        if accept is None or win is None or ready.expired(now, hours=self._serving.snapshot_max_age_hours):
            accept = win = None
        priced = policy.use_bid_prices and accept is not None and version == ready.in_force.version
        prices = (ready.prices, ready.price_version) if priced else ({}, 0)
        return Parts(ready.block, policy, version, accept, win, *prices)

    def situation(
        self, ready: Ready, parts: Parts, wanted: Wanted, standing: Standing, *, now: datetime,
        preferred: Sequence[str] = (), assigned: str | None = None,
    ) -> Situation:  # fmt: skip
        """What else it depends on."""
        degraded, warnings = self._trouble(ready, parts, now=now)
        if wanted.lead.value_cents is not None and wanted.lead.value_usd is None and parts.accept is not None:
            warnings += (NO_RATE,)
        return Situation(
            lead=wanted.lead,
            turn=wanted.turn,
            had=wanted.had,
            now=now,
            standing=standing,
            preferred=tuple(preferred),
            top_k=wanted.top_k,
            max_reasons=wanted.max_reasons,
            decision_id=self.new_id(now),
            assigned=assigned,
            degraded=degraded,
            warnings=warnings,
            stale_views=ready.stale_views,
            stale_features=ready.stale_features,
            stale_before=moment(now - timedelta(hours=self._serving.stale_after_hours)) or "",
        )

    def draft(self, parts: Parts, situation: Situation, scored: Scored | None = None) -> Draft:
        """Decide."""
        return Draft(parts, situation, decide(parts, situation, scored))

    def _trouble(self, ready: Ready, parts: Parts, *, now: datetime) -> tuple[bool, tuple[str, ...]]:
        """Whether something is missing that should be there, and what."""
        told = []
        if ready.expired(now, hours=self._serving.snapshot_max_age_hours):
            told.append(OLD_FEATURES)
        elif ready.degraded and not ready.fault:
            told.append(DOWN)
        if ready.accept is None or ready.win is None:
            told.append(NO_MODEL)
        if ready.fault:
            told.append(f"{ready.fault[:1].upper()}{ready.fault[1:]}; the last-known ones were used.")
        return bool(told) or parts.accept is None, tuple(told)


def nobody(wanted: Wanted, decision_id: str) -> dict[str, object]:
    """The answer where nothing is known of any partner."""
    return {
        "lead_id": wanted.lead.lead_id, "outcome": "unassigned", "code": "no_partners", "offered_to": None,
        "respond_by": None, "turn": wanted.turn, "matches": [], "why": [], "excluded_counts": {},
        "candidate_count": 0, "propensity": None, "explored": False, "by": "rules", "degraded": True,
        "warnings": [NO_FEATURES], "decision_id": decision_id,
    }  # fmt: skip
