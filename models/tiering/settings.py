"""What a contribution is and how tiers are reviewed: the `tiers:` section of partnerintel.yaml."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class TieringSettings(BaseModel):
    """The target of the model and the rhythm of reviews.

    Attributes:
        contribution: What is summed over the next twelve months: value (`won_amount`) or margin
            (`won_margin`) of won deals, returns taken off.
        horizon_days: How far ahead.
        active_within_days: Ask only about partners that won or registered a deal so many days before; None:
            about every partner under agreement, since each of them holds a tier.
        reporting_lag_days: How late deals are reported at most.
        policy: YAML file of the policy in force, relative to the workspace; or the name of a template.
        review_every_days: Days between two reviews: a quarter.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    contribution: Literal["won_amount", "won_margin"] = "won_amount"
    horizon_days: int = Field(default=365, ge=30, le=730)
    active_within_days: int | None = Field(default=None, ge=1)
    reporting_lag_days: int = Field(default=0, ge=0)
    policy: str = "balanced_scorecard"
    review_every_days: int = Field(default=91, ge=7, le=366)

    @property
    def known_after_days(self) -> int:
        """Days after `as_of` at which a contribution is known."""
        return self.horizon_days + self.reporting_lag_days
