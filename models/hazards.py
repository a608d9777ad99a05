"""From interval hazards to risks at horizons: log Λ(h) = g(x) + c_h.

The interval shares no tree with any feature, so its effect is the same for every row, and the sum over
intervals factors out: one explanation serves every horizon, and risks can never cross.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from data.errors import BundleError
from models.design import EXPOSURE_UNIT_DAYS
from models.terms import BoostTerm

SEPARABLE = 1e-9


def interval_effects(boosted: BoostTerm, filled: Any, intervals: int) -> Any:
    """Raw effect of each interval relative to the first, (intervals,), the same for every row.

    Raises:
        BundleError: the trees mix the interval with features.
    """
    first = boosted.raw(filled, interval=0)
    effects = np.array([boosted.raw(filled, interval=k) - first for k in range(intervals)])
    if np.abs(effects - effects[:, :1]).max(initial=0.0) > SEPARABLE:
        raise BundleError("The trees mix the interval with features, so risks at horizons would not add up.")
    return effects[:, 0]


def horizon_constants(
    levels: Sequence[float], *, lengths_days: Sequence[float], horizons_days: Sequence[int]
) -> dict[int, float]:
    """c_h for each horizon: log of Σ exp(level) · length over the intervals up to it.

    Args:
        levels: log rate per 30 days of each interval, relative to g(x).
        lengths_days: Length of each interval.
        horizons_days: End of each interval, ascending.
    """
    months = np.asarray(lengths_days, dtype=np.float64) / EXPOSURE_UNIT_DAYS
    total = np.cumsum(np.exp(np.asarray(levels, dtype=np.float64)) * months)
    return {int(h): float(np.log(t)) for h, t in zip(horizons_days, total, strict=True)}
