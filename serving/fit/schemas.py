"""The envelopes and shapes of fit, as published in the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from serving.schemas import (
    MAX_ROWS,
    Envelope,
    MaxReasons,
    ReasonShape,
    RowErrorShape,
    ScoreShape,
    Shape,
    _whole,
)

LOOSE = (
    "One object: `prospect_id` and any of name, domain, country, region, city, partner_type, motion, "
    "industry, employee_count, annual_revenue_usd, founded_year; further inputs of the model by their names."
)
Sort = Literal[
    "rank", "line", "company", "country", "fit_score", "probability",
    "-rank", "-line", "-company", "-country", "-fit_score", "-probability",
]  # fmt: skip
Cursor = Annotated[str | None, Field(pattern=r"^\d{1,9}$", description="As the page before gave it.")]
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


class MoneyShape(Shape):
    """An amount of money."""

    amount: str
    currency: str


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
    expected_value: MoneyShape | None
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


class ConfirmRequest(Envelope):
    """Score a list under a mapping; without one, under the mapping shown."""

    mapping: Annotated[dict[Name, Name] | None, Field(description="Field → column.")] = None
    motion: Name | None = None


class DryRunRequest(Envelope):
    """Say what would become of every row under a mapping; without one, under the mapping shown."""

    mapping: Annotated[dict[Name, Name] | None, Field(description="Field → column.")] = None


class OutcomeIn(Envelope):
    """What came of one prospect."""

    prospect_id: Name
    succeeded: bool


class OutcomesRequest(Envelope):
    """What came of prospects of a list."""

    outcomes: Annotated[list[OutcomeIn], Field(min_length=1, max_length=10_000)]


class OverrideRequest(Envelope):
    """A person's word beside the model's rank."""

    prospect_id: Name
    value: Literal["strategic", "accepted", "rejected"]
    reason: Annotated[str, Field(min_length=1, max_length=2_000)]
    expires_at: Annotated[
        str,
        Field(max_length=40, description="RFC 3339, or a date.", json_schema_extra={"format": "date-time"}),
    ]


class PageQuery(Envelope):
    """Which rows of a list, in which order."""

    model_config = ConfigDict(strict=False)

    sort: Sort = "rank"
    search: Annotated[str, Field(max_length=200)] = ""
    status: Literal["ranked", "existing_partner", "duplicate", "fault"] | None = None
    evidence: Literal["strong", "moderate", "thin", "insufficient"] | None = None
    verdict: Literal["accept", "review", "decline"] | None = None
    country: Annotated[str | None, Field(max_length=10)] = None
    partner_type: Annotated[str | None, Field(max_length=200)] = None
    motion: Annotated[str | None, Field(max_length=200)] = None
    limit: Annotated[int, Field(ge=1, le=500), BeforeValidator(_whole)] = 50
    cursor: Cursor = None


class ListsQuery(Envelope):
    """A page of lists."""

    model_config = ConfigDict(strict=False)

    limit: Annotated[int, Field(ge=1, le=200), BeforeValidator(_whole)] = 50
    cursor: Cursor = None


class ExportQuery(Envelope):
    """Format and rows of an export."""

    model_config = ConfigDict(strict=False)

    format: Literal["csv", "xlsx", "parquet"] = "csv"
    rows: Literal["all", "ranked", "existing_partner", "duplicate", "fault"] = "all"


class LiftQuery(Envelope):
    """The rank a prospect should reach."""

    model_config = ConfigDict(strict=False)

    rank: Annotated[int, Field(ge=1, le=1_000_000), BeforeValidator(_whole)]


class ListShape(BaseModel):
    """A list: where it came from, what became of its rows, which models ranked it."""

    list_id: str
    name: str
    state: Literal["draft", "checking", "scoring", "ready"]
    needs_mapping: str | None
    created_at: str
    scored_at: str | None
    motion: str | None
    columns: list[str]
    mapping: dict[str, str]
    counts: dict[str, int | None]
    notes: list[str]
    models: dict[str, dict[str, str]]
    ranked_by: dict[str, int] | None
    job: str | None


class DraftShape(ListShape):
    """A list with what a dry run found."""

    dry_run: dict[str, Any] | None = None


class ListsAnswer(Shape):
    """Lists, newest first."""

    lists: list[ListShape]
    next_cursor: str | None


class ListPageAnswer(Shape):
    """Rows of a list."""

    rows: list[dict[str, Any]]
    total: int
    next_cursor: str | None
    list: ListShape


class JobShape(Shape):
    """How far long work is."""

    job_id: str
    kind: str
    state: Literal["queued", "running", "done", "failed"]
    done: int
    total: int
    message: str
    result: dict[str, Any]
    created_at: str
    updated_at: str


class OutcomesAnswer(Shape):
    """How many outcomes were kept, and which prospects the list does not rank."""

    accepted: int
    unknown: list[str]


class OverrideShape(Shape):
    """An override."""

    override_id: str
    value: str
    model_value: dict[str, Any]
    author: str
    reason: str
    created_at: str
    expires_at: str
    withdrawn_at: str | None


class LiftAnswer(Shape):
    """What would take a prospect to a rank; no plan when nothing that can be chosen does."""

    prospect_id: str
    rank: int
    rank_wanted: int
    probability_needed: float | None
    plans: list[PlanShape]
    best_that_can_be_chosen: PlanShape | None


class ListProspectAnswer(BaseModel):
    """A ranked row with everything about the prospect."""

    prospect_id: str
    rank: int
    answer: dict[str, Any]
    same_model_as_ranked: bool


class ListReportAnswer(Shape):
    """What came of a list."""

    list_id: str
    models: dict[str, dict[str, str]]
    scored_at: str | None
    outcomes: dict[str, Any]
    selection: list[dict[str, Any]]
    overrides: dict[str, Any]
