"""Rows of a fit: who was asked about, for which stretch of time, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from models.glm import Family, Likelihood

EXPOSURE_UNIT_DAYS = 30.0


@dataclass(frozen=True)
class Design:
    """Encoded rows with their observations.

    Attributes:
        matrix: Encoded entities at their as_of, float64 (n, p).
        group: Code of the group that must not be split, such as the parent company, (n,).
        family: `binomial` for plain labels, `poisson` for stacked hazards, `tweedie` for amounts.
        row: Row of the matrix of each observation, (m,).
        y: 0/1, or the amount, (m,).
        interval: Interval index, (m,); all 0 for plain labels.
        log_exposure: log(exposure / 30 days), (m,); all 0 for plain labels.
        lengths_days: Length of each interval; empty for plain labels.
    """

    matrix: Any
    group: Any
    family: Family
    row: Any
    y: Any
    interval: Any
    log_exposure: Any
    lengths_days: tuple[float, ...] = ()

    @classmethod
    def binary(cls, matrix: Any, y: Any, *, group: Any) -> Design:
        """Plain 0/1 labels, one for each row."""
        count = len(matrix)
        zeros = np.zeros(count)
        return cls(
            matrix, _codes(group), "binomial", np.arange(count), np.asarray(y, dtype=np.float64),
            np.zeros(count, dtype=int), zeros,
        )  # fmt: skip

    @classmethod
    def amounts(cls, matrix: Any, y: Any, *, group: Any) -> Design:
        """An amount of zero or more for each row, in units near its mean."""
        return replace(cls.binary(matrix, y, group=group), family="tweedie")

    @classmethod
    def hazard(
        cls,
        matrix: Any,
        *,
        row: Any,
        event: Any,
        interval: Any,
        exposure_days: Any,
        lengths_days: Any,
        group: Any,
    ) -> Design:
        """Stacked intervals.

        Args:
            matrix: Encoded rows, (n, p).
            row: Matrix row of each observation, (m,).
            event: Whether the event fell into the interval, (m,).
            interval: Interval index, (m,).
            exposure_days: Days at risk, (m,), > 0.
            lengths_days: Length of each interval.
            group: Group of each matrix row, (n,).
        """
        return cls(
            matrix, _codes(group), "poisson", np.asarray(row, dtype=int), np.asarray(event, dtype=np.float64),
            np.asarray(interval, dtype=int),
            np.log(np.asarray(exposure_days, dtype=np.float64) / EXPOSURE_UNIT_DAYS),
            tuple(float(v) for v in lengths_days),
        )  # fmt: skip

    @property
    def timed(self) -> bool:
        """Whether observations are stacked intervals."""
        return self.family == "poisson"

    @property
    def positives(self) -> int:
        """Observations with the event."""
        return int(self.y.sum())

    def take(self, rows: Any) -> Design:
        """The observations of some matrix rows; rows may repeat, as in a bootstrap."""
        rows = np.asarray(rows, dtype=int)
        order = np.argsort(self.row, kind="stable")
        start = np.searchsorted(self.row[order], rows, side="left")
        count = np.searchsorted(self.row[order], rows, side="right") - start
        new_row = np.repeat(np.arange(len(rows)), count)
        within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        picked = order[np.repeat(start, count) + within]
        return replace(
            self, matrix=self.matrix[rows], group=self.group[rows], row=new_row, y=self.y[picked],
            interval=self.interval[picked], log_exposure=self.log_exposure[picked],
        )  # fmt: skip

    def likelihood(self, offset: Any = None) -> Likelihood:
        """Observations for `fit_glm`, an intercept for each interval.

        Args:
            offset: Fixed part of eta of each matrix row, (n,); None: 0.
        """
        fixed = self.log_exposure if offset is None else self.log_exposure + offset[self.row]
        return Likelihood(self.family, self.y, fixed, self.row, self.interval)


def grouped_folds(group: Any, *, folds: int, seed: int) -> Any:
    """Fold of each row, (n,); rows of a group stay together, and folds are of like size."""
    codes = _codes(group)
    count = np.bincount(codes)
    shuffled = np.random.default_rng(seed).permutation(len(count))
    order = shuffled[np.argsort(-count[shuffled], kind="stable")]
    fold_of = np.empty(len(count), dtype=int)
    fold_of[order] = np.arange(len(order)) % folds
    return fold_of[codes]


def bootstrap_rows(group: Any, *, size: int, rng: Any) -> Any:
    """Rows of groups drawn with replacement until about `size` rows are there."""
    codes = _codes(group)
    order = np.argsort(codes, kind="stable")
    count = np.bincount(codes)
    start = np.cumsum(count) - count
    draws = max(1, round(size * len(count) / max(len(codes), 1)))
    drawn = rng.integers(0, len(count), draws)
    return np.concatenate([order[start[g] : start[g] + count[g]] for g in drawn])


def _codes(group: Any) -> Any:
    return np.unique(np.asarray(group), return_inverse=True)[1]
