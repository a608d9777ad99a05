"""Whether a row lies outside what the model has experience with, and what then happens to its score.

A model of fit has seen the companies recruiters chose. Of companies unlike them it knows little and promises
too much. A classifier of recruited against all prospects gives the density ratio; where the recruited are
rare, the score is drawn toward the scorecard, in log-odds, at most half of the way. What this takes away or
adds is one reason of its own, so that reasons still add up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.calibration import Affine, fit_platt
from models.encoding import Encoder
from models.spec import Feature
from models.terms import PriorTerm, Scaling

OUTSIDE = Feature(
    "outside_experience",
    label="outside experience",
    missing="Few of the partners you recruited are like this prospect, so its score is drawn toward the "
    "scorecard.",
)
LEAST_ROWS = 40
RARE_AMONG_RECRUITED, OUTERMOST = 0.05, 0.2
PENALTY = 5.0
LEAST_TRUST = 0.5


@dataclass(frozen=True)
class Experience:
    """What the recruited look like among all prospects.

    Attributes:
        scaling: Standard scores of the matrix.
        coefficients: Of the scores and of their squares, (2p,).
        intercept: Constant; with it the log density ratio has no share of recruited in it.
        threshold: Log ratio below which a row is outside.
        card: Map of the scorecard's part of eta to calibrated log-odds; slope 0 without a scorecard.
    """

    scaling: Scaling
    coefficients: tuple[float, ...]
    intercept: float
    threshold: float
    card: Affine

    def log_ratio(self, matrix: Any) -> Any:
        """Log of the recruited's density over the prospects', up to a constant, (n,)."""
        # No matrix product: its last bits depend on how many rows come together.
        return (_inputs(self.scaling(matrix)) * np.array(self.coefficients)).sum(axis=1) + self.intercept

    def trust(self, matrix: Any) -> Any:
        """Weight of the model against the scorecard, (n,): 1 inside, down to a half outside."""
        density = np.exp(np.minimum(self.log_ratio(matrix) - self.threshold, 0.0))
        return LEAST_TRUST + (1.0 - LEAST_TRUST) * density

    def outside(self, matrix: Any) -> Any:
        """Whether each row is outside, bool (n,)."""
        return self.log_ratio(matrix) < self.threshold

    def shift(self, matrix: Any, eta: Any, prior: PriorTerm | None) -> Any:
        """What is added to the calibrated eta, (n,): 0 inside."""
        points = prior.eta(matrix) if prior else np.zeros(len(matrix))
        return (1.0 - self.trust(matrix)) * (self.card(points) - eta)

    def to_json(self) -> dict[str, Any]:
        """Plain values for the bundle."""
        scaling = self.scaling
        return {
            "logged": list(scaling.logged),
            "mean": list(scaling.mean),
            "scale": list(scaling.scale),
            "coefficients": list(self.coefficients),
            "intercept": self.intercept,
            "threshold": self.threshold,
            "card": [self.card.a, self.card.b],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any], *, width: int) -> Experience:
        """Inverse of `to_json`; ValueError when it is of another matrix."""
        scaling = Scaling(*(tuple(value[k]) for k in ("logged", "mean", "scale")))
        if {len(scaling.logged), len(scaling.mean), len(scaling.scale)} != {width} or len(
            value["coefficients"]
        ) != 2 * width:
            raise ValueError("the experience is of another number of columns")
        card = Affine(*(float(v) for v in value["card"]))
        return cls(
            scaling,
            tuple(float(c) for c in value["coefficients"]),
            float(value["intercept"]),
            float(value["threshold"]),
            card,
        )


def fit_experience(
    recruited: Any, prospects: Any, y: Any, *, encoder: Encoder, prior: PriorTerm | None
) -> Experience | None:
    """Learn where the recruited are rare among prospects; None with too few of either.

    A row is outside when it is among the outermost fifth of the prospects and rarer than nineteen in twenty
    recruited: where both look alike, hardly anyone is outside.

    Args:
        recruited: Encoded rows of training, (n, p).
        prospects: Encoded rows of everyone who was considered, (m, p).
        y: Outcomes of the recruited, (n,).
        encoder: Columns.
        prior: The scorecard's part, or None.
    """
    if min(len(recruited), len(prospects)) < LEAST_ROWS:
        return None
    from sklearn.linear_model import LogisticRegression

    scaling = Scaling.fit(np.concatenate([recruited, prospects]), encoder)
    inputs = _inputs(scaling(np.concatenate([recruited, prospects])))
    label = np.repeat([1, 0], [len(recruited), len(prospects)])
    model = LogisticRegression(C=1.0 / PENALTY, class_weight="balanced", max_iter=2000, tol=1e-8)
    model.fit(inputs, label)
    card = Affine(float(np.log(y.mean() / (1.0 - y.mean()))), 0.0)
    if prior is not None:
        card = fit_platt(prior.eta(recruited), y)
    found = Experience(
        scaling, tuple(float(c) for c in model.coef_[0]), float(model.intercept_[0]), -np.inf, card
    )
    inside, every = found.log_ratio(recruited), found.log_ratio(prospects)
    threshold = min(np.quantile(inside, RARE_AMONG_RECRUITED), np.quantile(every, OUTERMOST))
    return Experience(found.scaling, found.coefficients, found.intercept, float(threshold), card)


def _inputs(scores: Any) -> Any:
    return np.ascontiguousarray(np.column_stack([scores, scores**2]))
