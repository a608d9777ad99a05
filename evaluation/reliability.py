"""Predicted against observed rates, and scores that move the promised way."""

from __future__ import annotations

from typing import Any

import numpy as np

from evaluation.metrics import Judged
from evaluation.report import ReliabilityBin
from models.bundle import Bundle

BINS = 10
Z95 = 1.959963984540054
PROBE_ROWS, PROBE_STEPS, TOLERANCE = 150, 7, 1e-9


def reliability_bins(judged: Judged, *, bins: int = BINS) -> tuple[ReliabilityBin, ...]:
    """Tenths of the test rows by predicted probability, with Wilson intervals of the observed rate.

    Source: Wilson, Probable inference, the law of succession, and statistical inference (1927).
    """
    if judged.size == 0 or not np.isfinite(judged.p).all():
        return ()
    order = np.argsort(judged.p, kind="stable")
    found = []
    for part in np.array_split(order, min(bins, judged.size)):
        n, rate = part.size, float(judged.y[part].mean())
        middle = (rate + Z95**2 / (2 * n)) / (1 + Z95**2 / n)
        half = Z95 * np.sqrt(rate * (1 - rate) / n + Z95**2 / (4 * n**2)) / (1 + Z95**2 / n)
        low, high = float(middle - half), float(middle + half)
        found.append(ReliabilityBin(float(judged.p[part].mean()), rate, max(low, 0.0), min(high, 1.0), n))
    return tuple(found)


def count_violations(bundle: Bundle, matrix: Any) -> int:
    """Steps on which the score moved against its promise, when one promised feature moves and the rest stand.

    Args:
        bundle: A fitted model.
        matrix: Encoded rows to start from; at most 150 are used.
    """
    if not len(matrix):
        return 0
    rows = matrix[np.unique(np.linspace(0, len(matrix) - 1, min(PROBE_ROWS, len(matrix))).astype(int))]
    horizon = next(iter(bundle.horizons))
    broken = 0
    for feature in bundle.spec.features:
        column = bundle.encoder.spans[feature.name][0]
        seen = matrix[:, column][np.isfinite(matrix[:, column])]
        if feature.monotone == 0 or feature.kind == "category" or seen.size == 0:
            continue
        steps = np.unique(np.quantile(seen, np.linspace(0, 1, PROBE_STEPS)))
        etas = [bundle.eta(_with(rows, column, value), horizon=horizon) for value in steps]
        moves = feature.monotone * np.diff(np.stack(etas), axis=0)
        broken += int(np.sum(moves < -TOLERANCE))
    return broken


def _with(rows: Any, column: int, value: float) -> Any:
    changed = rows.copy()
    changed[:, column] = value
    return changed
