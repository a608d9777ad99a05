"""Points of a partner under a policy, at one review: a value with the range its potential leaves open."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from models.tiering.policy import POTENTIAL, Category, Gate, Measure, Tier, TierPolicy

UNKNOWN_SHARE = 0.5
"""Share of its points a measure without a value earns: a survey nobody answered is not a bad one."""


@dataclass(frozen=True)
class Potential:
    """Expected contribution of the next twelve months with its 80 % interval; None: not known.

    Attributes:
        value: US dollars.
        low: Lower end.
        high: Upper end.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Earned:
    """What one measure earned.

    Attributes:
        measure: The rule.
        have: The partner's figure; None: not known.
        points: Points.
        low: Points at the lower end of the potential.
        high: Points at its upper end.
    """

    measure: Measure
    have: float | None
    points: float
    low: float
    high: float


@dataclass(frozen=True)
class Card:
    """A partner at one review.

    Attributes:
        total: Points, 0–100.
        low: Lower end of their 80 % range.
        high: Upper end.
        categories: Category → (points, of).
        earned: By measure.
        features: The figures gates look at.
    """

    total: float
    low: float
    high: float
    categories: Mapping[Category, tuple[float, float]]
    earned: tuple[Earned, ...]
    features: Mapping[str, float | None]


def grade(policy: TierPolicy, row: Mapping[str, object], potential: Potential) -> Card:
    """Points of a partner.

    Args:
        policy: The rules.
        row: The partner's features; a missing one is None or NaN.
        potential: The model's answer.
    """
    figures = {f: number(row.get(f)) for f in policy.features}
    earned: list[Earned] = []
    categories: dict[Category, tuple[float, float]] = {}
    for category, measures in policy.categories.items():
        own = [_earn(m, figures, potential) for m in measures]
        categories[category] = (_total(e.points for e in own), float(sum(m.points for m in measures)))
        earned += own
    return Card(
        total=_total(e.points for e in earned),
        low=_total(e.low for e in earned),
        high=_total(e.high for e in earned),
        categories=categories,
        earned=tuple(earned),
        features=figures,
    )


def number(value: object) -> float | None:
    """A figure, or None where there is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def scale_of(measure: Measure, features: Mapping[str, float | None]) -> float:
    """What the figure of a partner is multiplied by, for its size; 1 where the size is not known."""
    size = features.get(measure.per.feature) if measure.per else None
    if measure.per is None or size is None or size <= 0:
        return 1.0
    return float((measure.per.reference / size) ** measure.per.exponent)


def unmet(tier: Tier, card: Card) -> list[tuple[Gate, float | None]]:
    """Gates of a tier the partner does not pass, with what it has; what is not known is not passed."""
    found = [(g, card.features.get(g.feature)) for g in tier.gates]
    return [(g, have) for g, have in found if have is None or have < g.least]


def empty_categories(tier: Tier, card: Card) -> list[Category]:
    """Categories that earn no more than the tier allows."""
    if tier.every_category_above is None:
        return []
    return [c for c, (points, _) in card.categories.items() if points <= tier.every_category_above]


def opens(tier: Tier, card: Card) -> bool:
    """Whether everything but the points is there for a tier."""
    return not unmet(tier, card) and not empty_categories(tier, card)


def reached(policy: TierPolicy, points: float, card: Card) -> int:
    """The highest tier whose cut and gates, and those of all tiers below it, are met by so many points."""
    level = 0
    for k, tier in enumerate(policy.tiers[1:], start=1):
        if points < tier.cut or not opens(tier, card):
            break
        level = k
    return level


def _earn(measure: Measure, features: Mapping[str, float | None], potential: Potential) -> Earned:
    if measure.feature == POTENTIAL:
        have, ends = potential.value, (potential.low, potential.high)
    else:
        have = features.get(measure.feature)
        ends = (have, have)
    scale = scale_of(measure, features)
    points = _points(measure, have, scale)
    low, high = sorted(points if e is None else _points(measure, e, scale) for e in ends)
    return Earned(measure, have, points, min(low, points), max(high, points))


def _points(measure: Measure, have: float | None, scale: float) -> float:
    if have is None:
        return UNKNOWN_SHARE * measure.points
    share = (have * scale - measure.low) / (measure.high - measure.low)
    return measure.points * min(max(share, 0.0), 1.0)


def _total(points: Iterable[float]) -> float:
    return math.fsum(points)
