"""Affine calibration: what is served is a + b·g(x) + a constant, so that contributions stay additive.

Both fits are maximum likelihood with a weak normal prior on (a, log b) around (0, 0): with few rows the map
stays near the identity, with many it is the plain Platt fit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.glm import tweedie_losses

SLOPE_RANGE = (0.05, 5.0)
PRIOR_SD_INTERCEPT = 2.0
PRIOR_SD_LOG_SLOPE = 0.7
TINY = 1e-12


@dataclass(frozen=True)
class Affine:
    """a + b·x.

    Attributes:
        a: Intercept.
        b: Slope.
    """

    a: float = 0.0
    b: float = 1.0

    def __call__(self, x: Any) -> Any:
        """The map, element by element."""
        return self.a + self.b * x


def logistic(eta: Any) -> Any:
    """Probability of log-odds."""
    from scipy.special import expit

    return expit(eta)


def complementary(eta: Any) -> Any:
    """Probability of a log cumulative hazard: 1 − exp(−exp(eta)).

    Source: the complementary log-log link of grouped survival data (Prentice and Gloeckler, 1978).
    """
    with np.errstate(over="ignore"):
        return -np.expm1(-np.exp(eta))


def amount(eta: Any) -> Any:
    """Expected amount of its logarithm."""
    return np.exp(np.minimum(eta, 50.0))


LINKS: dict[str, Callable[[Any], Any]] = {
    "log_odds": logistic,
    "log_cumulative_hazard": complementary,
    "log_amount": amount,
}


def fit_platt(eta: Any, y: Any, *, constant: Any = 0.0, weight: Any = None) -> Affine:
    """Affine map of log-odds that maximises the binomial likelihood.

    Args:
        eta: Log-odds, (n,).
        y: Outcomes 0/1, (n,).
        constant: Part of the log-odds that the slope leaves alone, such as the cut of an ordered class, (n,).
        weight: Row weights, (n,); None: 1.
    """
    return _fit(eta, y, weight, _binomial_loss, np.asarray(constant, dtype=np.float64))


def fit_cloglog(eta: Any, y: Any, *, constant: Any = 0.0, weight: Any = None) -> Affine:
    """Affine map of g(x), the part of a log cumulative hazard that all horizons share.

    log Λ(h) = a + b·g(x) + c_h. The slope is kept off the horizons' constants: a slope on them too would
    bend the course of the risk over time to mend its spread over partners.

    All horizons are stacked, a row for each (entity, horizon): one map must serve them all, so all of them
    speak. Rows of an entity are dependent, which leaves the estimate unbiased; its spread is judged by
    resampling entities, never from this likelihood.

    Args:
        eta: g(x), (n,).
        y: Whether the event came by the row's horizon, (n,).
        constant: c_h of the row's horizon, (n,).
        weight: Row weights, (n,); None: 1.
    """
    return _fit(eta, y, weight, _cloglog_loss, np.asarray(constant, dtype=np.float64))


def fit_tweedie(eta: Any, y: Any, *, weight: Any = None) -> Affine:
    """Affine map of log amounts that maximises the Tweedie quasi-likelihood.

    Args:
        eta: Log of the expected amount, (n,).
        y: Amounts in the same units, (n,).
        weight: Row weights, (n,); None: 1.
    """
    return _fit(eta, y, weight, lambda e, seen: tweedie_losses(seen, e))


def _binomial_loss(eta: Any, y: Any) -> Any:
    return np.logaddexp(0.0, eta) - y * eta


def _cloglog_loss(eta: Any, y: Any) -> Any:
    hazard = np.exp(np.clip(eta, -50.0, 50.0))
    return np.where(y > 0, -np.log(np.maximum(-np.expm1(-hazard), TINY)), hazard)


def _fit(eta: Any, y: Any, weight: Any, loss: Callable[[Any, Any], Any], constant: Any = 0.0) -> Affine:
    from scipy.optimize import minimize

    eta, y = np.asarray(eta, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if not len(eta):
        return Affine()
    weight = np.ones_like(eta) if weight is None else np.asarray(weight, dtype=np.float64)
    centre = float(np.average(eta, weights=weight)) if weight.sum() > 0 else 0.0

    def objective(point: Any) -> float:
        # Turning about the mean keeps shift and slope nearly independent.
        shift, log_slope = point
        moved = centre + shift + np.exp(log_slope) * (eta - centre) + constant
        prior = 0.5 * ((shift / PRIOR_SD_INTERCEPT) ** 2 + (log_slope / PRIOR_SD_LOG_SLOPE) ** 2)
        return float(np.sum(weight * loss(moved, y)) + prior)

    bounds = [(-10.0, 10.0), (float(np.log(SLOPE_RANGE[0])), float(np.log(SLOPE_RANGE[1])))]
    # Without derivatives: line searches on such likelihoods can stop far from the optimum.
    options = {"xatol": 1e-9, "fatol": 1e-10, "maxiter": 2000}
    found = minimize(objective, np.zeros(2), method="Nelder-Mead", bounds=bounds, options=options)
    shift, slope = float(found.x[0]), float(np.exp(found.x[1]))
    return Affine(centre + shift - slope * centre, slope)
