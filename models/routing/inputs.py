"""The inputs of both routing models: the pair, the partner, the lead.

Nearly all effects of a pair are interactions, so all features share one component group.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from models.scorecard import Criterion, Scorecard
from models.spec import Feature

LIKE = "usual here: {peer}"
GROUP = "match"


def _number(
    name: str,
    label: str,
    said: str,
    *,
    sign: int = 0,
    unit: str = "",
    factor: str = "",
    view: str = "",
    actionable: bool = False,
    missing: str = "",
) -> Feature:
    return Feature(
        name,
        group=GROUP,
        factor=factor,
        monotone=sign,
        actionable=actionable,
        label=label,
        unit=unit,
        sentence=f"{said}; {LIKE}.",
        missing=missing or f"Not known: {label}.",
        view=view,
    )


def _flag(name: str, label: str, said: str, *, factor: str = "") -> Feature:
    return Feature(
        name,
        "flag",
        group=GROUP,
        factor=factor,
        monotone=1,
        label=label,
        sentence=f"{said}: {{value}}.",
        missing=f"Whether {said[:1].lower()}{said[1:]} is not known.",
    )


def _category(name: str, label: str, factor: str) -> Feature:
    return Feature(
        name,
        "category",
        group=GROUP,
        factor=factor,
        label=label,
        view="firmographics",
        sentence=f"{label[:1].upper()}{label[1:]} is {{value}}, as for {{peer}} of offers.",
        missing=f"{label[:1].upper()}{label[1:]} is not known.",
    )


def _pair() -> Iterator[Feature]:
    yield _flag("same_country", "same country", "Partner and lead are in one country", factor="geography")
    yield _flag("same_region", "same region", "Partner and lead are in one region", factor="geography")
    yield _flag("same_industry", "same industry", "The partner serves the lead's industry", factor="industry")
    yield _flag(
        "same_industry_services",
        "services in the industry",
        "The partner gives services in the lead's industry",
        factor="industry",
    )
    yield _number("size_gap_log", "difference in size", "Size differs by {value} (log ratio)", factor="size")
    yield _number(
        "size_ratio_log",
        "size of the lead beside the partner",
        "The lead is larger than the partner by {value} (log ratio)",
        factor="size",
    )
    yield _number(
        "product_known_share",
        "products known",
        "The partner has sold {value} of the products asked for",
        missing="How many of the products asked for the partner has sold is not known.",
        sign=1,
        unit="share",
        factor="specialty",
        actionable=True,
    )
    yield _number(
        "product_deal_count",
        "deals in the products",
        "Brought {value} deals in these products in two years",
        sign=1,
        unit="count",
        factor="specialty",
        actionable=True,
    )
    yield _number(
        "product_deal_share",
        "share of the products in its deals",
        "{value} of the partner's deals are in these products",
        sign=1,
        unit="share",
        factor="specialty",
        actionable=True,
    )


def _history() -> Iterator[Feature]:
    yield _number(
        "lead_accept_rate",
        "share of leads accepted",
        "The partner accepts {value} of the leads it is offered",
        sign=1,
        unit="share",
        factor="lead_history",
        actionable=True,
    )
    yield _number(
        "lead_win_rate",
        "share of leads won",
        "The partner wins {value} of the leads it accepts",
        sign=1,
        unit="share",
        factor="lead_history",
        actionable=True,
    )
    yield _number(
        "lead_offer_count_365d",
        "leads offered in a year",
        "Was offered {value} leads in the last 365 days",
        unit="count",
        factor="lead_history",
    )


def _partner() -> Iterator[Feature]:
    active: dict[str, Any] = {"factor": "activity", "view": "engagement"}
    for name, label, said, sign in (
        ("login_count_30d", "portal logins", "Logged in {value} times in the last 30 days", 1),
        ("event_count_30d", "activities", "{value} activities in the last 30 days", 1),
        ("active_users_30d", "active people", "{value} people were active in the last 30 days", 1),
        ("meeting_count_90d", "meetings", "Met {value} times in the last 90 days", 1),
        ("login_trend", "trend of logins", "Trend of logins is {value} (0 is steady)", 0),
        ("days_since_last_event", "days since the last activity", "{value} days since the last activity", -1),
    ):
        yield _number(name, label, said, sign=sign, **active)
    yield from _business()
    yield from _company()


def _business() -> Iterator[Feature]:
    deals: dict[str, Any] = {"factor": "business", "view": "deals"}
    for name, label, said, sign, unit in (
        (
            "registered_count_90d",
            "deals registered",
            "Registered {value} deals in the last 90 days",
            1,
            "count",
        ),
        ("won_count_180d", "deals won", "Won {value} deals in the last 180 days", 1, "count"),
        ("win_rate_365d_share", "win rate", "Won {value} of decided deals in the last 365 days", 1, "share"),
        (
            "days_since_last_won",
            "days since the last won deal",
            "{value} days since the last won deal",
            -1,
            "days",
        ),
    ):
        yield _number(name, label, said, sign=sign, unit=unit, **deals)


def _company() -> Iterator[Feature]:
    yield _number(
        "certified_users_count",
        "certified people",
        "{value} people are certified",
        sign=1,
        factor="enablement",
        view="enablement",
        actionable=True,
    )
    yield _number(
        "training_count_180d",
        "trainings",
        "Completed {value} trainings in the last 180 days",
        sign=1,
        factor="enablement",
        view="enablement",
        actionable=True,
    )
    yield _number(
        "survey_score_mean_365d",
        "mean survey score",
        "Mean survey score of a year is {value} of 10",
        factor="satisfaction",
        view="satisfaction",
    )
    yield _number(
        "employee_count", "employees of the partner", "The partner has {value} employees", factor="size"
    )
    yield _number(
        "partner_age_days", "days as a partner", "Partner for {value} days", unit="days", factor="tenure"
    )
    yield _category("partner_type", "partner type", "partner_type")
    yield _category("motion", "go-to-market motion", "partner_type")
    yield _category("tier", "tier", "tier")


def _lead() -> Iterator[Feature]:
    yield _number(
        "lead_value_usd", "estimated value", "The lead is worth {value} USD", unit="usd", factor="lead"
    )
    yield _number(
        "lead_employee_count", "employees of the lead", "The lead has {value} employees", factor="lead"
    )
    yield _number("lead_product_count", "products asked for", "{value} products are asked for", factor="lead")


FEATURES: tuple[Feature, ...] = (*_pair(), *_history(), *_partner(), *_lead())

RULES = Scorecard(
    criteria=(
        Criterion(feature="product_known_share", label="Specialty", weight=40, low=0, high=1),
        Criterion(feature="same_region", label="Geography", weight=20, low=0, high=1),
        Criterion(feature="same_industry", label="Industry", weight=20, low=0, high=1),
        Criterion(feature="lead_accept_rate", label="Leads accepted", weight=10, low=0.4, high=0.9),
        Criterion(feature="lead_win_rate", label="Leads won", weight=10, low=0.1, high=0.6),
    )
)
"""Scorecard of both models where the mapping gives none: the rules a channel team would write."""
