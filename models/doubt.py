"""How sure a calibrator is: an affine map learnt from few outcomes may be off as a whole, or in its slope.

Refits of the parts show how far g(x) would move on other partners; they say nothing about the map that is put
on top of it, which was fitted on fewer outcomes than the parts were. An interval needs both.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from models.calibration import PRIOR_SD_INTERCEPT, PRIOR_SD_LOG_SLOPE, Affine
from models.glm import slopes

FEWEST_GROUPS = 2


@dataclass(frozen=True)
class Doubt:
    """Variance of a + b·g, a parabola over g that is least in the midst of what the map was fitted on.

    Attributes:
        centre: Mean g of the outcomes it was fitted on.
        level: Variance of the map at the centre.
        tilt: Covariance of the map at the centre and its slope.
        slope: Variance of the slope.
    """

    centre: float = 0.0
    level: float = 0.0
    tilt: float = 0.0
    slope: float = 0.0

    def variance(self, g: Any) -> Any:
        """Variance of the calibrated eta, (n,)."""
        away = np.asarray(g) - self.centre
        return np.maximum(self.level + 2.0 * self.tilt * away + self.slope * away**2, 0.0)

    def to_json(self) -> dict[str, float]:
        """Its four numbers."""
        return asdict(self)


CERTAIN = Doubt()


def doubt_of(eta: Any, y: Any, group: Any, *, affine: Affine, link: str, constant: Any = 0.0) -> Doubt:
    """The doubt of a fitted map: covariance of its estimate, entities drawn as wholes.

    Outcomes of one entity, at several dates and horizons, are dependent: their scores are summed before they
    are squared.

    Args:
        eta: g of each outcome, (n,).
        y: Outcomes: 0/1, or amounts, (n,).
        group: Code of the entity of each outcome, (n,).
        affine: The fitted map.
        link: `log_odds`, `log_cumulative_hazard` or `log_amount`.
        constant: Part of eta the slope leaves alone, (n,).

    Source: the clustered sandwich estimator (Liang and Zeger, Biometrika 73, 1986), small-sample factor
    G / (G − 1).
    """
    group = np.unique(group, return_inverse=True)[1]
    count = int(group.max()) + 1 if len(eta) else 0
    if count < FEWEST_GROUPS:
        return Doubt(level=PRIOR_SD_INTERCEPT**2, slope=PRIOR_SD_LOG_SLOPE**2)
    eta = np.asarray(eta, dtype=np.float64)
    centre = float(eta.mean())
    first, second = _derivatives(link, np.asarray(y, dtype=np.float64), affine(eta) + constant)
    places = np.column_stack([np.ones(eta.size), eta - centre])
    prior = np.diag([1.0 / PRIOR_SD_INTERCEPT**2, 1.0 / (PRIOR_SD_LOG_SLOPE * affine.b) ** 2])
    bread = np.linalg.inv((places * second[:, None]).T @ places + prior)
    scores = np.column_stack([np.bincount(group, first * p, minlength=count) for p in places.T])
    # The prior is one more thing that was seen, so that few groups cannot pretend to be sure.
    meat = scores.T @ scores * count / (count - 1) + prior
    covariance = bread @ meat @ bread
    return Doubt(centre, float(covariance[0, 0]), float(covariance[0, 1]), float(covariance[1, 1]))


def _derivatives(link: str, y: Any, eta: Any) -> tuple[Any, Any]:
    """First derivative of each loss in eta, and a second one that is positive."""
    if link == "log_odds":
        return slopes("binomial", y, eta)
    if link == "log_amount":
        return slopes("tweedie", y, eta)
    hazard = np.exp(np.clip(eta, -50.0, 50.0))
    pull = hazard / np.maximum(np.expm1(np.minimum(hazard, 500.0)), 1e-300)
    # Second: the expected one, var(y) · (d eta / d mean)^-2.
    return np.where(y > 0, -pull, hazard), hazard * pull
