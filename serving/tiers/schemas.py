"""Shapes of tiers over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from serving.schemas import RowErrorShape, ScoreShape, Shape

Reason = Annotated[str, Field(max_length=2000, pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$")]
PartnerId = Annotated[str, Field(min_length=1, max_length=200)]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")


class RecommendRequest(_Asked):
    """Partners to recommend a tier for."""

    partner_ids: list[PartnerId] = Field(min_length=1, max_length=1000)
    max_reasons: int = Field(default=5, ge=1, le=20)


class DecisionRequest(_Asked):
    """A person's decision; a reason is needed against a partner and for every rejection."""

    reason: Reason = ""


class RejectRequest(_Asked):
    """A person's decision against a recommendation, with the reason."""

    reason: Annotated[Reason, Field(min_length=1)]


class OverrideRequest(_Asked):
    """A tier to be held for a while whatever is recommended."""

    tier: str = Field(min_length=1, max_length=200)
    reason: Annotated[Reason, Field(min_length=1)]
    expires_at: datetime

    @field_validator("expires_at")
    @classmethod
    def _within_reach(cls, value: datetime) -> datetime:
        if not 2000 <= value.year <= 2200:
            raise ValueError("the year must lie between 2000 and 2200")
        return value


class WithdrawRequest(_Asked):
    """Nothing to say: the audit log records who took it back."""


class SimulateRequest(_Asked):
    """Rules to try."""

    policy: dict[str, Any]


class PartnerQuery(_Asked):
    """Query of one partner's tier."""

    max_reasons: int = Field(default=5, ge=1, le=20)


class ChangesQuery(_Asked):
    """Which changes."""

    state: Literal["open", "approved", "rejected", "lapsed"] = "open"
    change: Literal["promote", "demote"] | None = None
    mine: bool = False
    limit: int = Field(default=50, ge=1, le=200)
    cursor: Annotated[str | None, Field(pattern=r"^tch_[0-9A-HJKMNP-TV-Z]{26}$")] = None


class PointsShape(Shape):
    """Points now with their 80 % range, and averaged over the last reviews."""

    now: float
    interval: tuple[float, float]
    smoothed: float
    smoothed_low: float
    reviews: int


class CategoryShape(Shape):
    """Points of a category."""

    category: str
    points: float
    of: float


class MeasureShape(Shape):
    """What one figure earned."""

    feature: str
    label: str
    have: float | None
    points: float
    of: float
    unit: str


class NeedShape(Shape):
    """One missing thing: every `gate` and `category`, and `points` by one `any_of` or all `all_of`."""

    kind: Literal["gate", "category", "points", "any_of", "all_of"]
    requirement: str
    label: str
    have: float | None
    need: float
    unit: str


class TierOverrideShape(Shape):
    """A tier a person set, beside what was recommended then."""

    override_id: str
    tier: str
    model_tier: str | None
    reason: str
    author: str
    created_at: str
    expires_at: str
    withdrawn_at: str | None


class WithheldShape(Shape):
    """Why something is not said: a code for machines, a sentence for people."""

    code: str
    reason: str


class BenchmarkShape(Shape):
    """One figure of a partner among its peers, or why it is withheld."""

    metric: str
    label: str
    kind: Literal["money", "count", "share", "score"]
    unit: str
    value: float | None
    peer_group: dict[str, str] | None
    peers_at_least: int | None
    percentile: int | None
    quarters: list[float] | None
    withheld: WithheldShape | None


class BenchmarksAnswer(Shape):
    """A partner among its peers, by the last release."""

    partner_id: str
    released_as_of: str | None
    benchmarks: list[BenchmarkShape]
    warnings: list[str]


class TierResultShape(Shape):
    """A recommendation."""

    partner_id: str
    current_tier: str
    recommended_tier: str | None
    change: Literal["promote", "keep", "watch", "demote", "none"]
    withheld: WithheldShape | None
    needs_human_decision: bool
    points: PointsShape
    categories: list[CategoryShape]
    measures: list[MeasureShape]
    why: list[str]
    next_tier: str | None
    gap_to_next: list[NeedShape]
    chance_of_next: float | None
    to_keep: list[NeedShape]
    reviews_below: int
    protected: bool
    potential: ScoreShape | None
    policy: str
    policy_version: int
    features_as_of: str | None
    stale: bool
    degraded: bool
    warnings: list[str]
    model: str | None
    model_version: str | None
    decision_id: str
    override: TierOverrideShape | None


class RecommendAnswer(Shape):
    """Recommendations, and the partners that are not there."""

    results: list[TierResultShape]
    errors: list[RowErrorShape]


class TierChangeShape(Shape):
    """A recommended change and what became of it."""

    change_id: str
    partner_id: str
    change: Literal["promote", "demote"]
    from_tier: str
    to_tier: str
    needs_human_decision: bool
    state: Literal["open", "approved", "rejected", "lapsed"]
    opened_at: str
    reviewed_at: str
    policy_version: int
    points: PointsShape | None
    why: list[str]
    to_keep: list[NeedShape]
    decided_at: str | None
    decided_by: str | None
    reason: str | None


class ChangesAnswer(Shape):
    """A page of changes."""

    changes: list[TierChangeShape]
    next_cursor: str | None


class PartnerOverrideAnswer(TierOverrideShape):
    """An override with its partner."""

    partner_id: str


class MoneyShape(Shape):
    """An amount."""

    amount: str
    currency: str


class EffectShape(Shape):
    """What a change of rules does to one part of the partners."""

    trait: str
    value: str
    partners: int
    up: int
    down: int


class MoveShape(Shape):
    """A partner that would move."""

    partner_id: str
    held: str | None
    now: str
    new: str
    points_now: float
    points_new: float
    up: bool


class SimulateAnswer(Shape):
    """Who would move under other rules."""

    policy_version: int
    basis: str
    partners: int
    up: int
    down: int
    counts_now: dict[str, int]
    counts_new: dict[str, int]
    benefits_now: MoneyShape
    benefits_new: MoneyShape
    effects: list[EffectShape]
    moves: list[MoveShape]
