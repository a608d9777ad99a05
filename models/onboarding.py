"""The first 90 days: which milestones a new partner has reached, and its chance of a first deal by day 90.

The chance is what became of earlier partners at the same age with as many milestones and no deal yet, drawn
toward all partners of that age where they were few. More milestones never give a smaller chance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

DAYS = 90
CHECKPOINTS = (0, 15, 30, 45, 60, 75)
MILESTONES = ("first_login", "first_training", "first_certification", "first_registration")
FIRST_DEAL = "first_deal"
PRIOR_WEIGHT = 10.0
LEAST_PARTNERS = 30


@dataclass(frozen=True)
class Onboarding:
    """What earlier partners came to.

    Attributes:
        chance: Checkpoint (days after signing) → chance of a first deal by day 90 for 0, 1, … milestones.
        partners: How many earlier partners it is made from.
    """

    chance: Mapping[int, tuple[float, ...]]
    partners: int

    def of(self, age_days: float, reached: int) -> float | None:
        """Chance for a partner of that age without a deal; None after day 90, or when too few came before."""
        if not 0 <= age_days < DAYS or self.partners < LEAST_PARTNERS:
            return None
        checkpoint = max(c for c in CHECKPOINTS if c <= age_days)
        return self.chance[checkpoint][min(reached, len(MILESTONES))]


def fit_onboarding(days_to: Any) -> Onboarding:
    """Learn from partners whose first 90 days are over.

    Args:
        days_to: DataFrame with a column for each milestone and `first_deal`: days from signing, NaN: never.
    """
    deal = days_to[FIRST_DEAL].to_numpy(dtype=np.float64)
    reached_on = np.column_stack([days_to[m].to_numpy(dtype=np.float64) for m in MILESTONES])
    success = (deal < DAYS).astype(np.float64)
    overall = float(success.mean()) if success.size else 0.0
    chance = {}
    for checkpoint in CHECKPOINTS:
        waiting = ~(deal < checkpoint)
        count = (reached_on[waiting] < max(checkpoint, 1e-9)).sum(axis=1)
        chance[checkpoint] = _by_count(success[waiting], count, overall)
    return Onboarding(chance, int(success.size))


def _by_count(success: Any, count: Any, overall: float) -> tuple[float, ...]:
    middle = _shrunk(success, overall)
    rates = [_shrunk(success[count == k], middle) for k in range(len(MILESTONES) + 1)]
    weights = [PRIOR_WEIGHT + float((count == k).sum()) for k in range(len(MILESTONES) + 1)]
    return tuple(_rising(rates, weights))


def _shrunk(success: Any, toward: float) -> float:
    return float((success.sum() + PRIOR_WEIGHT * toward) / (success.size + PRIOR_WEIGHT))


def _rising(rates: Sequence[float], weights: Sequence[float]) -> list[float]:
    """The nearest rates that never fall, by pooling neighbours that do.

    Source: pool adjacent violators (Ayer et al., 1955).
    """
    blocks: list[list[float]] = []
    for rate, weight in zip(rates, weights, strict=True):
        blocks.append([rate, weight, 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            b, a = blocks.pop(), blocks.pop()
            total = a[1] + b[1]
            blocks.append([(a[0] * a[1] + b[0] * b[1]) / total, total, a[2] + b[2]])
    return [block[0] for block in blocks for _ in range(int(block[2]))]
