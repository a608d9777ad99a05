"""The customer's own weighted scorecard: the prior of every model, and all there is without labels."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

MISSING_SHARE = 0.5
"""Share of its weight that a criterion without a value gets: neither good nor bad."""


class Band(BaseModel):
    """A step of a criterion: from this value on, so many points."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    least: float = Field(alias="from")
    points: float = Field(ge=0, le=100)


class Criterion(BaseModel):
    """One line of a scorecard: a straight line between two bars, steps, or points for named values.

    Attributes:
        feature: Column it looks at.
        label: Name for people.
        weight: Most points it can give.
        low: Value that earns nothing.
        high: Value that earns all points; below `low` where less is better.
        bands: Steps of a number, by rising `from`; below the first: none.
        values: Points of each value of a text column; capitals do not matter.
        other: Points of a value not named.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    feature: str
    label: str = ""
    weight: float = Field(gt=0, le=100)
    low: float | None = None
    high: float | None = None
    bands: tuple[Band, ...] = ()
    values: dict[str, float] = Field(default_factory=dict)
    other: float = Field(default=0.0, ge=0, le=100)

    @model_validator(mode="after")
    def _one_form(self) -> Criterion:
        bars = self.low is not None or self.high is not None
        if bars + bool(self.bands) + bool(self.values) != 1:
            raise ValueError(f"{self.feature} needs either low and high, or bands, or values")
        if bars and not self._bars_differ():
            raise ValueError(
                f"low and high of {self.feature} are {self.low} and {self.high}; they must differ"
            )
        steps = [b.least for b in self.bands]
        if steps != sorted(set(steps)):
            raise ValueError(f"bands of {self.feature} start at {steps}; they must rise")
        most = max([*(b.points for b in self.bands), *self.values.values(), self.other], default=0.0)
        if most > self.weight + 1e-9:
            raise ValueError(f"{self.feature} gives {most:g} points; its weight is {self.weight:g}")
        return self

    def _bars_differ(self) -> bool:
        low, high = self.low, self.high
        return bool(
            low is not None and high is not None and np.isfinite(low) and np.isfinite(high) and low != high
        )

    @property
    def of_text(self) -> bool:
        """Whether it looks at a text column."""
        return bool(self.values)

    @property
    def levels(self) -> tuple[str, ...]:
        """Named values in lower case, in the order of their codes."""
        return tuple(sorted({v.casefold() for v in self.values}))

    def scaled(self, factor: float) -> Criterion:
        """The same criterion with all points times a factor."""
        return self.model_copy(
            update={
                "weight": self.weight * factor,
                "bands": tuple(b.model_copy(update={"points": b.points * factor}) for b in self.bands),
                "values": {k: v * factor for k, v in self.values.items()},
                "other": self.other * factor,
            }
        )

    def codes(self, texts: Iterable[Any]) -> Any:
        """Text as the numbers `points_of` takes: place among `levels`, one more for others, NaN missing."""
        place = {level: float(i) for i, level in enumerate(self.levels)}
        return np.array(
            [
                np.nan if t is None or t != t else place.get(str(t).casefold(), float(len(place)))
                for t in texts
            ],
            dtype=np.float64,
        )

    def points_of(self, values: Any) -> Any:
        """Points of numbers (or codes of text), (n,); a missing value earns half the weight."""
        known = ~np.isnan(values)
        filled = np.where(known, values, 0.0)
        if self.values:
            by_level = {v.casefold(): points for v, points in self.values.items()}
            table = np.array([*(by_level[level] for level in self.levels), self.other])
            found = table[filled.astype(np.int64)]
        elif self.bands:
            table = np.array([0.0, *(b.points for b in self.bands)])
            found = table[np.searchsorted([b.least for b in self.bands], filled, side="right")]
        else:
            low, high = float(self.low or 0.0), float(self.high or 0.0)
            found = self.weight * np.clip((filled - low) / (high - low), 0.0, 1.0)
        return np.where(known, found, self.weight * MISSING_SHARE)


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
        scaled = [c.scaled(scale) for c in kept]
        warning = f"The scorecard leaves out {gone}, which the data lacks; its other weights were scaled up."
        return Scorecard(criteria=tuple(scaled)), [warning]

    def contributions_of(self, values: Any) -> Any:
        """Points of each criterion.

        Args:
            values: float64 (n, criteria), NaN where missing; codes where a criterion looks at text.

        Returns:
            float64 (n, criteria); a missing value earns half the weight.
        """
        values = np.asarray(values, dtype=np.float64)
        points = [c.points_of(values[:, k]) for k, c in enumerate(self.criteria)]
        # Sums over a row must not depend on how many rows come together, so the layout is fixed.
        return np.ascontiguousarray(np.column_stack(points))

    def values(self, frame: Any) -> Any:
        """The criteria's columns of a frame as float64; a column that is not there is missing."""
        return np.column_stack([_column(frame, c) for c in self.criteria])

    def contributions(self, frame: Any) -> Any:
        """Points of each criterion for each row: float64 (n, criteria)."""
        return self.contributions_of(self.values(frame))

    def points(self, frame: Any) -> Any:
        """Points of each row, 0–100, higher is better."""
        return np.clip(self.contributions(frame).sum(axis=1), 0.0, 100.0)


def _column(frame: Any, criterion: Criterion) -> Any:
    if criterion.feature not in frame.columns:
        return np.full(len(frame), np.nan)
    column = frame[criterion.feature]
    if criterion.of_text:
        return criterion.codes(None if gone else v for v, gone in zip(column, column.isna(), strict=True))
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


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
