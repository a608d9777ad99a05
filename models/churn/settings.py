"""What churn means to this customer: the `churn:` section of partnerintel.yaml."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class ChurnSettings(BaseModel):
    """When a partner counts as gone, and who is asked about.

    Attributes:
        value_activities: Activities that show the relationship lives, as `table.kind`.
        label: `departure`: dated at the last activity before a silence; `silence`: no activity at all within
            the one horizon.
        silence: Length of a silence that means departure: days, or `adaptive` (the partner's own long gap).
        silence_floor_days: Least adaptive silence.
        silence_cap_days: Greatest adaptive silence; it bounds how long a label stays unknown.
        gap_shrinkage_count: Weight of the pooled long gap, in numbers of own gaps.
        horizons_days: Futures asked about, ascending.
        active_within_days: A partner is asked about when active within this many days before `as_of`.
        reporting_lag_days: How late activities are reported at most.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    value_activities: tuple[str, ...] = ("deals.registered", "deals.won")
    label: Literal["departure", "silence"] = "departure"
    silence: Literal["adaptive"] | int = "adaptive"
    silence_floor_days: int = Field(default=90, ge=1)
    silence_cap_days: int = Field(default=180, ge=1)
    gap_shrinkage_count: float = Field(default=5.0, gt=0)
    horizons_days: tuple[int, ...] = (30, 90, 180)
    active_within_days: int = Field(default=30, ge=1)
    reporting_lag_days: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _consistent(self) -> ChurnSettings:
        days = list(self.horizons_days)
        if not days or days[0] < 1 or days != sorted(set(days)):
            raise ValueError(f"horizons_days is {days}; allowed: ascending, distinct days from 1")
        if self.label == "silence" and len(days) != 1:
            raise ValueError(f"label: silence answers one horizon, and horizons_days has {len(days)}")
        if isinstance(self.silence, int) and self.silence < 1:
            raise ValueError(f"silence is {self.silence}; allowed: adaptive, or days from 1")
        if self.silence_cap_days < self.silence_floor_days:
            raise ValueError(
                f"silence_cap_days ({self.silence_cap_days}) is below silence_floor_days "
                f"({self.silence_floor_days})"
            )
        return self

    @property
    def silence_bound_days(self) -> int:
        """Longest silence any label waits for after its horizon; 0 for `label: silence`."""
        if self.label == "silence":
            return 0
        return self.silence_cap_days if self.silence == "adaptive" else int(self.silence)

    def known_after_days(self, horizon_days: int) -> int:
        """Days after `as_of` at which the label of that horizon is certainly known."""
        return horizon_days + self.silence_bound_days + self.reporting_lag_days

    @property
    def gap_days(self) -> int:
        """Purge between the last training snapshot and the test origin, for the longest horizon."""
        return self.known_after_days(self.horizons_days[-1])

    @property
    def intervals(self) -> tuple[tuple[int, int], ...]:
        """Stretches between horizons: (start, end) days after `as_of`, such as (0, 30), (30, 90)."""
        return tuple(zip((0, *self.horizons_days), self.horizons_days, strict=False))
