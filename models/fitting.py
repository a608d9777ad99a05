"""Fit the parts of a score: scorecard map, penalised linear part, trees.

Both learnt parts start from the scorecard and never see one another; their weights are earned on predictions
out of fold (`models.blend`). Searching parameters, folds and splits is training's work.
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
        choices: Penalty, number of trees, and weights; a part of weight 0 is left out.
    """
    prior = _fit_prior(design, encoder, spec, scorecard)
    linear = boosted = None
    if choices.linear_weight > 0:
        linear = _weighted(_fit_linear(design, encoder, prior, choices.penalty), choices.linear_weight)
    if choices.boosted_weight > 0 and choices.trees > 0:
        base = Terms(encoder, 0.0, prior)
        given = (
            design.log_exposure + base.eta(design.matrix)[design.row] + _levels(base, design)[design.interval]
        )
        booster = fit_trees(design, encoder, params, offset=given, seed=seed, trees=choices.trees)
        boosted = BoostTerm(booster, choices.boosted_weight, design.timed)
    terms = Terms(encoder, 0.0, prior, linear, boosted)
    levels = _levels(terms, design)
    terms = replace(terms, intercept=float(levels[0]))
    return Fitted(terms, choices, tuple(float(v - levels[0]) for v in levels))


def _fit_prior(
    design: Design, encoder: Encoder, spec: ModelSpec, scorecard: Scorecard | None
) -> PriorTerm | None:
    """Map of points to eta."""
    usable = scorecard and scorecard.restricted_to(readable(scorecard, encoder))[0]
    if not usable:
        return None
    columns, spans = PriorTerm.places(usable, encoder)
    bare = PriorTerm(usable, columns, Affine(), (), spans)
    contributions = usable.contributions_of(bare.values(design.matrix))
    tens = (contributions.sum(axis=1, keepdims=True) - 50.0) / 10.0
    sign = -1 if spec.adverse else 1
    fit = fit_glm(
        tens, design.likelihood(), penalty=1 / POINTS_SLOPE_SD**2, centre=sign * POINTS_SLOPE,
        sign=sign, least=POINTS_SLOPE_LEAST,
    )  # fmt: skip
    slope = float(fit.coefficients[0]) / 10.0
    centres = tuple(float(c) for c in contributions.mean(axis=0))
    return replace(bare, affine=Affine(-50.0 * slope, slope), centres=centres)


def readable(scorecard: Scorecard, encoder: Encoder) -> list[str]:
    """Features a scorecard can read from the matrix: numbers as numbers, text as text."""
    text = {f.name: f.kind == "category" for f in encoder.features}
    return [c.feature for c in scorecard.criteria if text.get(c.feature) is c.of_text]


def unlabelled_prior(matrix: Any, encoder: Encoder, spec: ModelSpec, scorecard: Scorecard) -> PriorTerm:
    """The scorecard without any label: 50 points are eta 0, and 25 points are 1.

    Raises:
        MissingDataError: the data has no criterion of the scorecard.
    """
    usable, warnings = scorecard.restricted_to(readable(scorecard, encoder))
    if usable is None:
        raise MissingDataError(
            warnings[0], next_step="Write criteria on columns you have under `scorecards:`, or give labels."
        )
    columns, spans = PriorTerm.places(usable, encoder)
    slope = (-1 if spec.adverse else 1) / 25.0
    bare = PriorTerm(usable, columns, Affine(-50.0 * slope, slope), (), spans)
    centres = usable.contributions_of(bare.values(matrix)).mean(axis=0)
    return replace(bare, centres=tuple(float(c) for c in centres))


def _fit_linear(design: Design, encoder: Encoder, prior: PriorTerm | None, penalty: float) -> LinearTerm:
    """The linear part at full weight.

    Slopes of the criteria are drawn to the prior's as firmly as coefficients are to nothing, per deviation.
    Signs hold here, too: a linear part against the stated sign would undo the trees' promise.
    """
    scaling = Scaling.fit(design.matrix, encoder)
    scores, signs = scaling(design.matrix), np.array(monotone_signs(encoder))
    if prior is None:
        fit = fit_glm(scores, design.likelihood(), penalty=penalty, sign=signs)
        return LinearTerm(scaling, _floats(fit.coefficients))
    points = prior.centred(design.matrix)
    deviation = np.maximum(points.std(axis=0), 1e-6)
    width, slope = len(signs), prior.affine.b
    fit = fit_glm(
        np.column_stack([scores, points / deviation]),
        design.likelihood(),
        penalty=penalty,
        centre=np.concatenate([np.zeros(width), slope * deviation]),
        sign=np.concatenate([signs, np.full(len(deviation), np.sign(slope))]),
    )
    tilts = fit.coefficients[width:] / deviation - slope
    return LinearTerm(scaling, _floats(fit.coefficients[:width]), _floats(tilts), prior)


def _weighted(linear: LinearTerm, weight: float) -> LinearTerm:
    return replace(
        linear,
        coefficients=_floats(weight * np.array(linear.coefficients)),
        tilts=_floats(weight * np.array(linear.tilts)),
    )


def _levels(terms: Terms, design: Design) -> Any:
    """Log rate of each interval (or the one intercept) given all the parts, by maximum likelihood."""
    given = design.likelihood(terms.eta(design.matrix))
    return _padded(fit_glm(np.zeros((len(design.matrix), 0)), given, penalty=0.0), design)


def _floats(values: Any) -> tuple[float, ...]:
    return tuple(float(v) for v in values)


def _padded(fit: GlmFit, design: Design) -> Any:
    """Intercepts of all intervals; one without observations takes the last that has some."""
    wanted = max(len(design.lengths_days), 1)
    return np.concatenate([fit.intercepts, np.repeat(fit.intercepts[-1:], wanted - len(fit.intercepts))])
