"""How much to trust each learnt part on top of the scorecard: weights from predictions out of fold.

eta = offset + Σ w·part, w ≥ 0. With little data the cross-fitted likelihood of a part that has learnt noise
falls as its weight rises, so the score shrinks to the scorecard; a toll on the weights keeps a part out
until it has earned more than chance gives.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from models.glm import Family, Likelihood, fit_glm, losses

TOLL_NATS = 2.0
"""Log-likelihood a part must gain to be given its full weight: what one free parameter gains by chance is
1/2 on average, and rarely more than 2."""


def fit_weights(
    family: Family,
    y: Any,
    *,
    offset: Any,
    parts: Any,
    level: Any = None,
    toll: float = TOLL_NATS,
    greatest: float = 1.0,
) -> Any:
    """Weights that maximise the out-of-fold likelihood less the toll.

    Args:
        family: Distribution.
        y: Outcomes, (m,).
        offset: eta without the parts, (m,).
        parts: Out-of-fold predictions of each part, (m, k), centred or not.
        level: Intercept index of each observation, (m,); None: one intercept.
        toll: Nats that a weight of 1 costs.
        greatest: Greatest weight.

    Returns:
        Weights, (k,), each in [0, greatest].
    """
    parts = np.asarray(parts, dtype=np.float64)
    level = np.zeros(len(y), dtype=int) if level is None else level
    data = Likelihood(family, y, offset, np.arange(len(y)), level)
    return fit_glm(parts, data, penalty=0.0, toll=toll, sign=1, most=greatest).coefficients


def loss_of(data: Likelihood, eta: Any) -> float:
    """Total negative log-likelihood of a full eta, offset included by the caller."""
    return float(losses(data.family, data.y, eta).sum())
