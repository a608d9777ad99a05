"""The health score: 0–100, higher is healthier, with points of each component that add up.

H = clip(50 + κ·(η₀ − η), 0, 100) with η the calibrated eta at the reference horizon. κ and η₀ are frozen with
the model, so that a score moves only when the partner does. Without labels it is the scorecard itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.scoring import Bundle

STEADY = 50.0
POINTS_PER_DEVIATION = 20.0
"""A partner one standard deviation safer than the median one scores 70."""
REFERENCE_DAYS = 90
POINTS_AS_HEALTH: Mapping[str, float] = {"eta0": 0.0, "kappa": 25.0}
"""Without labels 25 points of the scorecard are 1 of eta, so health is points."""


@dataclass(frozen=True)
class Health:
    """Health of n rows.

    Attributes:
        score: 0–100, (n,).
        start: Points before any component.
        components: Group → points, (n,); start + Σ components is the score before it is cut to 0–100.
    """

    score: Any
    start: float
    components: Mapping[str, Any]


def reference_horizon(bundle: Bundle) -> int:
    """90 days where the model answers for them, else the horizon nearest to it."""
    return min(bundle.horizons, key=lambda h: (abs(h - REFERENCE_DAYS), h))


def fit_scale(bundle: Bundle, frame: Any) -> dict[str, float]:
    """η₀ and κ from the rows of training: the median partner is at 50."""
    eta = bundle.eta(bundle.encode(frame), horizon=reference_horizon(bundle))
    deviation = float(eta.std())
    kappa = POINTS_PER_DEVIATION / deviation if deviation > 1e-9 else POINTS_PER_DEVIATION
    return {"eta0": float(np.median(eta)), "kappa": kappa}


def health(bundle: Bundle, matrix: Any) -> Health:
    """Health with its components.

    Args:
        bundle: A model whose high score is bad news.
        matrix: Encoded rows.
    """
    scale = bundle.trained["health"]
    kappa, horizon = scale["kappa"], reference_horizon(bundle)
    raw = STEADY + kappa * (scale["eta0"] - bundle.eta(matrix, horizon=horizon))
    start = STEADY + kappa * (scale["eta0"] - bundle.baseline(horizon))
    parts = component_contributions(bundle, matrix)
    return Health(np.clip(raw, 0.0, 100.0), float(start), {g: -kappa * c for g, c in parts.items()})


def component_contributions(bundle: Bundle, matrix: Any) -> dict[str, Any]:
    """Contribution of each component group to the calibrated eta, (n,) each; features never mix groups."""
    by_feature = bundle.explain(matrix).by_feature
    owner = np.array([f.group for f in bundle.spec.features])
    return {g: by_feature[:, owner == g].sum(axis=1) for g in bundle.spec.groups}
