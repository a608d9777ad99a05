"""The `evaluation` section of partnerintel.yaml."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class EvaluationSettings(BaseModel):
    """How models are judged.

    Attributes:
        origins: Most test dates of the rolling origin.
        replicates: Draws of the bootstrap over partners.
        seed: Seed of draws and folds.
        champion_margin: A candidate's log-loss may exceed the champion's by so much (nats a row); it is
            refused when the whole paired interval lies above.
        min_events: Least number of positives, and of negatives, among the test rows.
        confirmed: Columns a person has looked at: known before the outcome although they look like leaks.
        slice_columns: Columns by which results are shown in parts; those the data lacks are left out.
        slice_rows: Least rows of a part that is shown.
        simulated: The data comes from the simulator; reports then say what that proves.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    origins: int = Field(default=4, ge=1, le=12)
    replicates: int = Field(default=400, ge=50, le=5000)
    seed: int = 0
    champion_margin: float = Field(default=0.002, ge=0)
    min_events: int = Field(default=10, ge=1)
    confirmed: tuple[str, ...] = ()
    slice_columns: tuple[str, ...] = ("country", "region", "partner_type", "tier", "motion", "employee_count")
    slice_rows: int = Field(default=30, ge=10)
    simulated: bool = False
