"""Tiers over the past: how restless a policy is, and where the tiers held deviate from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.resampling import Estimate, estimate
from models.tiering.points import grade
from models.tiering.policy import TierPolicy
from models.tiering.replay import Restlessness, follow, restlessness, unsteady
from models.tiering.simulate import Member, earned

DRAWS = 400
FEWEST = 5


@dataclass(frozen=True)
class Steadiness:
    """The same partners with and without what keeps tiers steady."""

    plain: Restlessness
    steady: Restlessness

    @property
    def fewer_changes(self) -> float:
        """Share of changes that do not happen."""
        return 1 - self.steady.changes / max(self.plain.changes, 1)

    @property
    def fewer_reversals(self) -> float:
        """Share of reversals that do not happen."""
        return 1 - self.steady.reversals / max(self.plain.reversals, 1)


def judge_steadiness(policy: TierPolicy, members: Sequence[Member]) -> Steadiness:
    """Replay the reviews of partners twice: every figure at its word, and by the rules of stability.

    Both begin with the tier the first review earns.
    """
    plain, steady = {}, {}
    for m in members:
        cards = [grade(policy, row, potential) for row, potential in m.reviews]
        course = follow(policy, cards)
        plain[m.partner_id] = unsteady(policy, cards)
        steady[m.partner_id] = (*course.held[1:], course.level)
    return Steadiness(restlessness(plain), restlessness(steady))


@dataclass(frozen=True)
class Deviation:
    """Tiers held by the partners of one manager, against those earned.

    Attributes:
        manager_id: Who.
        partners: How many.
        above: Partners held above what they earned.
        below: Partners held below it.
        mean: Mean distance in tiers, held less earned, with a 95 % interval over partners.
        unlike: Whether the interval lies wholly on one side of the mean of all partners.
    """

    manager_id: str
    partners: int
    above: int
    below: int
    mean: Estimate
    unlike: bool


@dataclass(frozen=True)
class Audit:
    """Held against earned.

    Attributes:
        partners: How many hold a tier of the policy.
        agree: Share held where it is earned.
        mean: Mean distance in tiers, held less earned.
        kappa: Quadratic-weighted kappa of held and earned.
        managers: By manager, the most partners first.
        traits: The same by region, size and type, under `trait: value`.
    """

    partners: int
    agree: float
    mean: float
    kappa: float
    managers: tuple[Deviation, ...]
    traits: tuple[Deviation, ...]


def audit_managers(
    policy: TierPolicy, members: Sequence[Member], *, managers: Mapping[str, str], seed: int = 0
) -> Audit:
    """Where managers hold partners above or below what the policy says.

    A deviation is a question to a person, not a proof of favour: the policy does not see everything.

    Args:
        policy: The rules.
        members: Partners.
        managers: Partner → manager.
        seed: Of the draws.
    """
    known = {n.casefold() for n in policy.names}
    rated = [m for m in members if (m.held or "").casefold() in known]
    if not rated:
        return Audit(0, float("nan"), float("nan"), float("nan"), (), ())
    held = np.array([policy.level(m.held) for m in rated])
    due = np.array([earned(policy, m)[0] for m in rated])
    step = (held - due).astype(float)
    whole = float(step.mean())
    by_manager = [managers.get(m.partner_id, "") for m in rated]
    by_trait = [[f"{t}: {v}" for t, v in m.traits.items()] for m in rated]
    return Audit(
        len(rated),
        float((step == 0).mean()),
        whole,
        _kappa(held, due, len(policy.tiers)),
        _deviations([[m] if m else [] for m in by_manager], step, whole, seed),
        _deviations(by_trait, step, whole, seed),
    )


def _deviations(
    keys: Sequence[Sequence[str]], step: np.ndarray, whole: float, seed: int
) -> tuple[Deviation, ...]:
    parts: dict[str, list[int]] = {}
    for k, names in enumerate(keys):
        for name in names:
            parts.setdefault(name, []).append(k)
    found = [_deviation(name, step[rows], whole, seed) for name, rows in sorted(parts.items())]
    return tuple(
        sorted((d for d in found if d.partners >= FEWEST), key=lambda d: (-d.partners, d.manager_id))
    )


def _deviation(name: str, step: np.ndarray, whole: float, seed: int) -> Deviation:
    rng = np.random.default_rng(seed)
    draws = rng.choice(step, (DRAWS, step.size)).mean(axis=1)
    mean = estimate(np.concatenate([[step.mean()], draws]))
    unlike = mean.low > whole or mean.high < whole
    return Deviation(name, step.size, int((step > 0).sum()), int((step < 0).sum()), mean, bool(unlike))


def _kappa(held: np.ndarray, due: np.ndarray, tiers: int) -> float:
    from evaluation.ordered import JudgedBands, confusion, quadratic_weighted_kappa

    judged = JudgedBands(due.astype(np.int64), held.astype(np.int64), np.arange(held.size), tiers)
    return float(quadratic_weighted_kappa(confusion(judged, np.ones((1, held.size))))[0])
