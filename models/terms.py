"""The additive parts of a score: scorecard, linear part, trees.

eta(x) = intercept + prior(x) + linear(x) + boosted(x), before calibration. Every part gives a constant and
one contribution for each encoded column, centred on the rows of training, so that reasons add up exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from models.calibration import Affine
from models.encoding import Encoder
from models.scorecard import Criterion, Scorecard

Z_BOUND = 4.0
"""Standard scores are cut here: a value ×100 must not carry a linear part away."""


@dataclass(frozen=True)
class PriorTerm:
    """The scorecard as log-odds or log hazard.

    Attributes:
        scorecard: Criteria, all of them columns of the matrix.
        columns: Matrix column of each criterion; of one that looks at text, the feature's first.
        affine: Map of points (0–100) to eta.
        centres: Mean points of each criterion in training.
        spans: For a criterion that looks at text, its (matrix column, code of the level).
    """

    scorecard: Scorecard
    columns: tuple[int, ...]
    affine: Affine
    centres: tuple[float, ...]
    spans: tuple[tuple[tuple[int, float], ...], ...] = ()

    @classmethod
    def places(
        cls, scorecard: Scorecard, encoder: Encoder
    ) -> tuple[tuple[int, ...], tuple[tuple[tuple[int, float], ...], ...]]:
        """Where each criterion stands in the matrix: `columns` and `spans`."""
        columns = tuple(encoder.spans[c.feature][0] for c in scorecard.criteria)
        if not any(c.of_text for c in scorecard.criteria):
            return columns, ()
        return columns, tuple(_codes(c, encoder) for c in scorecard.criteria)

    def values(self, matrix: Any) -> Any:
        """What each criterion looks at, (n, criteria): numbers, or codes of text."""
        found = matrix[:, self.columns]
        for k, span in enumerate(self.spans):
            if span:
                found[:, k] = np.nan
                for column, code in span:
                    found[matrix[:, column] > 0, k] = code
        return found

    @property
    def baseline(self) -> float:
        """Constant part."""
        return float(self.affine(sum(self.centres)))

    def points(self, matrix: Any) -> Any:
        """Scorecard points 0–100, (n,)."""
        return self.scorecard.contributions_of(self.values(matrix)).sum(axis=1)

    def eta(self, matrix: Any) -> Any:
        """The term, (n,)."""
        return self.affine(self.points(matrix))

    def contributions(self, matrix: Any) -> Any:
        """Contribution of each matrix column, (n, p)."""
        out = np.zeros(matrix.shape)
        out[:, self.columns] = self.affine.b * self.centred(matrix)
        return out

    def centred(self, matrix: Any) -> Any:
        """Points of each criterion less their mean in training, (n, criteria)."""
        return self.scorecard.contributions_of(self.values(matrix)) - np.array(self.centres)


@dataclass(frozen=True)
class Scaling:
    """Standard scores of matrix columns: signed log of numbers, then centred, scaled and cut at ±4.

    Attributes:
        logged: Whether the column is a number whose signed log is taken, (p,).
        mean: Mean in training, (p,).
        scale: Standard deviation in training, (p,); 1 where constant.
    """

    logged: tuple[bool, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]

    @classmethod
    def fit(cls, matrix: Any, encoder: Encoder) -> Scaling:
        """Means and deviations of the rows of training."""
        logged = np.array([c.role == "value" for c in encoder.encoded])
        values = _signed_log(matrix, logged)
        known = ~np.isnan(values)
        count = np.maximum(known.sum(axis=0), 1)
        mean = np.where(known, values, 0.0).sum(axis=0) / count
        variance = np.where(known, (values - mean) ** 2, 0.0).sum(axis=0) / count
        scale = np.where(variance > 1e-12, np.sqrt(variance), 1.0)
        return cls(tuple(map(bool, logged)), tuple(map(float, mean)), tuple(map(float, scale)))

    def __call__(self, matrix: Any) -> Any:
        """Standard scores, (n, p); a missing value is at the mean."""
        values = _signed_log(matrix, np.array(self.logged))
        scores = np.clip((values - np.array(self.mean)) / np.array(self.scale), -Z_BOUND, Z_BOUND)
        return np.where(np.isnan(scores), 0.0, scores)


@dataclass(frozen=True)
class LinearTerm:
    """A penalised linear part on standard scores, which may also take back some of the scorecard's weight.

    A scorecard can lean too hard on a criterion. The other parts, bound to their signs, cannot lean the other
    way; so the slope of each criterion is tilted here, never beyond nothing.

    Attributes:
        scaling: Standard scores.
        coefficients: Blend weight included, (p,).
        tilts: Change of eta for each point of each criterion, (criteria,); empty without a scorecard.
        prior: The scorecard part that is tilted.
    """

    scaling: Scaling
    coefficients: tuple[float, ...]
    tilts: tuple[float, ...] = ()
    prior: PriorTerm | None = None

    def eta(self, matrix: Any) -> Any:
        """The term, (n,); no matrix product, whose last bits depend on how many rows come together."""
        return self.contributions(matrix).sum(axis=1)

    def contributions(self, matrix: Any) -> Any:
        """Contribution of each matrix column, (n, p)."""
        out = self.scaling(matrix) * np.array(self.coefficients)
        if self.prior and self.tilts:
            out[:, self.prior.columns] += np.array(self.tilts) * self.prior.centred(matrix)
        return np.ascontiguousarray(out)


@dataclass(frozen=True)
class BoostTerm:
    """Gradient-boosted trees.

    Attributes:
        booster: lightgbm.Booster.
        weight: Blend weight.
        timed: Whether the last input of the trees is the interval index.
    """

    booster: Any
    weight: float
    timed: bool

    def raw(self, filled: Any, *, interval: int = 0) -> Any:
        """Raw score of the trees, (n,), at one interval."""
        return self.booster.predict(self._inputs(filled, interval), raw_score=True, num_threads=1)

    def eta(self, filled: Any) -> Any:
        """The term, (n,), at interval 0."""
        return self.weight * self.raw(filled)

    def contributions(self, filled: Any) -> Any:
        """Contribution of each matrix column, (n, p)."""
        return self.weight * self._shap(filled)[:, : filled.shape[1]]

    @cached_property
    def baseline(self) -> float:
        """Constant part: the trees' mean, and the interval's part, which is the same for every row."""
        width = self.booster.num_feature() - int(self.timed)
        row = self._shap(np.zeros((1, width)))[0]
        return float(self.weight * row[width:].sum())

    def _shap(self, filled: Any) -> Any:
        return self.booster.predict(self._inputs(filled, 0), pred_contrib=True, num_threads=1)

    def _inputs(self, filled: Any, interval: int) -> Any:
        if not self.timed:
            return np.ascontiguousarray(filled)
        return np.column_stack([filled, np.full(len(filled), float(interval))])


@dataclass(frozen=True)
class Terms:
    """All parts together.

    Attributes:
        encoder: Columns of the matrix.
        intercept: Constant.
        prior: Scorecard part.
        linear: Linear part.
        boosted: Trees.
    """

    encoder: Encoder
    intercept: float = 0.0
    prior: PriorTerm | None = None
    linear: LinearTerm | None = None
    boosted: BoostTerm | None = None

    @property
    def baseline(self) -> float:
        """Constant part of eta."""
        total = self.intercept
        total += self.prior.baseline if self.prior else 0.0
        return total + (self.boosted.baseline if self.boosted else 0.0)

    def eta(self, matrix: Any) -> Any:
        """Eta of each row before calibration, without the horizon's constant, (n,)."""
        total = np.full(len(matrix), self.intercept)
        if self.prior:
            total = total + self.prior.eta(matrix)
        if self.linear:
            total = total + self.linear.eta(matrix)
        if self.boosted:
            total = total + self.boosted.eta(self.encoder.filled(matrix))
        return total

    def contributions(self, matrix: Any) -> Any:
        """Contribution of each matrix column to eta before calibration, (n, p)."""
        total = np.zeros(matrix.shape)
        if self.prior:
            total += self.prior.contributions(matrix)
        if self.linear:
            total += self.linear.contributions(matrix)
        if self.boosted:
            total += self.boosted.contributions(self.encoder.filled(matrix))
        return total


def _codes(criterion: Criterion, encoder: Encoder) -> tuple[tuple[int, float], ...]:
    """Matrix columns of a text criterion with the code of each; nothing for a number."""
    if not criterion.of_text:
        return ()
    encoded = [(i, encoder.encoded[i]) for i in encoder.spans[criterion.feature]]
    return tuple(
        (i, float(criterion.codes([c.level if c.role == "level" else "\x00"])[0]))
        for i, c in encoded
        if c.role != "missing"
    )


def _signed_log(matrix: Any, logged: Any) -> Any:
    return np.where(logged, np.sign(matrix) * np.log1p(np.abs(matrix)), matrix)
