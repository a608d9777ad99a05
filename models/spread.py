"""How sure a score is: the standard deviation of eta, learnt from refits and from masked inputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.doubt import CERTAIN, Doubt
from models.encoding import Encoder

Z80 = 1.2815515655446004
"""Normal quantile of an 80 % interval."""
STRONG, MODERATE, THIN = 0.25, 0.5, 1.5
"""Greatest standard deviation of the calibrated eta for each grade."""
FEW_POSITIVES, VERY_FEW_POSITIVES = 100, 30
LEARN_FROM_ROWS = 400
LEAST = 0.02
GRADES = ("strong", "moderate", "thin", "insufficient")


@dataclass(frozen=True)
class Spread:
    """Standard deviation of eta, before calibration.

    Attributes:
        constant: Standard deviation with everything known.
        missing: Added variance when everything is missing, as its square root.
        booster: lightgbm.Booster of the variance on `inputs`; None: the two numbers above.
        doubt: Of the calibrator, which moves all scores together.
    """

    constant: float
    missing: float = 0.0
    booster: Any = None
    doubt: Doubt = CERTAIN

    def calibrated_sd(self, eta: Any, missing: Any, groups: Any, *, slope: float) -> Any:
        """Standard deviation of the calibrated eta, (n,): of g(x), stretched by the slope, and of the map.

        Args:
            eta: eta before calibration, (n,).
            missing: Whether each feature is missing, bool (n, features).
            groups: Component group of each feature, as an index, (features,).
            slope: Of the calibrator.
        """
        return np.sqrt((slope * self.sd(eta, missing, groups)) ** 2 + self.doubt.variance(eta))

    def sd(self, eta: Any, missing: Any, groups: Any) -> Any:
        """Standard deviation of each row, (n,).

        Args:
            eta: eta before calibration, (n,).
            missing: Whether each feature is missing, bool (n, features).
            groups: Component group of each feature, as an index, (features,).
        """
        shares = missing_shares(missing, groups)
        if self.booster is None:
            overall = missing.mean(axis=1) if missing.shape[1] else np.zeros(len(eta))
            return np.sqrt(self.constant**2 + self.missing**2 * overall)
        variance = self.booster.predict(np.column_stack([eta, shares]), num_threads=1)
        return np.sqrt(np.maximum(variance, LEAST**2))


def missing_shares(missing: Any, groups: Any) -> Any:
    """Share of missing features in each group, (n, groups)."""
    groups = np.asarray(groups, dtype=int)
    count = int(groups.max()) + 1 if len(groups) else 0
    return np.column_stack([missing[:, groups == g].mean(axis=1) for g in range(count)])


def group_index(encoder: Encoder) -> Any:
    """Component group of each feature as an index in order of first use."""
    order = list(dict.fromkeys(f.group for f in encoder.features))
    return np.array([order.index(f.group) for f in encoder.features], dtype=int)


def fit_spread(
    matrix: Any,
    encoder: Encoder,
    *,
    eta: Callable[[Any], Any],
    refits: list[Callable[[Any], Any]],
    scale: float = 1.0,
    seed: int,
    copies: int = 2,
) -> Spread:
    """Learn the variance of eta.

    For a row x and a masked copy x', the target is the variance of the refits at x plus (eta(x') − eta(x))²:
    its mean given x' is what an honest interval needs. The small model sees eta and the share missing in each
    group, never falls as more is missing, and keeps the two apart, so their effects multiply.

    Args:
        matrix: Encoded rows of training, (n, p).
        encoder: Its columns.
        eta: The shipped model's eta before calibration.
        refits: The same of models refitted on resampled groups.
        scale: Factor for refits on fewer rows than the shipped model saw: sqrt(rows resampled / rows).
        seed: Of the masking.
        copies: Masked copies of each row.
    """
    rng = np.random.default_rng(seed)
    groups = group_index(encoder)
    base = eta(matrix)
    drawn = np.array([refit(matrix) for refit in refits]) if refits else np.zeros((1, len(matrix)))
    # Refits that all sit higher say nothing about a row: what counts is their disagreement.
    ddof = 1 if len(drawn) > 1 else 0
    variance = scale**2 * drawn.var(axis=0, ddof=ddof)
    masked = [matrix, *(_masked(matrix, encoder, groups, rng) for _ in range(copies))]
    targets = [variance, *(variance + (eta(m) - base) ** 2 for m in masked[1:])]
    missing = np.concatenate([encoder.missing(m) for m in masked])
    inputs = np.column_stack([np.concatenate([eta(m) for m in masked]), missing_shares(missing, groups)])
    target = np.maximum(np.concatenate(targets), LEAST**2)
    constant = float(np.sqrt(max(variance.mean(), LEAST**2)))
    blanked = matrix.copy()
    for feature in encoder.names:
        blanked = encoder.blank(blanked, feature)
    lost = float(np.sqrt(np.mean((eta(blanked) - base) ** 2)))
    if len(matrix) < LEARN_FROM_ROWS:
        return Spread(constant, lost)
    return Spread(constant, lost, _fit_variance(inputs, target, seed))


def _masked(matrix: Any, encoder: Encoder, groups: Any, rng: Any) -> Any:
    """Rows with a random share of features missing, and now and then a whole group, as with a dead feed."""
    drop = rng.random((len(matrix), len(encoder.features))) < rng.random((len(matrix), 1)) ** 2
    dead = rng.random((len(matrix), int(groups.max()) + 1)) < 0.2
    drop |= dead[:, groups]
    out = matrix.copy()
    for j, feature in enumerate(encoder.names):
        out[drop[:, j]] = encoder.blank(out[drop[:, j]], feature)
    return out


def _fit_variance(inputs: Any, target: Any, seed: int) -> Any:
    import lightgbm as lgb

    groups = inputs.shape[1] - 1
    params = {
        "objective": "poisson", "num_leaves": 8, "max_depth": 3, "learning_rate": 0.1, "min_data_in_leaf": 50,
        "monotone_constraints": [0] + [1] * groups, "monotone_constraints_method": "intermediate",
        "interaction_constraints": [[0], list(range(1, groups + 1))], "verbosity": -1, "seed": seed,
        "num_threads": 1, "deterministic": True, "force_row_wise": True,
    }  # fmt: skip
    return lgb.train(params, lgb.Dataset(inputs, target, params={"verbosity": -1}), num_boost_round=60)


def grade(sd: Any, *, known: Any, labelled: bool, positives: int) -> list[str]:
    """Evidence grade of each row.

    By standard deviation of the calibrated eta: strong up to 0.25 (at 50 %, an interval of ±8 points),
    moderate up to 0.5, thin up to 1.5; beyond, the interval spans nearly everything: insufficient. With
    under 100 outcomes in training nothing is strong, with under 30 everything is thin. Insufficient, too,
    when no label was known, or nothing but context is known of the row.

    Args:
        sd: Standard deviation of the calibrated eta, (n,).
        known: Whether anything that tells is known of the row, bool (n,).
        labelled: Whether the model was fitted on labels.
        positives: Number of the rarer outcome in training.
    """
    best = 2 if positives < VERY_FEW_POSITIVES else 1 if positives < FEW_POSITIVES else 0
    level = np.searchsorted([STRONG, MODERATE, THIN], sd, side="left")
    level = np.where(known & labelled, np.maximum(level, best), 3)
    return [GRADES[int(i)] for i in level]
