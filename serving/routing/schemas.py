"""Requests and answers of routing, as published."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from serving.schemas import Envelope, MaxReasons, RowErrorShape, ScoreShape, Shape, _whole

Text = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
LeadId = Annotated[
    str,
    Field(
        min_length=1,
        max_length=200,
        pattern=r"^[^\x00-\x1f\x7f/]*[^\x00-\x1f\x7f/.][^\x00-\x1f\x7f/]*$",
        description="Yours; without a slash, for it becomes part of a path.",
    ),
]
LongText = Annotated[str, Field(max_length=2000, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]*$")]
Country = Annotated[str, Field(pattern="^[A-Z]{2}$", description="ISO 3166, two letters.")]
Currency = Annotated[str, Field(pattern="^[A-Z]{3}$", description="ISO 4217.")]
Amount = Annotated[str, Field(pattern=r"^\d{1,13}(\.\d{1,2})?$", description='Such as "40000" or "12.50".')]
TopK = Annotated[int, Field(ge=1, le=20, description="Matches to show."), BeforeValidator(_whole)]
Headcount = Annotated[int, Field(ge=0, le=100_000_000), BeforeValidator(_whole)]
Capacity = Annotated[int, Field(ge=0, le=100_000), BeforeValidator(_whole)]
Moment = Annotated[
    str,
    Field(
        pattern=r"^20\d{2}-(0[1-9]|1[0-2])-(0[1-9]|1\d|2[0-8])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?Z$"
        r"|^20\d{2}-(0[1-9]|1[0-2])-(29|30|31)T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?Z$",
        description="RFC 3339, UTC.",
    ),
]


class Money(Envelope):
    """An amount of money."""

    amount: Amount
    currency: Currency


class Contact(Envelope):
    """The person asking: kept apart, never scored, and erasable."""

    name: Text | None = None
    email: Text | None = None
    phone: Text | None = None


class LeadRequest(Envelope):
    """A lead to be routed."""

    lead_id: LeadId
    company: Text | None = None
    domain: Text | None = None
    country: Country | None = None
    region: Text | None = None
    city: Text | None = None
    industry: Text | None = None
    employee_count: Headcount | None = None
    products: Annotated[list[Text], Field(max_length=50)] = Field(default_factory=list)
    required_certifications: Annotated[list[Text], Field(max_length=20)] = Field(default_factory=list)
    estimated_value: Money | None = None
    contact: Contact | None = None
    top_k: TopK = 3
    max_reasons: MaxReasons = 5
    conflict_resolved: bool = Field(
        default=False, description="A person has settled who may claim the account: do not hold the lead."
    )


class ResponseRequest(Envelope):
    """What a partner says to an offer."""

    partner_id: Text
    response: Literal["accepted", "declined"]
    reason: LongText = Field(default="", description="Why it declines.")


class OutcomeRequest(Envelope):
    """What became of an accepted lead."""

    outcome: Literal["won", "lost"]
    value: Money | None = None
    occurred_at: Moment | None = None
    reason: LongText = ""


class AssignRequest(Envelope):
    """Leads to be assigned together; each as in POST /v1/leads/route."""

    leads: Annotated[list[Any], Field(min_length=1, max_length=1_000)]


class RegistrationRequest(Envelope):
    """An account that a partner wants to register."""

    company: Text
    partner_id: Text | None = Field(default=None, description="Who wants to; its own claims are no conflict.")
    domain: Text | None = None
    country: Country | None = None
    city: Text | None = None


class PartnerRequest(Envelope):
    """A person's wishes about a partner's leads; what is left out is taken back."""

    capacity: Capacity | None = None
    paused_until: Moment | None = None
    opted_out: bool = False


class EraseRequest(Envelope):
    """Nothing needs to be said: `{}`."""


class MoneyShape(Shape):
    """An amount of money."""

    amount: str
    currency: str


class MatchShape(Shape):
    """One partner that could get the lead. Without a model the chances are null."""

    partner_id: str
    rank: int
    accept_probability: float | None
    win_probability: ScoreShape | None
    expected_value: MoneyShape | None
    expected_gain: float
    price: float


class ClaimShape(Shape):
    """An open registration of the account."""

    registration_id: str
    partner_id: str
    registered_at: str
    probability: float
    evidence: list[str]


class ConflictShape(Shape):
    """Who claims the account, and why it is thought to be the same."""

    owner: str
    claims: list[ClaimShape]


class FairnessShape(Shape):
    """What went before the best expected gain, and what that cost."""

    bands: list[str]
    cost: float


class RouteAnswer(Shape):
    """A routing decision."""

    lead_id: str
    outcome: Literal["offered", "unassigned", "conflict_hold"]
    code: str = ""
    offered_to: str | None
    respond_by: str | None
    turn: int = 0
    matches: list[MatchShape]
    why: list[str] = Field(default_factory=list)
    excluded_counts: dict[str, int] = Field(default_factory=dict)
    candidate_count: int = 0
    candidates_sha256: str = ""
    propensity: float | None = None
    explored: bool = False
    fairness: FairnessShape | None = None
    by: Literal["model", "rules"] = "rules"
    policy_version: str | None = None
    price_version: str | None = None
    models: dict[str, str] = Field(default_factory=dict)
    conflict: ConflictShape | None = None
    degraded: bool
    warnings: list[str]
    decision_id: str


class OfferShape(Shape):
    """One offer of a lead."""

    partner_id: str
    turn: int
    state: Literal["offered", "accepted", "declined", "expired", "won", "lost"]
    offered_at: str
    respond_by: str
    answered_at: str | None
    reason: str | None
    closed_at: str | None
    propensity: float
    decision_id: str


class LeadAnswer(Shape):
    """Where a lead is, and its history."""

    lead_id: str
    state: Literal["offered", "accepted", "won", "lost", "unassigned", "conflict_hold"]
    code: str | None
    partner_id: str | None
    respond_by: str | None
    reroutes: int
    decision_id: str
    conflict: ConflictShape | None
    value: MoneyShape | None
    closed_at: str | None
    created_at: str
    updated_at: str
    history: list[OfferShape]


class ResponseAnswer(LeadAnswer):
    """The lead after the answer, and the next offer when it goes on."""

    next_offer: RouteAnswer | None


class AssignAnswer(Shape):
    """Decisions about the good leads, faults of the others."""

    results: list[RouteAnswer]
    errors: list[RowErrorShape | dict[str, Any]]
    assigned_count: int
    held_count: int


class RegistrationAnswer(Shape):
    """Whether the account is claimed by somebody else."""

    conflict: bool
    owner: str | None
    claims: list[ClaimShape]
    registrations_checked: int


class PartnerAnswer(Shape):
    """A person's wishes about a partner's leads."""

    partner_id: str
    capacity: int | None
    paused_until: str | None
    opted_out: bool


class ErasedAnswer(Shape):
    """What names a person is gone; decisions verify as before."""

    lead_id: str
    erased: bool


class ReportQuery(Envelope):
    """The time a report is about."""

    since: Annotated[
        str | None,
        Field(max_length=40, description="First day, 2026-01-31; a year back when not given.",
              json_schema_extra={"format": "date"}),
    ] = None  # fmt: skip


class AnswersShape(Shape):
    """How offers were answered; null where too few were."""

    states: dict[str, int]
    accepted_share: float | None
    in_time_share: float | None
    median_hours: float | None


class ExposureShape(Shape):
    """First offers to partners of one group; null where too few were answered, or partners are not known."""

    value: str
    partners: int | None
    partner_share: float | None
    partners_reached: int
    offers: int
    share: float
    accepted_share: float | None
    won: int


class FairnessCostShape(Shape):
    """What a policy gave up of the expected gain for bands and relationships: wins, or US dollars."""

    policy_version: str
    objective: Literal["wins", "value"]
    offers: int
    moved: int
    gain_given_up: float


class ReportAnswer(Shape):
    """How the offers of this service were spread, answered and kept in time."""

    since: str
    until: str
    offers: int
    leads: int
    answers: AnswersShape
    exposure: dict[Literal["tier", "region", "size"], list[ExposureShape]]
    fairness: list[FairnessCostShape]
    least_known: int
