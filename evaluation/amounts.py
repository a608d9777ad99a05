"""Metrics of predicted amounts: who is ranked first, how steeply, and whether the total is right."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from evaluation.metrics import Judged, Ranking, calibration_in_the_large
from evaluation.origin import CHAMPION, MODEL, SCORECARD, Origin, fitted_references, probabilities
from evaluation.resampling import Floats, Resampler
from evaluation.settings import EvaluationSettings
from models.calibration import fit_tweedie
from models.glm import tweedie_losses
from training.dataset import Dataset
from training.estimators import fit
from training.params import Params
from training.splits import Split

AMOUNT_METRICS = (
    "top_fifth_share",
    "gini",
    "calibration_in_the_large",
    "tweedie_loss",
    "mean_absolute_error",
)
RANKED = AMOUNT_METRICS[:2]
PAST = re.compile(r"amount|revenue|sales|turnover|margin|spend", re.IGNORECASE)
TOP = 0.2
LEAST = 1e-6
"""Least prediction, in units of the data set: a logarithm needs one above nothing."""


def top_share(ranking: Ranking, share: float = TOP) -> Floats:
    """Share of all amounts that is in the first `share` of rows; ties are taken in part."""
    rows = ranking.rows.sum(axis=1)
    before = np.cumsum(ranking.rows, axis=1) - ranking.rows
    taken = np.clip(share * rows[:, None] - before, 0.0, ranking.rows)
    part = np.divide(taken, ranking.rows, out=np.zeros_like(taken), where=ranking.rows > 0)
    total = ranking.positives.sum(axis=1)
    return np.divide(
        (part * ranking.positives).sum(axis=1), total, out=np.full(total.shape, np.nan), where=total > 0
    )


def _steepness(ranking: Ranking) -> Floats:
    """Twice the area between the concentration curve and the diagonal."""
    rows, amounts = ranking.rows.sum(axis=1), ranking.positives.sum(axis=1)
    x = np.cumsum(ranking.rows, axis=1) / np.maximum(rows, LEAST)[:, None]
    y = np.cumsum(ranking.positives, axis=1) / np.where(amounts > 0, amounts, np.nan)[:, None]
    left_x, left_y = (np.pad(v[:, :-1], ((0, 0), (1, 0))) for v in (x, y))
    return np.asarray(((x - left_x) * (y + left_y)).sum(axis=1) - 1)


def gini(y: Floats, p: Floats, weights: Floats) -> Floats:
    """Steepness of the ranking as a share of what the true amounts themselves would give; 0 is chance."""
    own, best = _steepness(Ranking.of(y, p, weights)), _steepness(Ranking.of(y, y, weights))
    return np.divide(own, best, out=np.full(own.shape, np.nan), where=best > 0)


def draw_amounts(judged: Judged, resampler: Resampler, *, unit: float) -> dict[str, Floats]:
    """Every metric of amounts for the data as it is (first) and for each draw of entities."""
    if judged.size == 0 or not np.isfinite(judged.p).all():
        return {name: np.full(resampler.replicates + 1, np.nan) for name in AMOUNT_METRICS}
    blocks = [_measured(judged, w, unit) for w in resampler.chunks()]
    return {name: np.concatenate([b[name] for b in blocks]) for name in AMOUNT_METRICS}


def _measured(judged: Judged, weights: Floats, unit: float) -> dict[str, Floats]:
    total = weights.sum(axis=1)
    eta = np.log(np.maximum(judged.p / unit, LEAST))
    loss, miss = tweedie_losses(judged.y / unit, eta), np.abs(judged.p - judged.y)
    ranked: list[list[Floats]] = []
    for origin in np.unique(judged.origin):
        rows = judged.origin == origin
        y, p, w = judged.y[rows], judged.p[rows], weights[:, rows]
        ranked.append([top_share(Ranking.of(y, p, w)), gini(y, p, w)])
    means = np.mean(np.array(ranked), axis=0)
    return {
        "top_fifth_share": means[0],
        "gini": means[1],
        "calibration_in_the_large": calibration_in_the_large(judged.y, judged.p, weights),
        "tweedie_loss": weights @ loss / total,
        "mean_absolute_error": weights @ miss / total,
    }


def draw_amount_ladder(
    judged: Judged, predictions: Mapping[str, Floats], settings: EvaluationSettings, *, unit: float
) -> dict[str, dict[str, Floats]]:
    """Rung → metric → draws, paired; hindsight ranks by what came, so only its ranking is shown."""
    resampler = Resampler(judged.entity, settings.replicates, settings.seed)
    found = {
        name: draw_amounts(Judged(judged.y, p, judged.entity, judged.origin), resampler, unit=unit)
        for name, p in {**predictions, "hindsight": judged.y}.items()
        if np.isfinite(p).all()
    }
    found["hindsight"] = {k: found["hindsight"][k] for k in RANKED}
    return found


def run_amounts(
    dataset: Dataset, split: Split, *, params: Params, seed: int, champion: Params | None = None
) -> Origin:
    """Fit and predict amounts for one split, with every reference on the same rows."""
    bundle = fit(dataset, split, params=params, seed=seed, spread=False)
    past, note = past_amount(dataset, split)
    y = dataset.labels()[split.refit]
    predicted: dict[str, NDArray[np.float64]] = {
        "prevalence": np.full(split.test.size, np.nanmean(y)),
        "past_revenue": past,
        MODEL: probabilities(bundle, dataset, split.test),
    }
    predicted |= fitted_references(dataset, split, params=params, seed=seed, champion=champion)
    return Origin(split, bundle, predicted, {"past_revenue": note})


def past_amount(dataset: Dataset, split: Split) -> tuple[Floats, str]:
    """The amount of as long a time back, else the one that ranks training rows best; NaN without any."""
    y = dataset.labels()[split.refit]
    rows, y = split.refit[~np.isnan(y)], y[~np.isnan(y)]
    names = [f.name for f in dataset.spec.features if f.kind == "number" and PAST.search(f.name)]
    names = [n for n in names if "trend" not in n and np.isfinite(_column(dataset, rows, n)).any()]
    if not names:
        return np.full(split.test.size, np.nan), "no column of past amounts"
    same = [n for n in names if f"{dataset.horizon_days}d" in n]
    best = max(same or names, key=lambda n: _power(y, _column(dataset, rows, n)))
    affine = fit_tweedie(_logged(_column(dataset, rows, best)), y / dataset.unit)
    eta = affine(_logged(_column(dataset, split.test, best)))
    return dataset.unit * np.exp(np.clip(eta, -30.0, 30.0)), best


def _column(dataset: Dataset, rows: NDArray[np.int64], name: str) -> Floats:
    values = dataset.frame[name].to_numpy(dtype=float)[rows]
    return np.where(np.isfinite(values), values, 0.0)


def _logged(values: Floats) -> Floats:
    return np.asarray(np.log1p(np.maximum(values, 0.0)))


def _power(y: Floats, values: Floats) -> float:
    return float(np.nan_to_num(top_share(Ranking.of(y, values, np.ones((1, y.size))))[0]))


def shown_order(names: Sequence[str]) -> list[str]:
    """Rungs of amounts, weakest first."""
    order = ("prevalence", "past_revenue", SCORECARD, CHAMPION, MODEL, "hindsight")
    return [n for n in order if n != CHAMPION or n in names]
