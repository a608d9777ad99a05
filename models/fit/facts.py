"""What is on record about a company, as the model takes it: alike for old partners and new prospects."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

NUMBERS = ("employee_count", "annual_revenue_usd", "founded_year")
CATEGORIES = ("country", "region", "partner_type", "motion", "industry")
GIVEN = (*CATEGORIES, *NUMBERS)
"""Canonical columns the facts are made of."""
_FOLDED = ("partner_type", "motion", "industry")


def build_facts(rows: Any, *, year: Any) -> Any:
    """Model inputs from canonical columns of the prospects table.

    Partner type, motion and industry are compared in lower case: lists are written by people.

    Args:
        rows: DataFrame with any of `GIVEN`; a column that is not there is missing.
        year: Calendar year of each row (or one for all): the age of the company is counted to it.

    Returns:
        DataFrame on the index of `rows`: the features of `models.fit.SPEC`.
    """
    numbers = {c: _number(rows, c) for c in NUMBERS}
    staff, revenue = numbers["employee_count"], numbers["annual_revenue_usd"]
    with np.errstate(divide="ignore", invalid="ignore"):
        per_head = np.where(staff > 0, revenue / staff, np.nan)
    age = np.asarray(year, dtype=np.float64) - numbers["founded_year"]
    found: dict[str, Any] = {
        "employee_count": staff,
        "annual_revenue_usd": revenue,
        "revenue_per_employee_usd": per_head,
        "company_age_years": np.where(age >= 0, age, np.nan),
    }
    found |= {c: _text(rows, c) for c in CATEGORIES}
    return pd.DataFrame(found, index=rows.index)


def _number(rows: Any, name: str) -> Any:
    if name not in rows.columns:
        return np.full(len(rows), np.nan)
    return rows[name].to_numpy(dtype=np.float64, na_value=np.nan)


def _text(rows: Any, name: str) -> Any:
    if name not in rows.columns:
        return np.full(len(rows), None, dtype=object)
    values = rows[name].to_numpy(dtype=object)
    # A list repeats its few values: each is folded once.
    known: dict[Any, str | None] = {}
    return np.array([_folded(v, name, known) for v in values], dtype=object)


def _folded(value: Any, name: str, known: dict[Any, str | None]) -> str | None:
    if value is None or value is pd.NA or value != value:
        return None
    if value not in known:
        text = " ".join(str(value).split())
        text = text.casefold() if name in _FOLDED else text.upper() if name == "country" else text
        known[value] = text or None
    return known[value]
