"""What a success is, and how applicants are vetted: the `fit:` section of partnerintel.yaml."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class VettingSettings(BaseModel):
    """Where applicants are accepted, reviewed or declined; policy data, not the model.

    Attributes:
        accept: Least fit score that is accepted; None: the base rate of success times 1.25.
        decline: Fit score below which an applicant is declined; None: the base rate times 0.5.
        least_evidence: Weaker evidence than this always means review.
        required: Fields without which an applicant is reviewed, never accepted.
        countries: Countries you sign partners in; empty: all.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    accept: float | None = Field(default=None, ge=0, le=100)
    decline: float | None = Field(default=None, ge=0, le=100)
    least_evidence: Literal["strong", "moderate", "thin"] = "thin"
    required: tuple[str, ...] = ("country", "partner_type")
    countries: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _in_order(self) -> VettingSettings:
        if self.accept is not None and self.decline is not None and self.decline > self.accept:
            raise ValueError(f"decline ({self.decline:g}) is above accept ({self.accept:g})")
        return self


class FitSettings(BaseModel):
    """What counts as a partner's success, and what may be asked of a prospect.

    Attributes:
        horizon_days: A success happens within this many days of signing.
        least_won_count: Won deals the partner brought itself.
        least_margin_usd: Margin of those deals, net of returns, must be above this; ignored where no deal
            has a margin.
        reporting_lag_days: How late deals are reported at most.
        motion_rows: Partners of a motion, with known outcome, from which it gets a profile of its own.
        changeable: Fields that can be chosen: what-would-change looks at nothing else.
        vetting: Thresholds.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    horizon_days: int = Field(default=365, ge=30, le=1500)
    least_won_count: int = Field(default=1, ge=1)
    least_margin_usd: float = 0.0
    reporting_lag_days: int = Field(default=30, ge=0)
    motion_rows: int = Field(default=150, ge=30)
    changeable: tuple[str, ...] = ("motion", "partner_type")
    vetting: VettingSettings = VettingSettings()

    @property
    def known_after_days(self) -> int:
        """Days after signing at which the outcome is known, whatever it is."""
        return self.horizon_days + self.reporting_lag_days
