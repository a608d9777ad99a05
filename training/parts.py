"""The additive parts of a model: scorecard, linear part, trees, and how they are put together.

Linear part and trees both start from the scorecard and never see one another, so that weighing them is an
average of two views, which errs less than trees grown on what the linear part left over.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.boosting import fit_trees
from models.design import Design, bootstrap_rows
from models.fitting import Choices, Fitted, fit_terms
from models.glm import fit_glm
from models.scorecard import Scorecard
from models.spec import ModelSpec
from models.spread import Spread, fit_spread
from models.terms import BoostTerm, LinearTerm, PriorTerm, Terms
from training.evidence import Evidence
from training.params import Params

Floats = NDArray[np.float64]
REFITS, REFIT_ROWS, SPREAD_ROWS = 8, 12_000, 4_000


@dataclass(frozen=True)
class Weights:
    """How much each learnt part counts."""

    linear: float = 0.0
    trees: float = 0.0

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        """(2,) linear, trees."""
        return np.array([self.linear, self.trees], dtype=dtype or float)


@dataclass(frozen=True)
class Parts:
    """Fitted parts, unweighted; a part that was not asked for is None."""

    evidence: Evidence
    prior: PriorTerm | None
    linear: LinearTerm | None
    booster: Any

    def prior_eta(self, matrix: Floats) -> Floats:
        """(n,) the scorecard's part of eta."""
        return np.asarray(self.prior.eta(matrix)) if self.prior else np.zeros(len(matrix))

    def learnt(self, matrix: Floats) -> Floats:
        """(n, 2) linear part and trees."""
        nothing = np.zeros(len(matrix))
        linear = self.linear.eta(matrix) if self.linear else nothing
        filled = self.evidence.encoder.filled(matrix)
        trees = self._boosted(1.0).eta(filled) if self.booster is not None else nothing
        return np.column_stack([linear, trees])

    def weighted(self, weights: Weights) -> Fitted:
        """Parts put together, with the constant of each level that suits them."""
        linear = boosted = None
        if self.linear and weights.linear > 0:
            coefficients, tilts = (
                tuple(weights.linear * c for c in part)
                for part in (self.linear.coefficients, self.linear.tilts)
            )
            linear = replace(self.linear, coefficients=coefficients, tilts=tilts)
        if self.booster is not None and weights.trees > 0:
            boosted = self._boosted(weights.trees)
        terms = Terms(self.evidence.encoder, 0.0, self.prior, linear, boosted)
        level = constants(self.evidence.design, terms.eta(self.evidence.design.matrix))
        choices = Choices(linear_weight=weights.linear, boosted_weight=weights.trees)
        shifts = tuple(float(v - level[0]) for v in level)
        return Fitted(replace(terms, intercept=float(level[0])), choices, shifts)

    def _boosted(self, weight: float) -> BoostTerm:
        return BoostTerm(self.booster, weight, self.evidence.design.timed)


def fit_parts(
    evidence: Evidence,
    spec: ModelSpec,
    *,
    scorecard: Scorecard | None,
    params: Params,
    seed: int,
    weights: Weights | None = None,
) -> Parts:
    """Fit the parts, leaving out those whose weight is known to be zero.

    Args:
        evidence: Observations.
        spec: The model.
        scorecard: Prior, or None.
        params: Settings.
        seed: Of the trees.
        weights: Known weights; None: all parts are wanted.
    """
    weights = weights or Weights(1.0, 1.0)
    design, boost = evidence.design, params.boost(evidence.weight)
    wanted = 1.0 if weights.linear > 0 else 0.0
    quiet = Choices(params.linear_penalty / evidence.weight, 0, wanted, 0.0)
    base = fit_terms(
        design, evidence.encoder, spec, scorecard=scorecard, params=boost, seed=seed, choices=quiet
    ).terms
    booster = None
    if weights.trees > 0 and params.rounds > 0:
        known = base.prior.eta(design.matrix) if base.prior else np.zeros(len(design.matrix))
        offset = design.log_exposure + known[design.row] + constants(design, known)[design.interval]
        booster = fit_trees(design, evidence.encoder, boost, offset=offset, seed=seed)
    return Parts(evidence, base.prior, base.linear, booster)


def constants(design: Design, eta: Floats) -> Floats:
    """(levels,) best constant of each level, the rest of eta given; a level without rows takes the last."""
    found = fit_glm(np.zeros((len(design.matrix), 0)), design.likelihood(eta), penalty=0.0).intercepts
    wanted = max(len(design.lengths_days), 1)
    return np.concatenate([found, np.repeat(found[-1:], wanted - len(found))])


def learn_spread(
    fitted: Fitted,
    evidence: Evidence,
    spec: ModelSpec,
    *,
    scorecard: Scorecard | None,
    params: Params,
    seed: int,
) -> Spread:
    """How far the score would move on other partners: refits on resampled groups, and masked inputs."""
    rng = np.random.default_rng(seed)
    weights = Weights(fitted.choices.linear_weight, fitted.choices.boosted_weight)
    n = len(evidence.design.matrix)
    size = min(n, REFIT_ROWS)

    def refit(number: int) -> Callable[[Any], Any]:
        drawn = evidence.design.take(bootstrap_rows(evidence.design.group, size=size, rng=rng))
        resampled = replace(evidence, design=drawn)
        parts = fit_parts(
            resampled, spec, scorecard=scorecard, params=params, seed=seed + number, weights=weights
        )
        return parts.weighted(weights).terms.eta

    models = [refit(k + 1) for k in range(REFITS)]
    sample = evidence.design.matrix[np.sort(rng.choice(n, min(n, SPREAD_ROWS), replace=False))]
    scale = float(np.sqrt(size / n))
    return fit_spread(sample, evidence.encoder, eta=fitted.terms.eta, refits=models, scale=scale, seed=seed)
