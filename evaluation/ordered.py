"""Metrics of ordered classes: agreement that punishes far misses, balance over classes, mean distance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.resampling import Estimate, Floats, Resampler, estimate

ORDERED_METRICS = ("quadratic_weighted_kappa", "macro_f1", "mean_absolute_error")


@dataclass(frozen=True)
class JudgedBands:
    """Predicted and true ordered class of test rows.

    Attributes:
        y: (n,) true class, 0-based.
        predicted: (n,) predicted class; -1 where there is none.
        entity: (n,) entity code.
        classes: Number of classes.
    """

    y: NDArray[np.int64]
    predicted: NDArray[np.int64]
    entity: NDArray[np.int64]
    classes: int


def confusion(judged: JudgedBands, weights: Floats) -> Floats:
    """(k, classes, classes) weight of each (true, predicted) pair."""
    cell = judged.y * judged.classes + judged.predicted
    order = np.argsort(cell, kind="stable")
    cells, starts = np.unique(cell[order], return_index=True)
    table = np.zeros((weights.shape[0], judged.classes**2))
    table[:, cells] = np.add.reduceat(weights[:, order], starts, axis=1)
    return table.reshape(-1, judged.classes, judged.classes)


def quadratic_weighted_kappa(table: Floats) -> Floats:
    """1 − observed over expected squared distance; NaN where one class alone is seen on both sides."""
    classes = table.shape[1]
    distance = (np.arange(classes)[:, None] - np.arange(classes)) ** 2
    total = table.sum(axis=(1, 2))
    expected = table.sum(axis=2)[:, :, None] * table.sum(axis=1)[:, None, :] / total[:, None, None]
    bottom = (expected * distance).sum(axis=(1, 2))
    top = (table * distance).sum(axis=(1, 2))
    return 1 - np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom > 0)


def macro_f1(table: Floats) -> Floats:
    """Mean F1 over the classes seen in truth or prediction; a class never hit counts 0."""
    hits = np.einsum("kii->ki", table)
    either = table.sum(axis=1) + table.sum(axis=2)
    f1 = np.divide(2 * hits, either, out=np.zeros_like(hits), where=either > 0)
    seen = (either > 0).sum(axis=1)
    return np.divide(f1.sum(axis=1), seen, out=np.full(seen.shape, np.nan), where=seen > 0)


def mean_absolute_error(table: Floats) -> Floats:
    """Mean distance between true and predicted class, in classes."""
    classes = table.shape[1]
    distance = np.abs(np.arange(classes)[:, None] - np.arange(classes))
    return (table * distance).sum(axis=(1, 2)) / table.sum(axis=(1, 2))


def draw_ordered(judged: JudgedBands, resampler: Resampler) -> dict[str, Floats]:
    """Every ordered metric for the data as it is (first) and for each draw of entities."""
    if judged.y.size == 0 or (judged.predicted < 0).any():
        return {name: np.full(resampler.replicates + 1, np.nan) for name in ORDERED_METRICS}
    tables = np.concatenate([confusion(judged, w) for w in resampler.chunks()])
    figures = (quadratic_weighted_kappa(tables), macro_f1(tables), mean_absolute_error(tables))
    return dict(zip(ORDERED_METRICS, figures, strict=True))


def measure_ordered(judged: JudgedBands, *, replicates: int = 400, seed: int = 0) -> dict[str, Estimate]:
    """Every ordered metric with its interval over entities."""
    draws = draw_ordered(judged, Resampler(judged.entity, replicates, seed))
    return {name: estimate(figures) for name, figures in draws.items()}
