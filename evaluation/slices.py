"""How the model does on parts of the partners: by country, size, type."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.metrics import Judged, measure, row_log_loss
from evaluation.report import SliceFinding
from evaluation.resampling import Floats, Resampler, estimate
from evaluation.settings import EvaluationSettings

SHOWN = ("auc", "log_loss", "calibration_in_the_large")
MAX_LEVELS = 12
MIN_EVENTS = 10
SELECTED = 0.2


def find_slices(
    frame: Any, judged: Judged, reference: Floats, *, settings: EvaluationSettings
) -> tuple[SliceFinding, ...]:
    """Figures of each part with enough rows.

    Args:
        frame: (n, …) raw columns of the test rows, in the order of `judged`.
        judged: The model's predictions.
        reference: (n,) probabilities of the scorecard, or of the base rate: a part is clearly worse when the
            model's mean log-loss there exceeds the reference's with its whole paired interval.
        settings: Which columns, least rows, draws.
    """
    found: list[SliceFinding] = []
    selected = top_fifth(judged)
    for column in settings.slice_columns:
        if column not in frame.columns:
            continue
        for value, rows in parts(frame[column]):
            if rows.sum() >= settings.slice_rows:
                found.append(_finding(column, value, rows, judged, reference, settings, selected[rows]))
    return tuple(found)


def top_fifth(judged: Judged) -> Floats:
    """(n,) 1 for the fifth with the highest scores of each test date: who would be chosen first."""
    found = np.zeros(judged.size)
    for origin in np.unique(judged.origin):
        rows = np.flatnonzero(judged.origin == origin)
        best = rows[np.argsort(-judged.p[rows], kind="stable")[: max(1, round(SELECTED * rows.size))]]
        found[best] = 1.0
    return found


def parts(column: Any) -> list[tuple[str, NDArray[np.bool_]]]:
    """(name, mask) of the most frequent levels of text, or of the thirds of a number."""
    if column.dtype.kind not in "iuf":
        counts = column.dropna().astype(str).value_counts()
        levels = sorted(counts.index[:MAX_LEVELS])
        text = column.astype(str).to_numpy()
        return [(level, (text == level) & column.notna().to_numpy()) for level in levels]
    values = column.to_numpy(dtype=float)
    seen = values[np.isfinite(values)]
    if np.unique(seen).size < 3:
        return []
    low, high = np.quantile(seen, [1 / 3, 2 / 3])
    return _thirds(values, low, high)


def same_parts(then: Any, now: Any) -> dict[str, NDArray[np.bool_]]:
    """Level → rows of `now`, by the levels and cuts that `parts` finds in `then`."""
    if then.dtype.kind not in "iuf":
        text, known = now.astype(str).to_numpy(), now.notna().to_numpy()
        return {level: (text == level) & known for level, _ in parts(then)}
    values = then.to_numpy(dtype=float)
    seen = values[np.isfinite(values)]
    if np.unique(seen).size < 3:
        return {}
    low, high = np.quantile(seen, [1 / 3, 2 / 3])
    return dict(_thirds(now.to_numpy(dtype=float), low, high))


def _thirds(values: Floats, low: float, high: float) -> list[tuple[str, NDArray[np.bool_]]]:
    names = (f"up to {low:,.0f}", f"{low:,.0f} to {high:,.0f}", f"above {high:,.0f}")
    masks = (values <= low, (values > low) & (values <= high), values > high)
    return list(zip(names, masks, strict=True))


def _finding(
    column: str,
    value: str,
    rows: NDArray[np.bool_],
    judged: Judged,
    reference: Floats,
    settings: EvaluationSettings,
    selected: Floats,
) -> SliceFinding:
    """Figures of one part; `selected` says who of it is among the top fifth of the test date."""
    part = judged.take(rows)
    metrics = measure(part, replicates=settings.replicates, seed=settings.seed)
    events = int(part.y.sum())
    excess = row_log_loss(part.y, part.p) - row_log_loss(part.y, reference[rows])
    draws = Resampler(part.entity, settings.replicates, settings.seed)
    difference = estimate(np.concatenate([w @ excess / w.sum(axis=1) for w in draws.chunks()]))
    chosen = estimate(np.concatenate([w @ selected / w.sum(axis=1) for w in draws.chunks()]))
    enough = min(events, part.size - events) >= MIN_EVENTS
    worse = enough and not (difference.finite and difference.low <= settings.champion_margin)
    shown = {**{k: metrics[k] for k in SHOWN}, "selected_share": chosen}
    return SliceFinding(column, value, part.size, events, shown, worse)
