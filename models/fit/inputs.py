"""The inputs of the fit model: what anyone can know of a company before it signs.

Certifications, logins, tiers and deals come after signing and are no inputs: they would tell the outcome.
Size and revenue never lower a score with the rest unchanged; age is free, as the best age is a middle one.
Only the agreement that is offered can be chosen (motion and partner type); everything else is a fact.
"""

from __future__ import annotations

from models.fit.card import FIT_DEFAULT
from models.spec import Feature

LIKE = "partners like this one: {peer}"


def _number(name: str, label: str, sentence: str, *, factor: str, sign: int = 0, unit: str = "") -> Feature:
    return Feature(
        name,
        monotone=sign,
        factor=factor,
        label=label,
        unit=unit,
        sentence=f"{sentence}; {LIKE}.",
        missing=f"No data on the {label}; {LIKE}.",
    )


def _category(name: str, label: str, factor: str, *, actionable: bool = False) -> Feature:
    return Feature(
        name,
        "category",
        factor=factor,
        label=label,
        actionable=actionable,
        sentence=f"{label.capitalize()} is {{value}}, as for {{peer}} of partners like this one.",
        missing=f"{label.capitalize()} is not known.",
        levels=next((c.levels for c in FIT_DEFAULT.criteria if c.feature == name and c.of_text), ()),
    )


FEATURES: tuple[Feature, ...] = (
    _number("employee_count", "number of employees", "Has {value} employees", factor="size", sign=1),
    _number(
        "annual_revenue_usd",
        "company revenue",
        "Company revenue is {value} USD",
        factor="size",
        sign=1,
        unit="usd",
    ),
    _number(
        "revenue_per_employee_usd",
        "revenue for each employee",
        "Revenue is {value} USD for each employee",
        factor="productivity",
        unit="usd",
    ),
    _number(
        "company_age_years", "age of the company", "Founded {value} years ago", factor="age", unit="years"
    ),
    _category("country", "country", "region"),
    _category("region", "region", "region"),
    _category("partner_type", "partner type", "partner_type", actionable=True),
    _category("motion", "go-to-market motion", "motion", actionable=True),
    _category("industry", "industry", "industry"),
)
