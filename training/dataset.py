"""What a model learns from: features as known at as_of, and outcomes with the day they became known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.spec import ModelSpec

if TYPE_CHECKING:
    from models.scorecard import Scorecard

Rows = NDArray[np.int64]
DAY = np.timedelta64(1, "D")


@dataclass(frozen=True)
class DroppedColumn:
    """A column that takes no part, and why."""

    column: str
    why: str


@dataclass(frozen=True)
class Dataset:
    """Rows to train on and to be judged on.

    Attributes:
        spec: What is predicted, from which features.
        frame: One row per (entity, as_of): `row_id` int64 (equal to the position), the entity columns,
            `as_of` datetime64[us] (absent in undated data), `group` str (parent company, else the entity),
            `order` float (only where the mapping names `order_by`) and the raw feature columns.
        outcomes: `row_id`, `horizon_days`, `y`, `known_at`; `y` is 0/1, an amount of zero or more where the
            spec answers one, or a number where `bands` cut it.
        stacked: `row_id`, `interval` (0-based), `exposure_days`, `event`, `known_at`, for hazards; or None.
        horizon_days: The horizon that is judged.
        gap_days: Days from as_of until an outcome at that horizon is known: the purge.
        scorecard: The customer's own scorecard, or None.
        dropped: Columns left out.
        source: Which of the two ways in.
        bands: Cuts of a numeric label into ordered classes; empty for yes/no.
        about: What the report says of label, population and origin.
        unit: Amounts are learnt in this unit, a power of ten near their mean.
        once: Each entity stands in one row, so rows are news of their own and test dates may be close.
        population: Feature columns of everyone who was considered, the unlabelled included, with `known_at`;
            None: the rows are everyone.
        pooled: The rows of all motions, where these are one motion's; the profile must beat the pooled one.
        undated: Columns that are as of today at every date, and may therefore tell the outcome.
        step_days: Days between test dates; None: the horizon, so that test windows do not overlap.
    """

    spec: ModelSpec
    frame: Any
    outcomes: Any
    stacked: Any | None
    horizon_days: int
    gap_days: int
    scorecard: Scorecard | None = None
    dropped: tuple[DroppedColumn, ...] = ()
    source: Literal["tables", "snapshot"] = "tables"
    bands: tuple[float, ...] = ()
    about: tuple[tuple[str, str], ...] = ()
    unit: float = 1.0
    once: bool = False
    population: Any | None = None
    pooled: Dataset | None = None
    undated: frozenset[str] = frozenset()
    step_days: int | None = None

    @property
    def size(self) -> int:
        """Number of rows."""
        return len(self.frame)

    @property
    def dated(self) -> bool:
        """Whether rows carry `as_of`."""
        return "as_of" in self.frame.columns

    @property
    def ordered(self) -> bool:
        """Whether the label is an ordered class."""
        return bool(self.bands)

    @property
    def amounts(self) -> bool:
        """Whether the label is an amount of zero or more."""
        return self.spec.output == "amount" and not self.bands

    @property
    def features(self) -> list[str]:
        """Names of the feature columns, in the order of the spec."""
        return [f.name for f in self.spec.features]

    @property
    def as_of(self) -> NDArray[np.datetime64]:
        """(n,) snapshot dates."""
        return self.frame["as_of"].to_numpy().astype("datetime64[us]")

    def labels(self, horizon_days: int | None = None) -> NDArray[np.float64]:
        """(n,) outcome at a horizon, NaN where it is not known; ordered labels as class codes."""
        y = self._by_row("y", horizon_days or self.horizon_days, np.full(self.size, np.nan))
        if not self.bands:
            return y
        return np.where(np.isnan(y), np.nan, np.digitize(y, self.bands).astype(float))

    def known_at(self, horizon_days: int | None = None) -> NDArray[np.datetime64]:
        """(n,) when the outcome became known; NaT where it is not known or undated."""
        missing = np.full(self.size, np.datetime64("NaT", "us"))
        return self._by_row("known_at", horizon_days or self.horizon_days, missing)

    def rows(self, row_ids: Rows) -> Any:
        """Feature columns of some rows, in that order."""
        return self.frame.iloc[row_ids][self.features]

    def without(self, columns: dict[str, str]) -> Dataset:
        """The same rows without some feature columns (name → why)."""
        kept = [f for f in self.features if f not in columns]
        gone = tuple(DroppedColumn(c, why) for c, why in columns.items() if c in self.features)
        return replace(self, spec=self.spec.restricted_to(kept), dropped=self.dropped + gone)

    def _by_row(self, column: str, horizon_days: int, out: NDArray[Any]) -> NDArray[Any]:
        found = self.outcomes[self.outcomes["horizon_days"] == horizon_days]
        out[found["row_id"].to_numpy()] = found[column].to_numpy()
        return out


def entity_codes(dataset: Dataset, rows: Rows) -> NDArray[np.int64]:
    """(len(rows),) code of each row's group, the unit that is drawn and folded."""
    return pd.factorize(dataset.frame["group"].to_numpy()[rows], sort=True)[0].astype(np.int64)
