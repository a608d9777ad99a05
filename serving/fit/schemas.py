"""The envelopes and shapes of fit, as published in the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from serving.schemas import (
    MAX_ROWS,
    Envelope,
    MaxReasons,
    ReasonShape,
    RowErrorShape,
    ScoreShape,
    Shape,
)

LOOSE = (
    "One object: `prospect_id` and any of name, domain, country, region, city, partner_type, motion, "
    "industry, employee_count, annual_revenue_usd, founded_year; further inputs of the model by their names."
)
Name = Annotated[str, Field(min_length=1, max_length=200)]


class FitScoreRequest(Envelope):
    """Score prospects."""

    prospects: Annotated[list[Any], Field(min_length=1, max_length=MAX_ROWS, description=LOOSE)]
    motion: Annotated[Name | None, Field(description="Motion of prospects that name none.")] = None
    max_reasons: MaxReasons = 5


class FitReasonShape(ReasonShape):
    """A reason, with how often recruited partners of such a value succeeded; null with fewer than five."""

    success_rate: float | None
    success_count: int | None


class FitProbabilityShape(ScoreShape):
    """The probability of success within the horizon."""

    reasons: list[FitReasonShape]  # type: ignore[assignment]


class SimilarShape(Shape):
    """A recruited partner like the prospect."""

    partner_id: str
    name: str
    succeeded: bool
    distance: float
    alike: list[str]


class ChangeShape(Shape):
    """One field that can be chosen."""

    field: str
    from_: Annotated[float | str | None, Field(alias="from")]
    to: float | str | None


class PlanShape(Shape):
    """At most two changes, and the score they would give."""

    changes: list[ChangeShape]
    fit_score: int | None
    fit_probability: float | None
    note: str


class CriterionShape(Shape):
    """Points of one criterion of the scorecard."""

    criterion: str
    label: str
    points: float
    of: float
    value: float | str | None


class CheckShape(Shape):
    """One criterion of the vetting policy, and the best verdict it allows."""

    criterion: str
    verdict: Literal["accept", "review", "decline"]
    sentence: str


class VettingShape(Shape):
    """The verdict about an applicant."""

    verdict: Literal["accept", "review", "decline"]
    checks: list[CheckShape]


class FitResultShape(Shape):
    """Everything about one prospect."""

    prospect_id: str
    fit_score: int | None
    fit_score_is: Literal["probability", "scorecard_points"]
    fit_probability: FitProbabilityShape
    outside_experience: bool
    similar_partners: list[SimilarShape]
    most_useful_missing: list[str]
    what_would_change: list[PlanShape]
    scorecard: list[CriterionShape]
    vetting: VettingShape


class FitScoreAnswer(Shape):
    """Answers of the good prospects, faults of the others."""

    results: list[FitResultShape]
    errors: list[RowErrorShape]
