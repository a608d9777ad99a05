"""The inputs of the churn model: sign, factor and sentence of every partner feature.

A sign is given only where it holds with the other features fixed. The longest windows are free: with the
last 90 days fixed, more logins half a year ago mean a decline as well as a busy partner.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from models.spec import Feature

LIKE = "partners like this one: {peer}"


def _windows(
    stem: str,
    days: tuple[int, ...],
    *,
    did: str,
    label: str,
    free: tuple[int, ...] = (180, 365),
    **shared: Any,
) -> Iterator[Feature]:
    """One count or amount over several windows: `{did} {value} … in the last N days`."""
    unit = shared.pop("unit", "count")
    suffix = "" if unit == "usd" else "_count"
    given_sign = shared.pop("monotone", -1)
    for n in days:
        name = f"{stem}_usd_{n}d" if unit == "usd" else f"{stem}{suffix}_{n}d"
        yield Feature(
            name,
            monotone=0 if n in free else given_sign,
            label=f"{label}, last {n} days",
            unit=unit,
            sentence=f"{did} in the last {n} days; {LIKE}.",
            missing=f"No data on {label} for the last {n} days; {LIKE}.",
            **shared,
        )


def _since(name: str, what: str, *, sign: int = 1, **shared: Any) -> Feature:
    """Days since something last happened; missing means it never did, or the feed is silent."""
    return Feature(
        name,
        monotone=sign,
        label=f"days since {what}",
        unit="days",
        sentence=f"{{value}} days since {what}; {LIKE}.",
        missing=f"No {what.removeprefix('the ')} is on record; {LIKE} days ago.",
        **shared,
    )


def _one(name: str, label: str, sentence: str, *, sign: int = 0, unit: str = "", **shared: Any) -> Feature:
    """A single number with its own sentence."""
    return Feature(
        name,
        monotone=sign,
        label=label,
        unit=unit,
        sentence=f"{sentence}; {LIKE}.",
        missing=f"No data on {label}; {LIKE}.",
        **shared,
    )


def _category(name: str, label: str, factor: str) -> Feature:
    return Feature(
        name,
        "category",
        factor=factor,
        label=label,
        sentence=f"{label.capitalize()} is {{value}}, as for {{peer}} of partners like this one.",
        missing=f"{label.capitalize()} is not known.",
        view="firmographics",
    )


def _engagement() -> Iterator[Feature]:
    portal: dict[str, Any] = {
        "group": "engagement",
        "factor": "portal_activity",
        "actionable": True,
        "view": "engagement",
    }
    content: dict[str, Any] = {**portal, "factor": "content_use"}
    yield from _windows(
        "login", (7, 30, 90, 180), did="Logged in {value} times", label="portal logins", **portal
    )
    yield _since("days_since_last_login", "the last portal login", **portal)
    yield _one(
        "login_trend", "trend of logins", "Trend of logins is {value} (0 is steady)", sign=-1, **portal
    )
    yield from _windows(
        "content", (30, 90), did="Downloaded content {value} times", label="content downloads", **content
    )
    yield from _windows(
        "email", (30, 90), did="Opened or clicked {value} e-mails", label="e-mail opens and clicks", **content
    )
    meetings: dict[str, Any] = {**portal, "factor": "meetings"}
    yield from _windows("meeting", (90, 180), did="Met {value} times", label="meetings", **meetings)
    overall: dict[str, Any] = {**portal, "factor": "activity"}
    users: dict[str, Any] = {**portal, "factor": "active_users"}
    yield from _windows("event", (30, 90), did="{value} activities", label="activities", **overall)
    for n in (30, 90):
        yield _one(
            f"active_days_{n}d", f"active days, last {n} days",
            f"Active on {{value}} of the last {n} days", sign=-1, unit="days", **overall,
        )  # fmt: skip
    for n in (30, 90):
        yield _one(
            f"active_users_{n}d", f"active users, last {n} days",
            f"{{value}} people were active in the last {n} days", sign=-1, **users,
        )  # fmt: skip
    yield _since("days_since_last_event", "the last activity", **overall)


def _pipeline() -> Iterator[Feature]:
    shared: dict[str, Any] = {
        "group": "pipeline",
        "factor": "deal_registrations",
        "actionable": True,
        "view": "deals",
    }
    yield from _windows(
        "registered", (30, 90, 180), did="Registered {value} deals", label="deal registrations", **shared
    )
    yield _since("days_since_last_registration", "the last deal registration", **shared)
    lost: dict[str, Any] = {**shared, "factor": "lost_deals", "actionable": False, "monotone": 0}
    yield from _windows("lost", (180,), did="Lost {value} deals", label="lost deals", **lost)


def _revenue() -> Iterator[Feature]:
    shared: dict[str, Any] = {"group": "revenue", "factor": "revenue", "view": "deals"}
    rhythm: dict[str, Any] = {**shared, "factor": "order_rhythm"}
    yield from _windows("won", (30, 90, 180, 365), did="Won {value} deals", label="won deals", **shared)
    amount: dict[str, Any] = {**shared, "unit": "usd"}
    yield from _windows(
        "won_amount", (30, 90, 180, 365), did="Won deals worth {value} USD", label="value won", **amount
    )
    yield from _windows(
        "won_margin", (90, 365), did="Earned a margin of {value} USD", label="margin", **amount
    )
    yield _one(
        "won_days_180d", "days with a won deal, last 180 days",
        "Won on {value} of the last 180 days", unit="days", **rhythm,
    )  # fmt: skip
    yield _one(
        "win_rate_365d_share", "win rate, last 365 days", "Won {value} of decided deals in the last 365 days",
        unit="share", **{**shared, "factor": "win_rate"},
    )  # fmt: skip
    yield _since("days_since_last_won", "the last won deal", **rhythm)
    yield _since("days_since_first_won", "the first won deal", sign=0, **{**shared, "factor": "tenure"})
    yield _one(
        "won_gap_median_days",
        "usual gap between won deals",
        "Usually wins every {value} days",
        unit="days",
        **rhythm,
    )
    yield _one(
        "won_gap_p90_days",
        "long gap between won deals",
        "Nine gaps in ten are under {value} days",
        unit="days",
        **rhythm,
    )
    yield _one(
        "won_overdue_ratio", "overdue ratio of the next won deal",
        "Days since the last won deal are {value} times the partner's own long gap", sign=1, **rhythm,
    )  # fmt: skip
    yield _one(
        "won_amount_trend",
        "trend of value won",
        "Trend of value won is {value} (0 is steady)",
        sign=-1,
        **shared,
    )
    yield _one(
        "won_product_count_365d", "products sold, last 365 days",
        "Sold {value} products in the last 365 days", sign=-1, **{**shared, "factor": "product_breadth"},
    )  # fmt: skip


def _enablement() -> Iterator[Feature]:
    shared: dict[str, Any] = {
        "group": "enablement",
        "factor": "certifications",
        "actionable": True,
        "view": "enablement",
    }
    yield _one("certified_users_count", "certified people", "{value} people are certified", sign=-1, **shared)
    yield _one(
        "certifications_active_count",
        "valid certifications",
        "{value} certifications are valid",
        sign=-1,
        **shared,
    )
    yield _one(
        "certifications_expiring_90d_count", "certifications expiring within 90 days",
        "{value} certifications expire within 90 days", **shared,
    )  # fmt: skip
    yield _since("days_since_last_certification", "the last certification", sign=0, **shared)
    training: dict[str, Any] = {**shared, "factor": "training"}
    yield from _windows(
        "training", (90, 180), did="Completed {value} trainings", label="trainings", **training
    )


def _satisfaction() -> Iterator[Feature]:
    shared: dict[str, Any] = {"group": "satisfaction", "factor": "satisfaction", "view": "satisfaction"}
    yield _one(
        "survey_score_latest",
        "latest survey score",
        "Latest survey score is {value} of 10",
        sign=-1,
        **shared,
    )
    yield _one(
        "survey_score_mean_365d", "mean survey score, last 365 days",
        "Mean survey score of the last 365 days is {value} of 10", sign=-1, **shared,
    )  # fmt: skip
    yield _since("days_since_last_survey", "the last survey answer", sign=0, **shared)
    support: dict[str, Any] = {**shared, "factor": "support", "actionable": True, "monotone": 0}
    yield from _windows(
        "ticket", (30, 90), did="Opened {value} support tickets", label="support tickets", **support
    )


def _context() -> Iterator[Feature]:
    size: dict[str, Any] = {"factor": "size", "view": "firmographics"}
    tenure: dict[str, Any] = {"factor": "tenure", "view": "firmographics"}
    yield _one("employee_count", "number of employees", "Has {value} employees", **size)
    yield _one("annual_revenue_usd", "company revenue", "Company revenue is {value} USD", unit="usd", **size)
    yield _one("company_age_years", "age of the company", "Founded {value} years ago", unit="years", **tenure)
    yield _one("partner_age_days", "days as a partner", "Partner for {value} days", unit="days", **tenure)
    for name, factor in (("country", "region"), ("region", "region"), ("partner_type", "partner_type")):
        yield _category(name, name.replace("_", " "), factor)
    yield _category("industry", "industry", "industry")
    yield _category("motion", "go-to-market motion", "partner_type")
    yield _category("tier", "tier", "tier")


FEATURES: tuple[Feature, ...] = (
    *_engagement(),
    *_pipeline(),
    *_enablement(),
    *_revenue(),
    *_satisfaction(),
    *_context(),
)
