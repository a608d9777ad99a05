"""What each part predicts for rows it was not fitted on, and how much weight that earns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.blend import TOLL_NATS, fit_weights, loss_of
from models.design import Design, grouped_folds
from models.scorecard import Scorecard
from models.spec import ModelSpec
from training.dataset import Rows
from training.evidence import Evidence
from training.params import Params
from training.parts import Weights, constants, fit_parts

Floats = NDArray[np.float64]
FOLDS = 3
FEWEST = 10  # entities with the rarer outcome; with fewer, nothing is learnt beside the scorecard
FEWEST_FOR_TREES = 30  # a linear part can learn from a few; trees then learn noise
LEAST_WEIGHT = 0.02
PLENTY = 100  # entities with the rarer outcome from which the scorecard itself is put to the test
MAX_ROWS = 15_000  # weights and calibration need no more


@dataclass(frozen=True)
class Unseen:
    """Predictions of the parts for rows they were not fitted on.

    Attributes:
        rows: (n,) row ids of the data set.
        prior: (n,) the scorecard's part of eta.
        parts: (n, 2) linear part and trees, unweighted.
        weights: Weights earned.
        loss: Negative log-likelihood of the weighted parts, in nats of news.
    """

    rows: Rows
    prior: Floats
    parts: Floats
    weights: Weights
    loss: float

    def eta(self, weights: Weights) -> Floats:
        """(n,) eta of the weighted parts, without constants."""
        return self.prior + self.parts @ np.asarray(weights)


def choose(
    evidence: Evidence, spec: ModelSpec, *, scorecard: Scorecard | None, params: Params, seed: int
) -> tuple[Unseen, Scorecard | None]:
    """Weigh the parts with the scorecard as prior and, where data is plenty, without; keep the better.

    A scorecard that looks at the wrong things is a burden the learnt parts may not be able to undo, since
    they keep their promised directions. It must lose by more than chance before it is left out.
    """
    found = out_of_fold(evidence, spec, scorecard=scorecard, params=params, seed=seed)
    if scorecard is None or evidence.rarer < PLENTY:
        return found, scorecard
    bare = out_of_fold(evidence, spec, scorecard=None, params=params, seed=seed)
    return (bare, None) if bare.loss + TOLL_NATS < found.loss else (found, scorecard)


def out_of_fold(
    evidence: Evidence,
    spec: ModelSpec,
    *,
    scorecard: Scorecard | None,
    params: Params,
    seed: int,
    weights: Weights | None = None,
) -> Unseen:
    """Fit on all grouped folds but one and predict that one, in turn; then weigh the parts.

    Args:
        evidence: Observations.
        spec: The model.
        scorecard: Prior, or None.
        params: Settings.
        seed: Of folds and trees.
        weights: Weights that are settled, so that parts of weight 0 are not fitted; None: they are earned.
    """
    picked = _sample(evidence.design, seed)
    design = evidence.design if picked.size == len(evidence.design.matrix) else evidence.design.take(picked)
    groups = np.unique(design.group).size
    prior, parts = np.zeros(len(design.matrix)), np.zeros((len(design.matrix), 2))
    fold = grouped_folds(design.group, folds=min(FOLDS, groups), seed=seed)
    for k in range(int(fold.max()) + 1):
        inside, outside = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
        learn = Evidence(
            evidence.rows[picked][inside], evidence.encoder, design.take(inside), evidence.weight
        )
        if learn.rarer < 1:
            continue
        fitted = fit_parts(learn, spec, scorecard=scorecard, params=params, seed=seed, weights=weights)
        prior[outside] = fitted.prior_eta(design.matrix[outside])
        parts[outside] = fitted.learnt(design.matrix[outside])
    if weights is None:
        weights = weigh(design, prior, parts, rarer=evidence.rarer, news=evidence.weight)
    loss = evidence.weight * _loss(design, prior + parts @ np.asarray(weights))
    return Unseen(evidence.rows[picked], prior, parts, weights, loss)


def weigh(design: Design, prior: Floats, parts: Floats, *, rarer: int, news: float) -> Weights:
    """The weights that predict best, less a toll.

    The toll is paid in news: where snapshots overlap the likelihood counts each outcome several times, so the
    toll is raised alike. With too few entities of either outcome the scorecard stands alone.
    """
    if rarer < FEWEST:
        return Weights()
    if rarer < FEWEST_FOR_TREES:
        parts = parts * [1.0, 0.0]
    start = constants(design, prior)
    found = fit_weights(
        design.family, design.y, offset=design.log_exposure + prior[design.row] + start[design.interval],
        parts=parts[design.row], level=design.interval, toll=TOLL_NATS / news,
    )  # fmt: skip
    return Weights(*(float(w) if w >= LEAST_WEIGHT else 0.0 for w in found))


def _loss(design: Design, eta: Floats) -> float:
    """Negative log-likelihood with the best constant of each level."""
    data = design.likelihood(eta)
    return loss_of(data, data.offset + constants(design, eta)[data.level])


def _sample(design: Design, seed: int) -> NDArray[np.int64]:
    """Rows of whole groups, at most about MAX_ROWS."""
    n = len(design.matrix)
    if n <= MAX_ROWS:
        return np.arange(n)
    fold = grouped_folds(design.group, folds=int(np.ceil(n / MAX_ROWS)), seed=seed)
    return np.flatnonzero(fold == 0)
