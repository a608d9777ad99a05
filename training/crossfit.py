"""What each part predicts for groups it has not seen, and how much weight that earns."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.blend import TOLL_NATS, fit_weights, loss_of
from models.design import Design, grouped_folds
from models.fitting import Choices, Fitted, fit_terms
from models.glm import fit_glm
from models.scorecard import Scorecard
from models.spec import ModelSpec
from training.evidence import Evidence
from training.params import Params

Floats = NDArray[np.float64]
FOLDS = 3
FEWEST = 10  # entities with the rarer outcome; with fewer, nothing is learnt beside the scorecard
LEAST_WEIGHT = 0.02
PLENTY = 100  # entities with the rarer outcome from which the scorecard itself is put to the test
MAX_ROWS = 15_000  # weights and calibration need no more


@dataclass(frozen=True)
class CrossFit:
    """Out-of-fold predictions.

    Attributes:
        design: The observations predicted (a sample of whole groups where there are very many).
        picked: Rows of the evidence they are.
        prior: (n,) the scorecard's part of eta.
        parts: (n, 2) linear part and trees, unweighted.
        choices: Weights earned.
        loss: Negative log-likelihood of the weighted parts out of fold, in nats of news.
    """

    design: Design
    picked: NDArray[np.int64]
    prior: Floats
    parts: Floats
    choices: Choices
    loss: float

    @property
    def eta(self) -> Floats:
        """(n,) eta of the weighted parts, without constants."""
        return self.prior + self.parts @ [self.choices.linear_weight, self.choices.boosted_weight]


def cross_fit(
    evidence: Evidence, spec: ModelSpec, *, scorecard: Scorecard | None, params: Params, seed: int
) -> CrossFit:
    """Fit on all folds but one, predict that one, and weigh the parts by what they predicted.

    The toll on weights is paid in news: where snapshots overlap the likelihood counts each outcome several
    times, so the toll is raised alike. With too few entities of either outcome the scorecard stands alone.
    """
    picked = _sample(evidence.design, seed)
    design = evidence.design if picked.size == len(evidence.design.matrix) else evidence.design.take(picked)
    groups = np.unique(design.group).size
    prior, parts = np.zeros(len(design.matrix)), np.zeros((len(design.matrix), 2))
    full = Choices(params.linear_penalty / evidence.weight, params.rounds, 1.0, 1.0)
    fold = grouped_folds(design.group, folds=min(FOLDS, groups), seed=seed)
    start = np.zeros(design.y.size)
    for k in range(int(fold.max()) + 1):
        inside, outside = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
        learn = design.take(inside)
        if learn.y.size == 0 or learn.y.min() == learn.y.max():
            continue
        fitted = fit_terms(
            learn, evidence.encoder, spec, scorecard=scorecard, params=params.boost(evidence.weight),
            seed=seed, choices=full,
        )  # fmt: skip
        prior[outside], parts[outside] = parts_of(fitted, design.matrix[outside])
        here = np.isin(design.row, outside)
        start[here] = _levels(fitted)[design.interval[here]]
    choices = replace(full, linear_weight=0.0, boosted_weight=0.0)
    if evidence.rarer >= FEWEST:
        weights = fit_weights(
            design.family, design.y, offset=design.log_exposure + prior[design.row] + start,
            parts=parts[design.row], level=design.interval, toll=TOLL_NATS / evidence.weight,
        )  # fmt: skip
        linear, trees = (float(w) if w >= LEAST_WEIGHT else 0.0 for w in weights)
        choices = replace(full, linear_weight=linear, boosted_weight=trees)
    learnt = parts @ [choices.linear_weight, choices.boosted_weight]
    loss = evidence.weight * _loss(design, prior + learnt)
    return CrossFit(design, picked, prior, parts, choices, loss)


def choose_prior(
    evidence: Evidence, spec: ModelSpec, *, scorecard: Scorecard | None, params: Params, seed: int
) -> tuple[CrossFit, Scorecard | None]:
    """Cross-fit with the scorecard as prior and, where data is plenty, without; keep what predicts better.

    A scorecard that looks at the wrong things is a burden the learnt parts may not be able to undo, since
    they keep their promised directions. It must lose by more than chance before it is left out.
    """
    cross = cross_fit(evidence, spec, scorecard=scorecard, params=params, seed=seed)
    if scorecard is None or evidence.rarer < PLENTY:
        return cross, scorecard
    bare = cross_fit(evidence, spec, scorecard=None, params=params, seed=seed)
    return (bare, None) if bare.loss + TOLL_NATS < cross.loss else (cross, scorecard)


def parts_of(fitted: Fitted, matrix: Floats) -> tuple[Floats, Floats]:
    """(n,) the scorecard's part and (n, 2) the learnt ones, with the weights they were fitted with."""
    terms = fitted.terms
    nothing = np.zeros(len(matrix))
    prior = terms.prior.eta(matrix) if terms.prior else nothing
    linear = terms.linear.eta(matrix) if terms.linear else nothing
    trees = terms.boosted.eta(terms.encoder.filled(matrix)) if terms.boosted else nothing
    return prior, np.column_stack([linear, trees])


def _loss(design: Design, eta: Floats) -> float:
    """Negative log-likelihood with the best constant of each level."""
    data = design.likelihood(eta)
    levels = fit_glm(np.zeros((len(design.matrix), 0)), data, penalty=0.0).intercepts
    return loss_of(data, data.offset + levels[data.level])


def _levels(fitted: Fitted) -> Floats:
    return fitted.terms.intercept + np.array(fitted.levels)


def _sample(design: Design, seed: int) -> NDArray[np.int64]:
    """Rows of whole groups, at most about MAX_ROWS."""
    n = len(design.matrix)
    if n <= MAX_ROWS:
        return np.arange(n)
    fold = grouped_folds(design.group, folds=int(np.ceil(n / MAX_ROWS)), seed=seed)
    return np.flatnonzero(fold == 0)
