"""Metrics of yes/no predictions, computed for many weightings of the rows at once.

Every function takes (k, n) weights and answers (k,) figures, NaN where the figure does not exist (one class
only, fewer rows than asked for): a missing figure is never replaced by a number.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.resampling import Estimate, Floats, Resampler, estimate

EPSILON = 1e-12  # probabilities are kept this far from 0 and 1 before a logarithm
TOP_ROWS = 50
TOP_SHARE = 0.10
CALIBRATION_GROUPS = 512
RANKED = ("auc", "average_precision", "precision_at_50", "lift_at_10pct")
POOLED = ("log_loss", "brier", "calibration_slope", "calibration_in_the_large")
BINARY_METRICS = (*RANKED[:2], *POOLED, *RANKED[2:])


@dataclass(frozen=True)
class Judged:
    """Predictions beside what happened, on test rows only.

    Attributes:
        y: (n,) 0 or 1.
        p: (n,) predicted probability; NaN makes every metric NaN.
        entity: (n,) code of the entity, the unit of the bootstrap.
        origin: (n,) code of the test origin; ranks are compared within an origin only.
    """

    y: Floats
    p: Floats
    entity: NDArray[np.int64]
    origin: NDArray[np.int64]

    @property
    def size(self) -> int:
        """Number of test rows."""
        return int(self.y.size)

    def take(self, rows: NDArray[np.bool_]) -> Judged:
        """The rows of a mask; entities are renumbered."""
        entity = np.unique(self.entity[rows], return_inverse=True)[1].astype(np.int64)
        return Judged(self.y[rows], self.p[rows], entity, self.origin[rows])


@dataclass(frozen=True)
class Ranking:
    """Weights of rows and of positives per group of equal scores, highest score first."""

    rows: Floats
    positives: Floats

    @staticmethod
    def of(y: Floats, p: Floats, weights: Floats) -> Ranking:
        """Sort by score, falling, and add up ties."""
        order = np.argsort(-p, kind="stable")
        ranked = p[order]
        starts = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]]))
        sorted_weights = weights[:, order]
        rows = np.add.reduceat(sorted_weights, starts, axis=1)
        return Ranking(rows, np.add.reduceat(sorted_weights * y[order], starts, axis=1))


def _divide(top: Floats, bottom: Floats) -> Floats:
    return np.divide(top, bottom, out=np.full(np.shape(top), np.nan), where=bottom > 0)


def auc(ranking: Ranking) -> Floats:
    """Chance that a positive is ranked above a negative; a tie counts one half."""
    negatives = ranking.rows - ranking.positives
    total = negatives.sum(axis=1)
    below = total[:, None] - np.cumsum(negatives, axis=1)
    wins = (ranking.positives * (below + 0.5 * negatives)).sum(axis=1)
    return _divide(wins, ranking.positives.sum(axis=1) * total)


def average_precision(ranking: Ranking) -> Floats:
    """Mean precision at each positive; ties are taken together, as scikit-learn does."""
    seen = np.cumsum(ranking.rows, axis=1)
    precision = np.divide(np.cumsum(ranking.positives, axis=1), seen, out=np.zeros_like(seen), where=seen > 0)
    return _divide((precision * ranking.positives).sum(axis=1), ranking.positives.sum(axis=1))


def _top_positives(ranking: Ranking, size: Floats) -> Floats:
    """Expected positives among the `size` first rows, ties broken at random."""
    before = np.cumsum(ranking.rows, axis=1) - ranking.rows
    taken = np.clip(size[:, None] - before, 0.0, ranking.rows)
    share = np.divide(taken, ranking.rows, out=np.zeros_like(taken), where=ranking.rows > 0)
    return (share * ranking.positives).sum(axis=1)


def precision_at(ranking: Ranking, rows: int = TOP_ROWS) -> Floats:
    """Share of positives among the first `rows`; NaN where there are fewer rows."""
    total = ranking.rows.sum(axis=1)
    found = _top_positives(ranking, np.full(total.shape, float(rows))) / rows
    return np.where(total >= rows, found, np.nan)


def lift_at(ranking: Ranking, share: float = TOP_SHARE) -> Floats:
    """Rate of positives in the first `share` of rows over the rate in all."""
    total = ranking.rows.sum(axis=1)
    size = share * total
    rate = _divide(ranking.positives.sum(axis=1), total)
    return _divide(_divide(_top_positives(ranking, size), size), rate)


def row_log_loss(y: Floats, p: Floats) -> Floats:
    """(n,) log-loss of each row, in nats."""
    p = np.clip(p, EPSILON, 1 - EPSILON)
    return -(y * np.log(p) + (1 - y) * np.log1p(-p))


def calibration_in_the_large(y: Floats, p: Floats, weights: Floats) -> Floats:
    """Observed positives per predicted positive; 1 is right, above 1 the model is too hopeful."""
    return _divide(weights @ y, weights @ p)


def _grouped(y: Floats, p: Floats, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """(log-odds, weight, positives) per group of neighbouring scores: exact up to 512 distinct scores."""
    eta = np.log(np.clip(p, EPSILON, 1 - EPSILON)) - np.log1p(-np.clip(p, EPSILON, 1 - EPSILON))
    values, code = np.unique(eta, return_inverse=True)
    if values.size > CALIBRATION_GROUPS:
        rank = np.argsort(np.argsort(eta, kind="stable"), kind="stable")
        code = rank * CALIBRATION_GROUPS // eta.size
        values = np.bincount(code, eta) / np.bincount(code)
    order = np.argsort(code, kind="stable")
    starts = np.searchsorted(code[order], np.arange(values.size))
    rows = np.add.reduceat(weights[:, order], starts, axis=1)
    return values, rows, np.add.reduceat(weights[:, order] * y[order], starts, axis=1)


def calibration_slope(y: Floats, p: Floats, weights: Floats, *, steps: int = 25) -> Floats:
    """Slope of a logistic regression of the outcome on the predicted log-odds; below 1 is over-confident.

    Limits: NaN when one class is missing or all predictions are equal; a slope beyond ±50 counts as NaN,
    since the classes are then separated and no finite slope exists.
    """
    x, rows, positives = _grouped(y, p, weights)
    size, k = weights.shape[0], rows.sum(axis=1)
    usable = (positives.sum(axis=1) > 0) & (positives.sum(axis=1) < k) & (np.ptp(x) > 1e-9)
    a, b = np.zeros(size), np.ones(size)
    for _ in range(steps):
        mu = 1 / (1 + np.exp(-np.clip(a[:, None] + b[:, None] * x, -35, 35)))
        residual, curve = positives - rows * mu, rows * mu * (1 - mu)
        ga, gb = residual.sum(axis=1), residual @ x
        haa, hab, hbb = curve.sum(axis=1) + 1e-9, curve @ x, curve @ (x * x) + 1e-9
        determinant = np.maximum(haa * hbb - hab * hab, 1e-12)
        da, db = (hbb * ga - hab * gb) / determinant, (haa * gb - hab * ga) / determinant
        a, b = a + np.clip(da, -5, 5), b + np.clip(db, -2, 2)
    return np.where(usable & (np.abs(b) < 50), b, np.nan)


def _ranked(judged: Judged, weights: Floats) -> dict[str, Floats]:
    """Mean over origins of what compares ranks, over the origins where it exists."""
    found: dict[str, list[Floats]] = {name: [] for name in RANKED}
    for origin in np.unique(judged.origin):
        rows = judged.origin == origin
        ranking = Ranking.of(judged.y[rows], judged.p[rows], weights[:, rows])
        figures = (auc(ranking), average_precision(ranking), precision_at(ranking), lift_at(ranking))
        for name, figure in zip(RANKED, figures, strict=True):
            found[name].append(figure)
    means: dict[str, Floats] = {}
    for name, figures_ in found.items():
        stack = np.stack(figures_)
        known = np.isfinite(stack)
        means[name] = _divide(np.where(known, stack, 0.0).sum(axis=0), known.sum(axis=0).astype(float))
    return means


def _pooled(judged: Judged, weights: Floats) -> dict[str, Floats]:
    total = weights.sum(axis=1)
    return {
        "log_loss": _divide(weights @ row_log_loss(judged.y, judged.p), total),
        "brier": _divide(weights @ (judged.p - judged.y) ** 2, total),
        "calibration_slope": calibration_slope(judged.y, judged.p, weights),
        "calibration_in_the_large": calibration_in_the_large(judged.y, judged.p, weights),
    }


def draw_metrics(judged: Judged, resampler: Resampler) -> dict[str, Floats]:
    """Every yes/no metric for the data as it is (first) and for each draw of entities.

    Args:
        judged: Test rows.
        resampler: Draws; pass the same one for two models to compare them in pairs.

    Returns:
        Metric name → (replicates + 1,) figures.
    """
    draws = resampler.replicates + 1
    if judged.size == 0 or not np.isfinite(judged.p).all():
        return {name: np.full(draws, np.nan) for name in BINARY_METRICS}
    blocks = [_ranked(judged, w) | _pooled(judged, w) for w in resampler.chunks()]
    return {name: np.concatenate([b[name] for b in blocks]) for name in BINARY_METRICS}


def measure(judged: Judged, *, replicates: int = 400, seed: int = 0) -> dict[str, Estimate]:
    """Every yes/no metric with its interval over entities.

    Args:
        judged: Test rows.
        replicates: Draws of the bootstrap.
        seed: Seed of the draws.
    """
    draws = draw_metrics(judged, Resampler(judged.entity, replicates, seed))
    return {name: estimate(figures) for name, figures in draws.items()}
