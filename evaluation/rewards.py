"""What a choice would have brought, learnt from the log, but never from the decision it is used for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.design import Design, grouped_folds
from models.glm import expected, fit_glm

if TYPE_CHECKING:
    from evaluation.decisions import Decisions

Floats = NDArray[np.float64]
FOLDS = 5
RIDGE = 5.0
"""Penalty in nats of a coefficient of 1 on a standardised column: some hundred decisions are common."""
FEWEST = 5
"""Decisions of the rarer outcome without which only the mean is learnt."""


@dataclass(frozen=True)
class Rewards:
    """Predicted rewards.

    Attributes:
        chosen: (n,) of the choice that was made.
        policy: (n,) of the judged policy: Σ over candidates of probability × prediction.
    """

    chosen: Floats
    policy: Floats


def cross_fit(decisions: Decisions, *, folds: int = FOLDS, seed: int = 0) -> Rewards:
    """Predictions of a penalised regression fitted on the other folds; decisions of a cluster stay together.

    Rewards between 0 and 1 are learnt in log-odds, others (amounts) as they are. The model need not be right:
    it only takes noise away, and what it gets wrong is corrected by the weights.

    Source: Chernozhukov et al., Double/debiased machine learning (2018), for the folds.
    """
    pairs = _standardised(decisions.features)
    own = np.zeros(len(decisions.decision))
    fold = grouped_folds(decisions.cluster, folds=folds, seed=seed)
    for k in range(folds):
        learnt = np.flatnonzero((fold != k) & decisions.known)
        asked = np.flatnonzero(fold[decisions.decision] == k)
        if asked.size:
            own[asked] = _predicted(pairs, decisions, learnt, asked)
    policy: Any = np.bincount(decisions.decision, weights=decisions.target * own, minlength=len(decisions))
    return Rewards(own[decisions.chosen], policy)


def _predicted(pairs: Floats, decisions: Decisions, learnt: Any, asked: Any) -> Floats:
    rewards = decisions.reward[learnt]
    top = max(float(np.abs(decisions.reward).max(initial=0.0)), 1e-12)
    binary = bool(np.isin(decisions.reward, (0.0, 1.0)).all())
    mean = float(rewards.mean()) if learnt.size else 0.0
    fewest = min((rewards > 0).sum(), (rewards <= 0).sum()) if binary else learnt.size
    if fewest < FEWEST or not pairs.shape[1]:
        return np.full(asked.size, mean)
    matrix = pairs[decisions.chosen[learnt]]
    if not binary:
        gram = matrix.T @ matrix + RIDGE * np.eye(matrix.shape[1])
        slope = np.linalg.solve(gram, matrix.T @ (rewards - mean))
        return np.asarray(np.clip(mean + pairs[asked] @ slope, -top, top))
    design = Design.binary(matrix, rewards, group=np.arange(learnt.size))
    found = fit_glm(matrix, design.likelihood(), penalty=RIDGE)
    eta = found.intercepts[0] + pairs[asked] @ found.coefficients
    return np.asarray(expected("binomial", eta))


def _standardised(features: Floats) -> Floats:
    """Columns of mean 0 and deviation 1; what is missing is at the mean, and constant columns are nought."""
    with np.errstate(invalid="ignore"):
        known = np.isfinite(features)
        count = np.maximum(known.sum(axis=0), 1)
        filled = np.where(known, features, 0.0)
        mean = filled.sum(axis=0) / count
        centred = np.where(known, features - mean, 0.0)
        scale = np.sqrt((centred**2).sum(axis=0) / count)
    return np.asarray(np.divide(centred, scale, out=np.zeros_like(centred), where=scale > 1e-12))
