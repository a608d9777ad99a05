"""Calibrators that may bend, beside the affine one that is served: beta and isotonic."""

from __future__ import annotations

import numpy as np

from evaluation.resampling import Floats
from models.glm import Likelihood, fit_glm

FEWEST_ROWS, FEWEST_OUTCOMES = 50, 10
TINY = 1e-6
HELD_RIDGE = 1e-3


def beta_map(p: Floats, y: Floats, new: Floats) -> Floats:
    """Probabilities through a·log p − b·log(1 − p) + c, with a and b at least 0.

    Source: Kull, Silva Filho and Flach, Beta calibration (AISTATS 2017).
    """
    rows = np.arange(y.size)
    data = Likelihood("binomial", y, np.zeros(y.size), rows, np.zeros(y.size, dtype=np.int64))
    found = fit_glm(_logs(p), data, penalty=HELD_RIDGE, centre=[1.0, 1.0], sign=[1, 1])
    eta = found.intercepts[0] + _logs(new) @ found.coefficients
    return np.asarray(1.0 / (1.0 + np.exp(-eta)))


def isotonic_map(p: Floats, y: Floats, new: Floats) -> Floats:
    """Probabilities through the rising steps that fit best, kept off 0 and 1 by one row in n + 2."""
    from sklearn.isotonic import IsotonicRegression

    least = 1.0 / (y.size + 2)
    steps = IsotonicRegression(y_min=least, y_max=1 - least, out_of_bounds="clip").fit(p, y)
    return np.asarray(steps.predict(new))


MAPS = {"beta": beta_map, "isotonic": isotonic_map}


def bent(held_p: Floats, held_y: Floats, new: Floats) -> dict[str, Floats]:
    """Name of each map → what it makes of new probabilities; nothing where too little was held."""
    outcomes = min(held_y.sum(), held_y.size - held_y.sum())
    if held_y.size < FEWEST_ROWS or outcomes < FEWEST_OUTCOMES:
        return {}
    return {name: map_(held_p, held_y, new) for name, map_ in MAPS.items()}


def _logs(p: Floats) -> Floats:
    inside = np.clip(p, TINY, 1 - TINY)
    return np.column_stack([np.log(inside), -np.log1p(-inside)])
