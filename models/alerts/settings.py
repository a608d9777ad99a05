"""How many alerts, when, and for whom: the `alerts:` section of partnerintel.yaml."""

from __future__ import annotations

from datetime import date

from pydantic import BaseModel, ConfigDict, Field, model_validator

MONDAY = date(1970, 1, 5)


class AlertSettings(BaseModel):
    """The policy of alerts. Risks are probabilities of departing within 90 days.

    Attributes:
        cycle_days: Length of a cycle; states move once a cycle, and the budget is for one.
        smoothing: Weight of the newest cycle in the moving average of log hazards.
        watch_from: Smoothed risk from which a partner is watched.
        ok_below: A watched or recovering partner is ok below it.
        at_risk_from: Smoothed risk from which a partner is at risk.
        recover_below: A partner at risk recovers below it.
        dwell_cycles: Cycles a state lasts at least before it may improve.
        settle_cycles: Cycles of recovering after which the alert closes, even if the partner is not ok yet.
        budget_per_manager: Most alerts in a manager's queue, and most new ones in a cycle.
        cooldown_days: No new alert for the same partner and cause so soon after one was closed.
        escalate_after_days: An alert nobody acknowledged for so long is escalated.
        active_within_days: An alert opens only for partners with a value activity within so many days.
        holdout_share: Chance that an alert is silently held out, so that figures stay honest; 0: none.
        holdout_below_share: Partners with more margin than this share of all partners are never held out.
        seed: Seed of the draw of hold-outs.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    cycle_days: int = Field(default=7, ge=1, le=31)
    smoothing: float = Field(default=0.5, gt=0, le=1)
    watch_from: float = Field(default=0.35, gt=0, lt=1)
    ok_below: float = Field(default=0.25, gt=0, lt=1)
    at_risk_from: float = Field(default=0.50, gt=0, lt=1)
    recover_below: float = Field(default=0.35, gt=0, lt=1)
    dwell_cycles: int = Field(default=2, ge=1)
    settle_cycles: int = Field(default=4, ge=1)
    budget_per_manager: int = Field(default=15, ge=1)
    cooldown_days: int = Field(default=30, ge=0)
    escalate_after_days: int = Field(default=14, ge=1)
    active_within_days: int = Field(default=90, ge=1)
    holdout_share: float = Field(default=0.07, ge=0, le=0.5)
    holdout_below_share: float = Field(default=0.8, ge=0, le=1)
    seed: int = Field(default=7, ge=0)

    @model_validator(mode="after")
    def _doors_are_apart(self) -> AlertSettings:
        if not self.ok_below < self.watch_from or not self.recover_below < self.at_risk_from:
            raise ValueError(
                "a state must be left below where it is entered: "
                f"ok_below {self.ok_below} < watch_from {self.watch_from}, "
                f"recover_below {self.recover_below} < at_risk_from {self.at_risk_from}"
            )
        if self.watch_from > self.at_risk_from or self.ok_below > self.recover_below:
            raise ValueError("watch_from must not exceed at_risk_from, nor ok_below recover_below")
        return self

    def cycle(self, day: date) -> int:
        """Number of the cycle a day lies in; cycles of seven days begin on Mondays."""
        return (day - MONDAY).days // self.cycle_days
