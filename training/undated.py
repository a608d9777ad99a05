"""What partners say of themselves when nothing dates it: as of today at every date, outcome included.

A partner's row without `known_at` counts as known from the beginning. Country and size hardly change; a tier
follows what became of the partner, and a type may be set to "former" once it has left.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from training.dataset import DroppedColumn

SAID = ("country", "region", "partner_type", "industry", "motion", "employee_count", "annual_revenue_usd")
"""Columns of `partners` that are features under the same name."""
TIER_OF_TODAY = (
    DroppedColumn("tier", "the tier of today at every date: map `tier_history`, or `known_at` of partners"),
)


def tier_of_today(lake: Any) -> tuple[DroppedColumn, ...]:
    """The tier, where it is that of today at every date."""
    return TIER_OF_TODAY if not lake.has("tier_history") and _undated(lake, ("tier",)) else ()


def undated_columns(lake: Any) -> frozenset[str]:
    """Features that are as of today at every date; they are looked at as ready-made columns are."""
    return frozenset(_undated(lake, SAID))


def _undated(lake: Any, columns: Sequence[str]) -> list[str]:
    rows = lake.read("partners")
    rows = rows[rows["known_at"] == pd.Timestamp(0)]
    return [c for c in columns if rows[c].notna().any()]
