"""Fit the parts of a score: scorecard map, penalised linear part, trees.

Both learnt parts start from the scorecard as an offset and never see one another; their weights are earned on
predictions out of fold (`models.blend`). Searching parameters, folds and splits is training's work.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from data.errors import MissingDataError
from models.boosting import BoostParams, fit_trees, monotone_signs
from models.calibration import Affine
from models.design import Design
from models.encoding import Encoder
from models.glm import GlmFit, fit_glm
from models.hazards import interval_effects
from models.scorecard import Scorecard
from models.spec import ModelSpec
from models.terms import BoostTerm, LinearTerm, PriorTerm, Scaling, Terms

POINTS_SLOPE, POINTS_SLOPE_SD, POINTS_SLOPE_LEAST = 0.25, 0.25, 0.01
"""Of eta for 10 points of the scorecard: expected before data, how firmly, and the least that keeps order."""


@dataclass(frozen=True)
class Choices:
    """What was decided on predictions out of fold; refits reuse it.

    Attributes:
        penalty: Ridge of the linear part.
        trees: Number of trees kept.
        linear_weight: Weight of the linear part.
        boosted_weight: Weight of the trees.
    """

    penalty: float = 100.0
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
    choices: Choices,
) -> Fitted:
    """Fit everything on the observations.

    Args:
        design: Observations.
        encoder: Columns of the matrix.
        spec: The model's definition.
        scorecard: Prior; None: none.
        params: Parameters of the trees.
        seed: Of bagging and column sampling.
        choices: Penalty, number of trees, and weights; a part of weight 0 is not fitted.
    """
    prior, start = _fit_prior(design, encoder, spec, scorecard)
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
