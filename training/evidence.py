"""Labels as observations of a likelihood: what is fitted is the same for all kinds of outcome.

Yes/no: one binomial observation a row. Amounts: one Tweedie observation a row, in units near their mean.
Ordered classes: one for each cut, "is the class at least k?", with a constant per cut (proportional odds).
Hazards: one Poisson observation for each lead interval a partner entered at risk. In all of them
eta = g(x) + constant(level), so one additive explanation serves every level.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from data.errors import NotEnoughEvidenceError
from models.design import Design
from models.encoding import Encoder
from models.glm import Family
from training.dataset import DAY, Dataset, Rows

LEAST_OVERLAP = 0.02
Stamp = np.datetime64


@dataclass(frozen=True)
class Evidence:
    """Observations of some rows of a data set.

    Attributes:
        rows: (n,) row ids, the rows of the design matrix.
        encoder: Columns of the matrix.
        design: Observations.
        weight: Share of a row that is news: snapshots with overlapping label windows tell a story again.
    """

    rows: Rows
    encoder: Encoder
    design: Design
    weight: float

    @property
    def rarer(self) -> int:
        """Entities that had the event, or that were seen without it: whichever are fewer.

        Of amounts: entities with more than nothing, since nearly all have some.
        """
        d = self.design
        if d.family == "tweedie":
            return int(np.unique(d.group[d.row[d.y > 0]]).size)
        sides = (np.unique(d.group[d.row[hit]]).size for hit in (d.y > 0, d.y == 0))
        return int(min(sides))


@dataclass(frozen=True)
class _Observed:
    """Rows and their outcomes before encoding; `row` points into `rows`."""

    rows: Rows
    row: Any
    y: Any
    level: Any
    exposure: Any | None = None
    lengths: tuple[float, ...] = ()


def is_hazard(dataset: Dataset) -> bool:
    """Whether the outcome is a time to an event, in stacked intervals."""
    return dataset.spec.output == "hazard" and dataset.stacked is not None


def gather(
    dataset: Dataset, rows: Rows, *, known_by: Stamp | None, encoder: Encoder | None = None
) -> Evidence:
    """Observations of rows whose outcome was known by a date.

    Args:
        dataset: Rows and labels.
        rows: Row ids.
        known_by: Labels known later are not used; None: undated.
        encoder: Columns; None: fitted on the rows.

    Raises:
        NotEnoughEvidenceError: No label is known, or all outcomes are the same.
    """
    seen = _stacked(dataset, rows, known_by) if is_hazard(dataset) else _classes(dataset, rows, known_by)
    _check_two_classes(dataset, seen)
    frame = dataset.rows(seen.rows)
    encoder = encoder or Encoder.fit(frame, dataset.spec)
    matrix, group = encoder.encode(frame), dataset.frame["group"].to_numpy()[seen.rows]
    window = float(dataset.horizon_days)
    if seen.exposure is not None:
        design = Design.hazard(
            matrix, row=seen.row, event=seen.y, interval=seen.level, exposure_days=seen.exposure,
            lengths_days=seen.lengths, group=group,
        )  # fmt: skip
        window = float(seen.exposure.sum()) / max(seen.rows.size, 1)
    else:
        codes = np.unique(group, return_inverse=True)[1]
        free = np.zeros(seen.y.size)
        family: Family = "tweedie" if dataset.amounts else "binomial"
        design = Design(matrix, codes, family, seen.row, seen.y, seen.level, free, seen.lengths)
    return Evidence(seen.rows, encoder, design, overlap(dataset, seen.rows, window))


def _classes(dataset: Dataset, rows: Rows, known_by: Stamp | None) -> _Observed:
    y = dataset.labels()[rows]
    use = ~np.isnan(y)
    if known_by is not None:
        known = dataset.known_at()[rows]
        use &= ~np.isnat(known) & (known <= known_by)
    rows, y = rows[use], y[use]
    cuts = len(dataset.bands) or 1
    row, level = np.repeat(np.arange(rows.size), cuts), np.tile(np.arange(cuts), rows.size)
    hit = (y[row] > level) if dataset.ordered else y[row] / dataset.unit
    return _Observed(rows, row, hit.astype(float), level, lengths=(1.0,) * cuts if dataset.ordered else ())


def _stacked(dataset: Dataset, rows: Rows, known_by: Stamp | None) -> _Observed:
    place = np.full(dataset.size, -1, dtype=np.int64)
    place[rows] = np.arange(rows.size)
    stacked: Any = dataset.stacked
    at = place[stacked["row_id"].to_numpy()]
    use = at >= 0
    if known_by is not None:
        use &= stacked["known_at"].to_numpy() <= known_by
    used = stacked[use]
    present, row = np.unique(at[use], return_inverse=True)
    return _Observed(
        rows[present],
        row,
        used["event"].to_numpy(dtype=float),
        used["interval"].to_numpy(dtype=np.int64),
        np.maximum(used["exposure_days"].to_numpy(dtype=float), 1e-3),
        tuple(float(d) for d in np.diff([0, *dataset.spec.horizons_days])),
    )


def _check_two_classes(dataset: Dataset, seen: _Observed) -> None:
    if seen.y.size == 0:
        raise NotEnoughEvidenceError(
            "No outcome is known yet, so nothing can be learnt.",
            allowed=f"labels, which are known {dataset.gap_days} days after a snapshot",
            next_step="Until then the scorecard gives a health score without a probability.",
        )
    if seen.y.min() == seen.y.max():
        if dataset.amounts:
            raise NotEnoughEvidenceError(
                f"All {seen.rows.size} amounts are {seen.y[0] * dataset.unit:g}: nothing to tell apart.",
                allowed="amounts that differ",
                next_step="Check that won deals carry an amount, or map more of their history.",
            )
        kind = "happened to every row" if seen.y.min() > 0 else "happened to no row"
        raise NotEnoughEvidenceError(
            f"The label has one class only: the outcome {kind} ({seen.rows.size} rows).",
            allowed="rows with and rows without the outcome",
            next_step="Check the label column, `positive:`, or which activities count as value.",
        )


def overlap(dataset: Dataset, rows: Rows, window_days: float) -> float:
    """Days between snapshots over the days their labels look ahead, at most 1."""
    if dataset.once or not dataset.dated or rows.size == 0 or window_days <= 0:
        return 1.0
    dates = np.unique(dataset.as_of[rows])
    if dates.size < 2:
        return 1.0
    step = float(np.median(np.diff(dates) / DAY))
    return float(np.clip(step / window_days, LEAST_OVERLAP, 1.0))
