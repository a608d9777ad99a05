"""Fit the parts of a score: scorecard map, penalised linear part, trees, and their weights.

Both learnt parts start from the scorecard as an offset and never see one another; their weights come from
grouped out-of-fold predictions (`models.blend`). Searching parameters and splitting time is training's work.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from data.errors import MissingDataError
from models.blend import fit_weights, loss_of
from models.boosting import BoostParams, fit_trees, monotone_signs, raw_scores
from models.calibration import Affine
from models.design import Design, grouped_folds
from models.encoding import Encoder
from models.glm import GlmFit, fit_glm
from models.hazards import interval_effects
from models.scorecard import Scorecard
from models.spec import ModelSpec
from models.terms import BoostTerm, LinearTerm, PriorTerm, Scaling, Terms

PENALTIES = (3.0, 15.0, 75.0, 400.0)
POINTS_SLOPE, POINTS_SLOPE_SD, POINTS_SLOPE_LEAST = 0.25, 0.25, 0.01
"""Of eta for 10 points of the scorecard: expected before data, how firmly, and the least that keeps order."""
SHARES_OF_TREES = (0.25, 0.5, 1.0)
MAX_CROSS_FIT_ROWS = 30_000


@dataclass(frozen=True)
class Choices:
    """What cross-fitting decided; refits reuse it.

    Attributes:
        penalty: Ridge of the linear part.
        trees: Number of trees kept.
        linear_weight: Weight of the linear part.
        boosted_weight: Weight of the trees.
    """

    penalty: float = PENALTIES[1]
    trees: int = 0
    linear_weight: float = 0.0
    boosted_weight: float = 0.0


@dataclass(frozen=True)
class Fitted:
    """A fit before calibration.

    Attributes:
        terms: Additive parts.
        choices: What cross-fitting decided.
        levels: Log rate of each interval relative to the first; (0.0,) without intervals.
    """

    terms: Terms
    choices: Choices
    levels: tuple[float, ...]


def fit_terms(
    design: Design,
    encoder: Encoder,
    spec: ModelSpec,
    *,
    scorecard: Scorecard | None,
    params: BoostParams,
    seed: int,
    folds: int = 5,
    choices: Choices | None = None,
) -> Fitted:
    """Fit everything on the observations.

    Args:
        design: Observations.
        encoder: Columns of the matrix.
        spec: The model's definition.
        scorecard: Prior; None: none.
        params: Parameters of the trees.
        seed: Of folds, bagging and column sampling.
        folds: Grouped folds for the weights.
        choices: Reuse these instead of cross-fitting (refits, bootstrap).
    """
    prior, start = _fit_prior(design, encoder, spec, scorecard)
    if choices is None:
        choices = cross_fit(design, encoder, spec, scorecard=scorecard, params=params, seed=seed, folds=folds)
    offset = _offset(prior, design)
    linear = None
    if choices.linear_weight > 0:
        scaling = Scaling.fit(design.matrix, encoder)
        beta = _fit_linear(design, encoder, scaling, offset, choices.penalty).coefficients
        linear = LinearTerm(scaling, tuple(float(v) for v in choices.linear_weight * beta))
    boosted = None
    if choices.boosted_weight > 0 and choices.trees > 0:
        given = design.log_exposure + offset[design.row] + start[design.interval]
        booster = fit_trees(design, encoder, params, offset=given, seed=seed, trees=choices.trees)
        boosted = BoostTerm(booster, choices.boosted_weight, design.timed)
    terms = Terms(encoder, 0.0, prior, linear, boosted)
    levels = _levels(terms, design)
    terms = replace(terms, intercept=float(levels[0]))
    return Fitted(terms, choices, tuple(float(v - levels[0]) for v in levels))


def cross_fit(
    design: Design,
    encoder: Encoder,
    spec: ModelSpec,
    *,
    scorecard: Scorecard | None,
    params: BoostParams,
    seed: int,
    folds: int = 5,
) -> Choices:
    """Penalty, number of trees and weights by grouped out-of-fold likelihood."""
    design = _sampled(design, seed)
    groups = len(np.unique(design.group))
    if groups < 4 or design.positives < 2:
        return Choices()
    fold = grouped_folds(design.group, folds=min(folds, groups), seed=seed)
    counts = sorted({max(1, round(share * params.trees)) for share in SHARES_OF_TREES})
    held: dict[str, Any] = {"offset": np.zeros(len(design.y))}
    held |= {f"linear {p}": np.zeros(len(design.y)) for p in PENALTIES}
    held |= {f"trees {c}": np.zeros(len(design.y)) for c in counts}
    for k in range(int(fold.max()) + 1):
        inside, outside = design.take(np.flatnonzero(fold != k)), design.take(np.flatnonzero(fold == k))
        places = np.flatnonzero((fold == k)[design.row])
        # `take` orders observations by row, as they are looked up here.
        places = places[np.argsort(design.row[places], kind="stable")]
        _hold_out(held, places, inside, outside, encoder, spec, scorecard, params, seed, counts)
    return _choose(design, held, counts)


def _hold_out(
    held: dict[str, Any],
    places: Any,
    inside: Design,
    outside: Design,
    encoder: Encoder,
    spec: ModelSpec,
    scorecard: Scorecard | None,
    params: BoostParams,
    seed: int,
    counts: list[int],
) -> None:
    """Fit inside, predict outside, and put the predictions in their places."""
    prior, start = _fit_prior(inside, encoder, spec, scorecard)
    near, far = _offset(prior, inside), _offset(prior, outside)
    held["offset"][places] = outside.log_exposure + far[outside.row] + _at(start, outside.interval)
    scaling = Scaling.fit(inside.matrix, encoder)
    scores = scaling(outside.matrix)
    for penalty in PENALTIES:
        fit = _fit_linear(inside, encoder, scaling, near, penalty)
        moved = _at(fit.intercepts, outside.interval) - _at(start, outside.interval)
        held[f"linear {penalty}"][places] = (scores @ fit.coefficients)[outside.row] + moved
    given = inside.log_exposure + near[inside.row] + start[inside.interval]
    booster = fit_trees(inside, encoder, params, offset=given, seed=seed)
    for count in counts:
        held[f"trees {count}"][places] = raw_scores(booster, outside, encoder, trees=count)


def _choose(design: Design, held: dict[str, Any], counts: list[int]) -> Choices:
    data = design.likelihood()

    def best(names: list[str]) -> str:
        return min(names, key=lambda n: loss_of(data, held["offset"] + held[n]))

    linear = best([f"linear {p}" for p in PENALTIES])
    trees = best([f"trees {c}" for c in counts])
    weights = fit_weights(
        design.family, design.y, offset=held["offset"], parts=np.column_stack([held[linear], held[trees]])
    )
    return Choices(
        float(linear.split()[1]),
        int(trees.split()[1]),
        *(float(w) if w > 1e-3 else 0.0 for w in weights),
    )


def _fit_prior(
    design: Design, encoder: Encoder, spec: ModelSpec, scorecard: Scorecard | None
) -> tuple[PriorTerm | None, Any]:
    """Map of points to eta, and the intercept of each interval beside it."""
    usable = scorecard and scorecard.restricted_to(encoder.columns)[0]
    if not usable:
        return None, _padded(
            fit_glm(np.zeros((len(design.matrix), 0)), design.likelihood(), penalty=0.0), design
        )
    columns = tuple(encoder.columns.index(f) for f in usable.features)
    contributions = usable.contributions_of(design.matrix[:, columns])
    tens = (contributions.sum(axis=1, keepdims=True) - 50.0) / 10.0
    sign = -1 if spec.adverse else 1
    fit = fit_glm(
        tens, design.likelihood(), penalty=1 / POINTS_SLOPE_SD**2, centre=sign * POINTS_SLOPE,
        sign=sign, least=POINTS_SLOPE_LEAST,
    )  # fmt: skip
    slope = float(fit.coefficients[0]) / 10.0
    centres = tuple(float(c) for c in contributions.mean(axis=0))
    return PriorTerm(usable, columns, Affine(-50.0 * slope, slope), centres), _padded(fit, design)


def unlabelled_prior(matrix: Any, encoder: Encoder, spec: ModelSpec, scorecard: Scorecard) -> PriorTerm:
    """The scorecard without any label: 50 points are eta 0, and 25 points are 1.

    Raises:
        MissingDataError: the data has no criterion of the scorecard.
    """
    usable, warnings = scorecard.restricted_to(encoder.columns)
    if usable is None:
        raise MissingDataError(
            warnings[0], next_step="Write criteria on columns you have under `scorecards:`, or give labels."
        )
    columns = tuple(encoder.columns.index(f) for f in usable.features)
    centres = usable.contributions_of(matrix[:, columns]).mean(axis=0)
    slope = (-1 if spec.adverse else 1) / 25.0
    return PriorTerm(usable, columns, Affine(-50.0 * slope, slope), tuple(float(c) for c in centres))


def _fit_linear(design: Design, encoder: Encoder, scaling: Scaling, offset: Any, penalty: float) -> GlmFit:
    # Signs hold here, too: a linear part against the stated sign would undo the trees' promise.
    fit = fit_glm(
        scaling(design.matrix), design.likelihood(offset), penalty=penalty,
        sign=monotone_signs(encoder),
    )  # fmt: skip
    return replace(fit, intercepts=_padded(fit, design))


def _levels(terms: Terms, design: Design) -> Any:
    """Log rate of each interval (or the one intercept) given all the parts, by maximum likelihood."""
    if terms.boosted and design.timed:
        # Refused here, at the source: trees that mix time with features would let risks cross.
        interval_effects(terms.boosted, terms.encoder.filled(design.matrix[:8]), len(design.lengths_days))
    given = design.likelihood(terms.eta(design.matrix))
    return _padded(fit_glm(np.zeros((len(design.matrix), 0)), given, penalty=0.0), design)


def _offset(prior: PriorTerm | None, design: Design) -> Any:
    return np.zeros(len(design.matrix)) if prior is None else prior.eta(design.matrix)


def _padded(fit: GlmFit, design: Design) -> Any:
    """Intercepts of all intervals; one without observations takes the last that has some."""
    wanted = max(len(design.lengths_days), 1)
    return np.concatenate([fit.intercepts, np.repeat(fit.intercepts[-1:], wanted - len(fit.intercepts))])


def _at(values: Any, index: Any) -> Any:
    return values[np.minimum(index, len(values) - 1)]


def _sampled(design: Design, seed: int) -> Design:
    """At most MAX_CROSS_FIT_ROWS rows of whole groups: weights need no more."""
    if len(design.matrix) <= MAX_CROSS_FIT_ROWS:
        return design
    fold = grouped_folds(design.group, folds=int(np.ceil(len(design.matrix) / MAX_CROSS_FIT_ROWS)), seed=seed)
    return design.take(np.flatnonzero(fold == 0))
