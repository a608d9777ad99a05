"""Firmographics: what is on record about the company itself, as it was known at the date."""

from __future__ import annotations

from typing import Any

from features.definition import Definition, ViewDefinition
from features.inputs import KEYS, Inputs
from features.source import Source
from features.versions import day_of, spans
from features.windows import Grid

CATEGORIES = ("country", "region", "partner_type", "industry", "motion")

VIEW = ViewDefinition(
    "firmographics",
    "What is on record about the company itself.",
    ("tier_history",),
    (
        Definition("employee_count", "count", "Employees."),
        Definition("annual_revenue_usd", "usd", "Revenue of the company in its last year."),
        Definition("company_age_years", "years", "Calendar year of the date less the year of foundation."),
        Definition("partner_age_days", "days", "Days since the agreement was signed."),
        Definition("country", "category", "Country, ISO 3166 two letters.", "category"),
        Definition("region", "category", "Region or state within the country, or sales region.", "category"),
        Definition(
            "partner_type", "category", "Reseller, integrator, referral, distributor and so on.", "category"
        ),
        Definition("industry", "category", "Main industry served.", "category"),
        Definition("motion", "category", "Go-to-market motion.", "category"),
        Definition(
            "tier",
            "category",
            "Tier held at the date, from tier_history; without one that of partners, which models learn from "
            "only with known_at.",
            "category",
        ),
    ),
)


def partners_at(source: Source, grid: Grid) -> Any:
    """The partners of each date: known by then, and signed before it where the day is on record.

    Returns:
        partner_id, as_of, signed_day, and the columns of the version of the partner that was valid.
    """
    rows, dates = spans(source, "partners"), grid.table()
    rows = rows.mutate(signed_day=day_of(rows.signed_at))
    rows = rows.join(
        dates,
        [
            rows.known_day <= dates.as_of,
            dates.as_of < rows.gone_day,
            rows.signed_day.isnull() | (rows.signed_day < dates.as_of),
        ],
    )
    kept = ("founded_year", "employee_count", "annual_revenue_usd", *CATEGORIES, "tier", "signed_day")
    return rows.select(*KEYS, *kept)


def build(inputs: Inputs) -> Any:
    """Firmographic features of every partner at every date."""
    rows = inputs.base
    if inputs.source.has("tier_history"):
        # partners.tier is the tier of today: where history is on record it would leak the future.
        rows = rows.drop("tier").left_join(_tiers(inputs), list(KEYS)).drop([f"{k}_right" for k in KEYS])
    year = (rows.as_of.cast("int64") * 86_400).as_timestamp("s").year()
    return rows.mutate(
        employee_count=rows.employee_count.cast("float64"),
        company_age_years=(year - rows.founded_year).cast("float64"),
        partner_age_days=(rows.as_of - rows.signed_day).cast("float64"),
    ).select(*KEYS, *VIEW.columns)


def _tiers(inputs: Inputs) -> Any:
    rows, dates = spans(inputs.source, "tier_history"), inputs.grid.table()
    rows = rows.join(
        dates,
        [rows.known_day <= dates.as_of, dates.as_of < rows.gone_day, rows.event_day < dates.as_of],
    )
    return rows.group_by(*KEYS).agg(tier=rows.tier.argmax(rows.event_at))
