"""What is usual among comparable entities: the figure beside a value in a reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from models.spec import ModelSpec

ALL = "all"
LEAST_COUNT = 10
SIZE_BANDS = ((10, "1–9 employees"), (50, "10–49 employees"), (250, "50–249 employees"))
LARGEST = "250 employees or more"


@dataclass(frozen=True)
class Peers:
    """Medians of numbers and shares of categories, by peer group.

    Attributes:
        by: `partner_type`, `employee_count` (size bands) or `all`.
        medians: Group → feature → median.
        shares: Group → feature → level → share of those known.
    """

    by: str = ALL
    medians: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    shares: Mapping[str, Mapping[str, Mapping[str, float]]] = field(default_factory=dict)

    def group(self, row: Mapping[str, Any]) -> str:
        """Peer group of one raw feature row; `all` where it is unknown or too small."""
        found = _group_of(self.by, row.get(self.by))
        return found if found in self.medians else ALL

    def value(self, group: str, feature: str, value: Any) -> float | None:
        """Median of a number, share of a category's level; None where nothing is known."""
        if feature == self.by:
            group = ALL  # compared with its own kind, a partner type is always usual
        shares = self.shares.get(group, {}).get(feature)
        if shares is not None and value is None:
            return None
        if shares is not None:
            return shares.get(str(value), 0.0)
        return self.medians.get(group, {}).get(feature)


def fit_peers(frame: Any, spec: ModelSpec) -> Peers:
    """Usual values in the rows of training.

    Groups are partner types where known, else size bands; a group of fewer than 10 rows is left to `all`.
    """
    by = next((c for c in ("partner_type", "employee_count") if c in spec.names), ALL)
    labels = pd.Series(ALL, index=frame.index)
    if by != ALL:
        labels = frame[by].map(lambda value: _group_of(by, value))
    groups = {ALL: frame, **{str(g): part for g, part in frame.groupby(labels) if len(part) >= LEAST_COUNT}}
    numbers = [f.name for f in spec.features if f.kind != "category"]
    categories = [f.name for f in spec.features if f.kind == "category"]
    return Peers(
        by,
        {g: _medians(part, numbers) for g, part in sorted(groups.items())},
        {g: _shares(part, categories) for g, part in sorted(groups.items())},
    )


def _group_of(by: str, value: Any) -> str:
    if by == ALL or value is None or pd.isna(value):
        return ALL
    if by != "employee_count":
        return str(value)
    return next((name for top, name in SIZE_BANDS if float(value) < top), LARGEST)


def _medians(part: Any, names: list[str]) -> dict[str, float]:
    found = {}
    for name in names:
        values = pd.to_numeric(part[name], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
        values = values[np.isfinite(values)]
        if len(values):
            found[name] = float(np.median(values))
    return found


def _shares(part: Any, names: list[str]) -> dict[str, dict[str, float]]:
    found = {}
    for name in names:
        known = part[name].dropna().astype(str)
        counts = known.value_counts()
        found[name] = {str(k): float(v) / len(known) for k, v in sorted(counts.items())[:200]}
    return found
