"""The customer's own weighted scorecard: the prior of every model, and all there is without labels."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

MISSING_SHARE = 0.5
"""Share of its weight that a criterion without a value gets: neither good nor bad."""


class Criterion(BaseModel):
    """One line of a scorecard.

    Attributes:
        feature: Column it looks at.
        label: Name for people.
        weight: Points at the high bar.
        low: Value that earns nothing.
        high: Value that earns all points; below `low` where less is better.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    feature: str
    label: str = ""
    weight: float = Field(gt=0, le=100)
    low: float
    high: float

    @model_validator(mode="after")
    def _bars_differ(self) -> Criterion:
        if not (np.isfinite(self.low) and np.isfinite(self.high)) or self.low == self.high:
            raise ValueError(
                f"low and high of {self.feature} are {self.low} and {self.high}; they must differ"
            )
        return self


class Scorecard(BaseModel):
    """Criteria whose weights sum to 100; more points are better (healthier, a better fit)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    criteria: tuple[Criterion, ...]

    @model_validator(mode="after")
    def _weights_sum_to_100(self) -> Scorecard:
        total = sum(c.weight for c in self.criteria)
        if abs(total - 100) > 1e-6:
            raise ValueError(f"weights sum to {total:g}; allowed: 100")
        names = [c.feature for c in self.criteria]
        if len(set(names)) < len(names):
            raise ValueError(f"a feature stands twice: {', '.join(names)}")
        return self

    @property
    def features(self) -> tuple[str, ...]:
        """Columns it looks at, in order."""
        return tuple(c.feature for c in self.criteria)

    def restricted_to(self, columns: Iterable[str]) -> tuple[Scorecard | None, list[str]]:
        """The scorecard on the criteria the data has, weights scaled to 100 again, and what was left out.

        Returns:
            The scorecard (None when no criterion is left) and warnings in words.
        """
        present = set(columns)
        kept = [c for c in self.criteria if c.feature in present]
        if len(kept) == len(self.criteria):
            return self, []
        gone = ", ".join(c.feature for c in self.criteria if c.feature not in present)
        if not kept:
            return None, [f"The scorecard cannot be used: the data has none of {gone}."]
        scale = 100 / sum(c.weight for c in kept)
        scaled = [c.model_copy(update={"weight": c.weight * scale}) for c in kept]
        warning = f"The scorecard leaves out {gone}, which the data lacks; its other weights were scaled up."
        return Scorecard(criteria=tuple(scaled)), [warning]

    def contributions_of(self, values: Any) -> Any:
        """Points of each criterion.

        Args:
            values: float64 (n, criteria), NaN where missing.

        Returns:
            float64 (n, criteria); a missing value earns half the weight.
        """
        low = np.array([c.low for c in self.criteria])
        high = np.array([c.high for c in self.criteria])
        weight = np.array([c.weight for c in self.criteria])
        values = np.ascontiguousarray(values, dtype=np.float64)
        share = np.clip((values - low) / (high - low), 0.0, 1.0)
        return weight * np.where(np.isnan(share), MISSING_SHARE, share)

    def values(self, frame: Any) -> Any:
        """The criteria's columns of a frame as float64; a column that is not there is missing."""
        columns = [
            frame[f].to_numpy(dtype=np.float64, na_value=np.nan)
            if f in frame.columns
            else np.full(len(frame), np.nan)
            for f in self.features
        ]
        return np.column_stack(columns)

    def contributions(self, frame: Any) -> Any:
        """Points of each criterion for each row: float64 (n, criteria)."""
        return self.contributions_of(self.values(frame))

    def points(self, frame: Any) -> Any:
        """Points of each row, 0–100, higher is better."""
        return np.clip(self.contributions(frame).sum(axis=1), 0.0, 100.0)


CHURN_DEFAULT = Scorecard(
    criteria=(
        Criterion(
            feature="days_since_last_login", label="Days since the last login", weight=30, low=90, high=7
        ),
        Criterion(feature="login_count_30d", label="Logins, last 30 days", weight=20, low=0, high=20),
        Criterion(feature="active_users_30d", label="Active users, last 30 days", weight=15, low=0, high=5),
        Criterion(
            feature="registered_count_90d", label="Deal registrations, last 90 days", weight=15, low=0, high=3
        ),
        Criterion(feature="won_count_90d", label="Won deals, last 90 days", weight=10, low=0, high=2),
        Criterion(feature="training_count_90d", label="Trainings, last 90 days", weight=10, low=0, high=3),
    )
)
"""Scorecard of the churn model where the mapping gives none."""
