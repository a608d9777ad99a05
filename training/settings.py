"""The `training` section of partnerintel.yaml."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class TrainingSettings(BaseModel):
    """How models are searched and fitted.

    Attributes:
        trials: Trials of the search; 0: the defaults, which are meant to hold without a search.
        seed: Seed of folds, trees and search.
        horizon_days: The horizon that is judged and tuned for; None: 90 where there is one.
        default_scorecard: Whether the model's own scorecard stands in where the mapping gives none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    trials: int = Field(default=20, ge=0, le=1000)
    seed: int = 7
    horizon_days: int | None = Field(default=None, gt=0)
    default_scorecard: bool = True
