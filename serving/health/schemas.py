"""The envelopes and shapes of health, alerts, events and webhooks, as published in the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field

from serving.schemas import MAX_ROWS, Envelope, ReasonShape, RowErrorShape, Shape

Text = Annotated[str, Field(min_length=1, max_length=2000)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
# Formats are for the document; the values are read, and refused, by the routes.
Day = Annotated[str, Field(max_length=40, description="2026-12-24.", json_schema_extra={"format": "date"})]
Moment = Annotated[
    str, Field(max_length=40, description="RFC 3339, UTC.", json_schema_extra={"format": "date-time"})
]


def _number(value: Any) -> Any:
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value


Limit = Annotated[int, Field(ge=1, le=500), BeforeValidator(_number)]


def _flag(value: Any) -> Any:
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value


Flag = Annotated[bool, BeforeValidator(_flag)]


class AlertsQuery(Envelope):
    """Which alerts."""

    state: Literal["open", "acknowledged", "snoozed", "closed", "all"] = "open"
    mine: Flag = False
    manager: Name | None = None
    region: Name | None = None
    partner_id: Annotated[str, Field(min_length=1, max_length=1000)] | None = None
    limit: Limit = 50
    cursor: Annotated[str, Field(min_length=1, max_length=400)] | None = None


class AsOfQuery(Envelope):
    """The queue of a day, at its end, or of a moment."""

    date: Annotated[
        str,
        Field(
            max_length=40,
            description="A date; a time in RFC 3339, UTC, is understood, too.",
            json_schema_extra={"format": "date"},
        ),
    ]
    state: Literal["open", "acknowledged", "snoozed", "closed", "all"] = "open"
    mine: Flag = False
    manager: Name | None = None


class DigestQuery(Envelope):
    """The weekly digest as a page or as a table."""

    format: Literal["html", "csv"] = "html"
    manager: Name | None = None


class Nothing(Envelope):
    """An empty object."""


class AssignRequest(Envelope):
    """Give an alert to somebody."""

    assignee: Name


class SnoozeRequest(Envelope):
    """Put an alert off until a day; it returns once if it is still true."""

    until: Day
    reason: Text


class CloseRequest(Envelope):
    """Close an alert with what it came to; it becomes a label of the next training."""

    outcome: Literal["true_risk", "false_alarm", "already_known", "saved", "lost", "not_actionable"]
    note: Annotated[str, Field(max_length=2000)] = ""


class OverrideRequest(Envelope):
    """Declare a partner to be at risk, or not to be, until a moment."""

    state: Literal["at_risk", "ok"]
    reason: Text
    expires_at: Moment


class MoneyShape(Shape):
    """An amount."""

    amount: str
    currency: str


class AlertShape(Shape):
    """One alert, with what was known at the last refresh."""

    model_config = ConfigDict(extra="allow")

    alert_id: str
    partner_id: str
    kind: Literal["risk", "manual", "feed"]
    status: Literal["open", "acknowledged", "snoozed", "closed"]
    state: Literal["ok", "watch", "at_risk", "recovering"]
    manager_id: str | None
    region: str | None
    opened_at: str
    suggested_play: str
    due_on: str | None
    assignee: str | None
    driver: str
    outcome: str | None
    data_age_hours: float | None
    churn_probability_90: float | None = None
    decision_id: str | None = None
    margin_at_risk: MoneyShape | None = None
    reasons: list[ReasonShape] = Field(default_factory=list)


class AlertsAnswer(Shape):
    """One page of the queue."""

    alerts: list[AlertShape]
    next_cursor: str | None
    refreshed_at: str | None


class AsOfAnswer(Shape):
    """The queue as it was."""

    as_of: str
    alerts: list[AlertShape]
    refreshed_at: str | None


class ComponentShape(Shape):
    """Points of one component."""

    component: str
    points: float
    stale_source: bool


class HealthShape(Shape):
    """The health of a partner: start_points + components + context = health_points, cut to 0–100."""

    model_config = ConfigDict(extra="allow")

    partner_id: str
    health_score: int
    health_points: float
    start_points: float
    components: list[ComponentShape]
    context: ComponentShape | None
    trend: Literal["improving", "steady", "declining", "not_enough_information"]
    changed_since: dict[str, Any] | None
    history: list[dict[str, Any]]
    churn_probability_90: float | None
    model_version: str


class OverrideShape(Shape):
    """A person's value beside the model's."""

    override_id: str
    partner_id: str
    value: dict[str, Any]
    model_value: dict[str, Any]
    author: str
    reason: str
    created_at: str
    expires_at: str
    withdrawn_at: str | None


class EventsRequest(Envelope):
    """Engagement events: one object for each, with the columns of the `events` table."""

    events: Annotated[
        list[Any],
        Field(
            min_length=1, max_length=MAX_ROWS,
            description="Objects with event_id, partner_id, event_type, event_at and, optionally, known_at, "
            "user_id, source, quantity. The same event sent twice is kept once.",
        ),
    ]  # fmt: skip


class EventsAnswer(Shape):
    """What became of the events."""

    accepted: int
    repeated: int
    errors: list[RowErrorShape]


class PullQuery(Envelope):
    """Events after a place; keep `next_after` for the next call."""

    after: Annotated[int, Field(ge=0, le=2**53 - 1), BeforeValidator(_number)] = 0
    limit: Limit = 100
    type: Name | None = None


class ToldShape(Shape):
    """One thing that happened."""

    id: str
    seq: int
    type: str
    timestamp: str
    data: dict[str, Any]


class PullAnswer(Shape):
    """Events, oldest first."""

    events: list[ToldShape]
    next_after: int


class WebhookRequest(Envelope):
    """Where to tell what."""

    url: Annotated[str, Field(min_length=1, max_length=2000)]
    types: Annotated[list[Name], Field(max_length=20)] = Field(
        default_factory=list, description="Event types such as alert.opened; none: all."
    )
    manager_id: Name | None = None


class WebhookShape(Shape):
    """A registration; the secret is shown when it is made or rotated, and never again."""

    webhook_id: str
    url: str
    types: list[str]
    manager_id: str | None
    created_at: str
    disabled_at: str | None
    secret: str | None = None


class WebhooksAnswer(Shape):
    """Registrations."""

    webhooks: list[WebhookShape]


class DeliveryShape(Shape):
    """One delivery: what became of it, and when it is tried again."""

    event_id: str
    seq: int
    state: Literal["waiting", "delivered", "dead"]
    attempts: int
    next_at: str | None
    status: int | None
    error: str


class DeliveriesAnswer(Shape):
    """A registration with its newest deliveries; `dead` ones were given up."""

    webhook: WebhookShape
    deliveries: list[DeliveryShape]
