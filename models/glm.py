"""Penalised generalised linear fits with offsets and signs: the quiet part of every model.

Three families: `binomial` (log-odds of 0/1), `poisson` (log rate of an event, exposure in the offset) and
`tweedie` (log mean of an amount that may be zero).
Rows of the likelihood point at rows of the design matrix, so that an entity asked about for several
intervals is stored once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Family = Literal["binomial", "poisson", "tweedie"]
ETA_BOUND = 30.0
TWEEDIE_POWER = 1.4
"""Variance grows as mean^1.4: between counts of deals (1) and sizes of deals (2)."""


@dataclass(frozen=True)
class Likelihood:
    """Observations of a fit.

    Attributes:
        family: Distribution.
        y: Outcomes, (m,).
        offset: Fixed part of eta, (m,), log exposure included.
        row: Row of the design matrix of each observation, (m,).
        level: Index of the unpenalised intercept of each observation, (m,); all 0: one intercept.
    """

    family: Family
    y: Any
    offset: Any
    row: Any
    level: Any

    @property
    def levels(self) -> int:
        """Number of intercepts."""
        return int(self.level.max()) + 1 if len(self.level) else 1


def losses(family: Family, y: Any, eta: Any) -> Any:
    """Negative log-likelihood of each observation, without terms free of eta."""
    if family == "binomial":
        return np.logaddexp(0.0, eta) - y * eta
    if family == "tweedie":
        return tweedie_losses(y, eta)
    return np.exp(np.minimum(eta, ETA_BOUND)) - y * eta


def tweedie_losses(y: Any, eta: Any) -> Any:
    """Negative quasi-log-likelihood of amounts at power 1.4 and dispersion 1, without terms free of eta.

    Source: Jørgensen, Exponential dispersion models (1987), with the log link.
    """
    eta, p = np.clip(eta, -ETA_BOUND, ETA_BOUND), TWEEDIE_POWER
    return y * np.exp((1 - p) * eta) / (p - 1) + np.exp((2 - p) * eta) / (2 - p)


def slopes(family: Family, y: Any, eta: Any) -> tuple[Any, Any]:
    """First derivative of each loss in eta, and a second one that is positive."""
    mean = expected(family, eta)
    if family == "tweedie":
        away, toward = y * mean ** (1 - TWEEDIE_POWER), mean ** (2 - TWEEDIE_POWER)
        return toward - away, (TWEEDIE_POWER - 1) * away + (2 - TWEEDIE_POWER) * toward
    return mean - y, mean * (1 - mean) if family == "binomial" else mean


def expected(family: Family, eta: Any) -> Any:
    """Mean of each observation: its probability, its expected count or its expected amount."""
    from scipy.special import expit

    return expit(eta) if family == "binomial" else np.exp(np.minimum(eta, ETA_BOUND))


@dataclass(frozen=True)
class GlmFit:
    """Result of `fit_glm`.

    Attributes:
        intercepts: One for each level, (levels,).
        coefficients: One for each column, (p,).
    """

    intercepts: Any
    coefficients: Any


def fit_glm(
    matrix: Any,
    data: Likelihood,
    *,
    penalty: Any,
    centre: Any = 0.0,
    toll: float = 0.0,
    sign: Any = 0,
    least: float = 0.0,
    most: float = ETA_BOUND,
) -> GlmFit:
    """Minimise −log L + ½ Σ penalty·(β − centre)² + toll·Σ β, with β of the given signs.

    Projected Newton steps: quasi-Newton methods stopped far from the optimum on such likelihoods.

    Args:
        matrix: Columns without missing values, float64 (n, p).
        data: Observations.
        penalty: Ridge strength, in nats, (p,) or a number.
        centre: Where coefficients are drawn to, (p,) or a number.
        toll: Nats that a coefficient of 1 costs; for weights, which are not negative.
        sign: +1, -1 or 0 (free) of each coefficient, (p,) or a number.
        least: Least size of a signed coefficient.
        most: Greatest size of any coefficient.

    Source: Bertsekas, Projected Newton methods for optimization problems with simple constraints (1982).
    """
    problem = _Problem(matrix, data, *_spread_out(matrix.shape[1], data.levels, penalty, centre, toll))
    sign = np.broadcast_to(np.asarray(sign), (matrix.shape[1],))
    wide = np.full(data.levels, ETA_BOUND)
    low = np.concatenate([-wide, np.where(sign > 0, least, -most)])
    high = np.concatenate([wide, np.where(sign < 0, -least, most)])
    point = np.clip(problem.start(), low, high)
    value, slope = problem.value(point), problem.slope(point)
    for _ in range(MAX_STEPS):
        held = ((point <= low) & (slope > 0)) | ((point >= high) & (slope < 0))
        if np.abs(np.where(held, 0.0, slope)).max(initial=0.0) < CONVERGED * max(1.0, len(data.y)):
            break
        step = np.zeros_like(point)
        free = ~held
        step[free] = -np.linalg.solve(problem.curvature(point)[np.ix_(free, free)], slope[free])
        moved, gained = _search(problem, point, value, slope, step, low, high)
        if moved is None:
            break
        point, value, slope = moved, gained, problem.slope(moved)
    return GlmFit(point[: data.levels], point[data.levels :])


MAX_STEPS = 60
CONVERGED = 1e-9
JITTER = 1e-8


@dataclass(frozen=True)
class _Problem:
    """The objective over (intercepts, coefficients)."""

    matrix: Any
    data: Likelihood
    penalty: Any
    centre: Any
    toll: Any

    def start(self) -> Any:
        """Intercepts at the mean outcome, coefficients where they are drawn to."""
        data, levels = self.data, self.data.levels
        eta = data.offset + (self.matrix @ self.centre[levels:])[data.row]
        rate = (data.y.sum() + 0.5) / (expected("poisson", eta).sum() + 0.5)
        shift = np.clip(np.log(rate), -ETA_BOUND / 2, ETA_BOUND / 2) if len(data.y) else 0.0
        return self.centre + np.concatenate([np.full(levels, shift), np.zeros(self.matrix.shape[1])])

    def _eta(self, point: Any) -> Any:
        levels = self.data.levels
        return (
            self.data.offset + point[:levels][self.data.level] + (self.matrix @ point[levels:])[self.data.row]
        )

    def value(self, point: Any) -> float:
        away = point - self.centre
        own = losses(self.data.family, self.data.y, self._eta(point)).sum()
        return float(own + 0.5 * (self.penalty * away**2).sum() + (self.toll * point).sum())

    def slope(self, point: Any) -> Any:
        residual = slopes(self.data.family, self.data.y, self._eta(point))[0]
        by_level, by_row = self._sums(residual)
        plain = np.concatenate([by_level, self.matrix.T @ by_row])
        return plain + self.penalty * (point - self.centre) + self.toll

    def curvature(self, point: Any) -> Any:
        weight = slopes(self.data.family, self.data.y, self._eta(point))[1]
        by_level, by_row = self._sums(weight)
        levels = self.data.levels
        out = np.diag(self.penalty + JITTER)
        out[:levels, :levels] += np.diag(by_level)
        for k in range(levels):
            here = np.bincount(
                self.data.row, weights=np.where(self.data.level == k, weight, 0.0), minlength=len(self.matrix)
            )
            cross = self.matrix.T @ here
            out[k, levels:] += cross
            out[levels:, k] += cross
        out[levels:, levels:] += (self.matrix * by_row[:, None]).T @ self.matrix
        return out

    def _sums(self, values: Any) -> tuple[Any, Any]:
        by_level = np.bincount(self.data.level, weights=values, minlength=self.data.levels)
        return by_level, np.bincount(self.data.row, weights=values, minlength=len(self.matrix))


def _search(
    problem: _Problem, point: Any, value: float, slope: Any, step: Any, low: Any, high: Any
) -> tuple[Any, float]:
    """Halve the step along the projected arc until the objective falls enough; (None, …) when it cannot."""
    for power in range(40):
        moved = np.clip(point + step * 0.5**power, low, high)
        gained = problem.value(moved)
        if gained <= value + 1e-4 * float(slope @ (moved - point)) and (moved != point).any():
            return moved, gained
    return None, value


def _spread_out(columns: int, levels: int, penalty: Any, centre: Any, toll: float) -> tuple[Any, Any, Any]:
    free = np.zeros(levels)

    def full(value: Any) -> Any:
        return np.concatenate([free, np.broadcast_to(np.asarray(value, dtype=np.float64), (columns,))])

    return full(penalty), full(centre), full(toll)
