"""The inputs of the potential: sign, factor and sentence of every partner feature.

A sign is given only where it holds with the other features fixed. The tier held is no input.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from models.spec import Feature

USUAL = "usual for partners like this one: {peer}"


def _number(
    name: str, label: str, told: str, *, sign: int = 0, unit: str = "count", **shared: Any
) -> Feature:
    return Feature(
        name, monotone=sign, label=label, unit=unit, sentence=f"{told}; {USUAL}.",
        missing=f"Nothing is known about {label}; {USUAL}.", **shared,
    )  # fmt: skip


def _over(stem: str, days: tuple[int, ...], did: str, label: str, **shared: Any) -> Iterator[Feature]:
    unit = shared.pop("unit", "count")
    for n in days:
        told = f"{did} in the last {n} days"
        yield _number(f"{stem}_{unit}_{n}d", f"{label}, last {n} days", told, unit=unit, **shared)


def _revenue() -> Iterator[Feature]:
    own: dict[str, Any] = {"group": "revenue", "factor": "past_revenue", "view": "deals"}
    rhythm = {**own, "factor": "order_rhythm"}
    value = "Won deals worth {value} USD"
    yield from _over("won_amount", (90, 180, 365), value, "value won", sign=1, unit="usd", **own)
    yield from _over("won_margin", (90, 365), "Earned {value} USD of margin", "margin", unit="usd", **own)
    yield from _over("won", (90, 180, 365), "Won {value} deals", "won deals", **rhythm)
    yield _number(
        "won_days_180d", "days with a won deal", "Won on {value} of 180 days", unit="days", **rhythm
    )
    yield _number(
        "days_since_last_won", "the last won deal", "Won its last deal {value} days ago", sign=-1,
        unit="days", **rhythm,
    )  # fmt: skip
    yield _number(
        "won_overdue_ratio", "how overdue the next won deal is",
        "The wait for the next won deal is {value} times the partner's own long gap", unit="ratio", **rhythm,
    )  # fmt: skip
    yield _number(
        "won_gap_median_days", "the usual gap between won deals", "Usually wins every {value} days",
        unit="days", **rhythm,
    )  # fmt: skip
    yield _number(
        "won_amount_trend", "the trend of value won", "The trend of value won is {value} (0 is steady)",
        unit="log ratio", **{**own, "factor": "revenue_trend"},
    )  # fmt: skip
    yield _number(
        "win_rate_365d_share", "the win rate", "Won {value} of decided deals in the last 365 days",
        unit="share", **{**own, "factor": "win_rate"},
    )  # fmt: skip
    yield _number(
        "won_product_count_365d", "products sold", "Sold {value} products in the last 365 days",
        **{**own, "factor": "product_breadth"},
    )  # fmt: skip


def _pipeline() -> Iterator[Feature]:
    own: dict[str, Any] = {
        "group": "pipeline", "factor": "pipeline", "actionable": True, "view": "deals", "sign": 1,
    }  # fmt: skip
    yield from _over("registered", (30, 90, 180), "Registered {value} deals", "deal registrations", **own)
    yield _number(
        "days_since_last_registration", "the last deal registration",
        "Registered its last deal {value} days ago", unit="days", **{**own, "sign": -1},
    )  # fmt: skip


def _engagement() -> Iterator[Feature]:
    own: dict[str, Any] = {
        "group": "engagement", "factor": "portal_activity", "actionable": True, "view": "engagement",
    }  # fmt: skip
    yield from _over("login", (30, 90, 180), "Logged in {value} times", "portal logins", sign=1, **own)
    yield from _over("content", (90,), "Downloaded content {value} times", "content downloads", sign=1, **own)
    meetings = {**own, "factor": "meetings"}
    yield from _over("meeting", (90, 180), "Met {value} times", "meetings", sign=1, **meetings)
    yield _number(
        "active_users_90d", "active people", "{value} people were active in the last 90 days", sign=1,
        **{**own, "factor": "active_users"},
    )  # fmt: skip
    yield _number(
        "days_since_last_login", "the last portal login", "Logged in last {value} days ago", sign=-1,
        unit="days", **own,
    )  # fmt: skip
    yield _number("login_trend", "the trend of logins", "The trend of logins is {value} (0 is steady)",
                  unit="log ratio", **own)  # fmt: skip


def _capability() -> Iterator[Feature]:
    own: dict[str, Any] = {
        "group": "capability", "factor": "certifications", "actionable": True, "view": "enablement",
        "sign": 1,
    }  # fmt: skip
    yield _number("certified_users_count", "certified people", "{value} people are certified", **own)
    yield _number("certifications_active_count", "certificates", "{value} certificates are valid", **own)
    yield from _over(
        "training", (90, 180), "Completed {value} trainings", "trainings", **{**own, "factor": "training"}
    )


def _customers() -> Iterator[Feature]:
    own: dict[str, Any] = {"group": "customer_success", "factor": "satisfaction", "view": "satisfaction"}
    yield _number("survey_score_latest", "the latest survey", "Answered the latest survey with {value} of 10",
                  sign=1, unit="points", **own)  # fmt: skip
    yield _number("survey_score_mean_365d", "surveys of a year", "Answered surveys with {value} of 10",
                  sign=1, unit="points", **own)  # fmt: skip
    support = {**own, "factor": "support"}
    yield from _over("ticket", (90,), "Opened {value} support tickets", "support tickets", **support)


def _context() -> Iterator[Feature]:
    size: dict[str, Any] = {"factor": "size", "view": "firmographics"}
    tenure = {**size, "factor": "tenure"}
    yield _number("employee_count", "employees", "Has {value} employees", **size)
    yield _number(
        "annual_revenue_usd", "company revenue", "Its own revenue is {value} USD", unit="usd", **size
    )
    yield _number(
        "company_age_years", "age of the company", "Founded {value} years ago", unit="years", **tenure
    )
    yield _number("partner_age_days", "time as a partner", "Partner for {value} days", unit="days", **tenure)
    factors = {"country": "region", "region": "region", "partner_type": "partner_type",
               "industry": "industry", "motion": "partner_type"}  # fmt: skip
    for name, factor in factors.items():
        label = name.replace("_", " ")
        yield Feature(
            name, "category", factor=factor, label=label, view="firmographics",
            sentence=f"{label.capitalize()} is {{value}}, as for {{peer}} of partners like this one.",
            missing=f"{label.capitalize()} is not known.",
        )  # fmt: skip


FEATURES: tuple[Feature, ...] = (
    *_revenue(), *_pipeline(), *_engagement(), *_capability(), *_customers(), *_context(),
)  # fmt: skip
