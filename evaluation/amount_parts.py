"""Predicted against real amounts, by tenths of the test rows and by parts of the partners."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.amounts import LEAST, draw_amounts
from evaluation.metrics import Judged
from evaluation.report import ReliabilityBin, SliceFinding
from evaluation.resampling import Floats, Resampler, estimate
from evaluation.settings import EvaluationSettings
from evaluation.slices import parts, top_fifth
from models.glm import tweedie_losses

TENTHS = 10
SHOWN = ("calibration_in_the_large", "tweedie_loss", "mean_absolute_error")


def amount_tenths(judged: Judged, *, settings: EvaluationSettings) -> tuple[ReliabilityBin, ...]:
    """Tenths of the test rows by predicted amount, with the mean that came and its 95 % interval.

    Intervals come from drawing entities, as everywhere: a few large deals make the mean of a tenth.
    """
    if judged.size == 0 or not np.isfinite(judged.p).all():
        return ()
    resampler = Resampler(judged.entity, settings.replicates, settings.seed)
    weights = np.concatenate(list(resampler.chunks()))
    found = []
    for rows in np.array_split(np.argsort(judged.p, kind="stable"), min(TENTHS, judged.size)):
        total = weights[:, rows].sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            came = estimate(weights[:, rows] @ judged.y[rows] / total)
        found.append(
            ReliabilityBin(float(judged.p[rows].mean()), came.value, came.low, came.high, int(rows.size))
        )
    return tuple(found)


def amount_slices(
    frame: Any, judged: Judged, reference: Floats, *, settings: EvaluationSettings, unit: float
) -> tuple[SliceFinding, ...]:
    """Figures of each part with enough rows.

    Args:
        frame: (n, …) raw columns of the test rows, in the order of `judged`.
        judged: The model's predictions.
        reference: (n,) amounts the scorecard, or the mean, predicts: a part is clearly worse when the model's
            Tweedie loss there exceeds the reference's with its whole paired interval.
        settings: Which columns, least rows, draws.
        unit: Amounts are learnt in this unit.
    """
    chosen, found = top_fifth(judged), []
    excess = _losses(judged.y, judged.p, unit) - _losses(judged.y, reference, unit)
    for column in settings.slice_columns:
        if column not in frame.columns:
            continue
        for value, rows in parts(frame[column]):
            if rows.sum() >= settings.slice_rows:
                given = (rows, chosen[rows], excess[rows])
                found.append(_finding(column, value, judged, given, settings, unit))
    return tuple(found)


def _losses(y: Floats, p: Floats, unit: float) -> Floats:
    return np.asarray(tweedie_losses(y / unit, np.log(np.maximum(p / unit, LEAST))))


def _finding(
    column: str,
    value: str,
    judged: Judged,
    given: tuple[NDArray[np.bool_], Floats, Floats],
    settings: EvaluationSettings,
    unit: float,
) -> SliceFinding:
    """Figures of one part; `given`: its rows, who of it is among the top fifth, and its excess loss."""
    rows, chosen, excess = given
    part = judged.take(rows)
    resampler = Resampler(part.entity, settings.replicates, settings.seed)
    drawn = draw_amounts(part, resampler, unit=unit)
    weights = np.concatenate(list(resampler.chunks()))
    total = np.maximum(weights.sum(axis=1), LEAST)
    difference = estimate(weights @ excess / total)
    metrics = {**{k: estimate(drawn[k]) for k in SHOWN}, "selected_share": estimate(weights @ chosen / total)}
    worse = difference.finite and difference.low > 0
    return SliceFinding(column, value, part.size, int((part.y > 0).sum()), metrics, worse)
