"""What the affine form of calibration costs: other maps, fitted on the same rows, for the report only.

What is served stays affine in log-odds or log hazard, so that contributions add up to the score. Beta and
isotonic maps may bend; the report says by how much their log-loss would differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from evaluation.bending import MAPS, TINY
from evaluation.ladder import all_predictions, joined
from evaluation.metrics import row_log_loss
from evaluation.origin import MODEL, Origin
from evaluation.resampling import Floats, Resampler, estimate
from evaluation.settings import EvaluationSettings
from training.dataset import Dataset


def affine_cost(
    dataset: Dataset, origins: Sequence[Origin], settings: EvaluationSettings
) -> Mapping[str, Any] | None:
    """Log-loss of each map and its difference from the affine one, with intervals over entities, paired.

    Returns:
        Map → log_loss and minus_affine (value, low, high; below 0 the bent map is better); None where a
        test date had too little to fit them.
    """
    if any(set(o.bent) != set(MAPS) for o in origins):
        return None
    judged = joined(origins, dataset)
    resampler = Resampler(judged.entity, settings.replicates, settings.seed)
    affine = all_predictions(origins, None)[MODEL]
    losses = {name: np.concatenate([o.bent[name] for o in origins]) for name in MAPS}
    rows = {name: row_log_loss(judged.y, p) for name, p in {"affine": affine, **losses}.items()}
    draws: dict[str, list[Floats]] = {name: [] for name in rows}
    for weights in resampler.chunks():
        for name, loss in rows.items():
            draws[name].append(weights @ loss / np.maximum(weights.sum(axis=1), TINY))
    means = {name: np.concatenate(found) for name, found in draws.items()}
    return {
        name: {
            "log_loss": _figures(means[name]),
            "minus_affine": _figures(means[name] - means["affine"]),
        }
        for name in means
    }


def _figures(draws: Floats) -> dict[str, float | None]:
    found = vars(estimate(draws))
    return {name: float(v) if np.isfinite(v) else None for name, v in found.items()}
