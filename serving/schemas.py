"""The envelopes of requests and the shapes of answers, as published in the OpenAPI document.

Envelopes are strict. Rows are loose here: a faulty row is an entry under `errors`, found in `serving.rows`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

MAX_ROWS = 1_000


def _whole(value: Any) -> Any:
    """JSON has one kind of number: 5.0 is the integer 5."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


# The converter stands last: before the bounds it would hide them from the document.
Horizon = Annotated[int, Field(ge=1, le=3650), BeforeValidator(_whole)]
Horizons = Annotated[list[Horizon], Field(min_length=1, max_length=10)]
MaxReasons = Annotated[
    int, Field(ge=1, le=20, description="Reasons for and against, each."), BeforeValidator(_whole)
]
LOOSE_ROW = "One object: the entity's id columns, `as_of` (optional), and `features`: {name: value}."


class Envelope(BaseModel):
    """A request body: unknown fields are refused, and nothing is converted from one type to another."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class ChurnScoreRequest(Envelope):
    """Score partners by id, or rows of features; one of the two."""

    # No `examples` here: BentoML, which describes the native verb, does not know the keyword.
    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["partner_ids"]}, {"required": ["rows"]}]}
    )

    partner_ids: Annotated[list[str], Field(min_length=1, max_length=MAX_ROWS)] = Field(
        default_factory=list, description="Known partners; their newest features are used."
    )
    rows: Annotated[list[Any], Field(min_length=1, max_length=MAX_ROWS)] = Field(
        default_factory=list, description=LOOSE_ROW
    )
    horizons_days: Horizons = Field(default_factory=list, description="Default: all the model answers for.")
    max_reasons: MaxReasons = 5

    @model_validator(mode="after")
    def _one_kind(self) -> ChurnScoreRequest:
        if bool(self.partner_ids) == bool(self.rows):
            raise ValueError("give either partner_ids or rows, and not both")
        return self


class ModelScoreRequest(Envelope):
    """Score rows of features with any model, at every horizon it answers for."""

    rows: Annotated[list[Any], Field(min_length=1, max_length=MAX_ROWS, description=LOOSE_ROW)]
    max_reasons: MaxReasons = 5


class ChurnQuery(Envelope):
    """Query parameters of one partner's churn."""

    model_config = ConfigDict(strict=False)

    horizons_days: Horizons = Field(default_factory=list, description="Default: all the model answers for.")
    max_reasons: MaxReasons = 5


class Shape(BaseModel):
    """A part of an answer: exactly these members."""

    model_config = ConfigDict(extra="forbid")


class FieldErrorShape(Shape):
    """One fault: where in the request, and what."""

    pointer: str
    detail: str


class ProblemShape(BaseModel):
    """RFC 9457 problem details."""

    type: str
    title: str
    status: int
    detail: str | None = None
    instance: str | None = None
    errors: list[FieldErrorShape] | None = None


class ReasonShape(Shape):
    """One reason: a business factor, what it did to the score, and the sentence for people."""

    factor: str
    direction: str
    contribution: float
    sentence: str
    value: float | str | bool | None
    peer_value: float | str | bool | None
    as_of: str | None
    stale: bool
    actionable: bool


class ScoreShape(Shape):
    """A score; `baseline + Σ contribution + other_factors` is it on `scale`, to 1e-6."""

    value: float | None
    interval: tuple[float, float] | None
    evidence: Literal["strong", "moderate", "thin", "insufficient"]
    reasons: list[ReasonShape]
    baseline: float
    other_factors: float
    scale: Literal["log_odds", "log_cumulative_hazard", "log_amount"]
    features_as_of: str | None
    stale: bool
    degraded: bool
    warnings: list[str]
    model: str
    model_version: str
    decision_id: str


class ChurnResultShape(Shape):
    """One partner's churn, by horizon in days."""

    partner_id: str
    churn_probability: dict[str, ScoreShape]


class RowErrorShape(BaseModel):
    """A row that was not scored: its number from 0, its id columns as sent, and what is wrong."""

    row: int
    errors: list[FieldErrorShape]


class ChurnScoreAnswer(Shape):
    """Scores of the good rows, faults of the others."""

    results: list[ChurnResultShape]
    errors: list[RowErrorShape]


class ModelResultShape(BaseModel):
    """One row's scores, by horizon in days (`0`: no horizon), beside its id columns."""

    scores: dict[str, ScoreShape]


class ModelScoreAnswer(Shape):
    """Scores of the good rows, faults of the others."""

    results: list[ModelResultShape]
    errors: list[RowErrorShape]


class ModelShape(Shape):
    """One model: what it answers, which version is in service, and how it was judged."""

    name: str
    title: str
    in_service: bool
    version: str | None
    source: Literal["registry", "local", "seed"] | None
    kind: str | None
    manifest_sha256: str | None
    promoted_at: str | None
    entity_id: list[str]
    features: list[str]
    horizons_days: list[int]
    scale: str | None
    trained: dict[str, Any]
    report: dict[str, Any] | None
    faults: list[str]


class ModelsAnswer(Shape):
    """All models."""

    models: list[ModelShape]


class DifferenceShape(Shape):
    """Where a replay differs, and both values."""

    pointer: str
    stored: Any
    replayed: Any


class DecisionAnswer(Shape):
    """Everything needed to make the decision again, and what came of doing so."""

    decision_id: str
    kind: str
    created_at: str
    owner: str
    entity_id: dict[str, str]
    model: str
    model_version: str
    manifest_sha256: str
    matrix_version: str | None
    features_as_of: str | None
    features: dict[str, float | str | None]
    request: dict[str, Any]
    response: dict[str, Any]
    details: dict[str, Any] = Field(default_factory=dict)
    replayed: Literal["identical", "different", "impossible"]
    why: str | None
    differences: list[DifferenceShape]


class HealthAnswer(Shape):
    """Whether the service lives or is ready, and what is not as it should be."""

    status: Literal["ok", "degraded"]
    reasons: list[str]
