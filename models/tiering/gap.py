"""What is missing for a tier, in the policy's own terms: gates first, then categories, then points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from models.tiering.points import Card, Earned, empty_categories, scale_of, unmet
from models.tiering.policy import POTENTIAL, TierPolicy
from models.tiering.stability import Verdict

Kind = Literal["gate", "category", "points", "any_of", "all_of"]
MOST_WAYS = 4


@dataclass(frozen=True)
class Need:
    """One thing that is missing.

    Attributes:
        kind: `gate` and `category` must all be met; `points` says how many lack; each `any_of` closes that
            lack alone; where none can, all of the `all_of` do it together.
        requirement: Feature, category, or `points`.
        label: For people.
        have: What is there; None: not known.
        need: What is asked for.
        unit: For display.
    """

    kind: Kind
    requirement: str
    label: str
    have: float | None
    need: float
    unit: str = ""

    @property
    def words(self) -> str:
        """For people: `2 more people: Certified people`."""
        lacking = self.need - (self.have or 0.0)
        shown = f"{lacking:,.0f}" if lacking >= 10 or lacking.is_integer() else f"{lacking:,.1f}"
        return f"{shown} {counted(self.unit or 'points', lacking)}: {self.label}"


def needs_for(policy: TierPolicy, level: int, card: Card, bound: float) -> tuple[Need, ...]:
    """Everything that is missing for a tier; empty when it is earned.

    The potential is what the model expects, nothing a partner can hand in, so it is no way to more points.

    Args:
        policy: The rules.
        level: Tier, as an index.
        card: Points now.
        bound: The smoothed points that must clear the cut.
    """
    tier = policy.tiers[level]
    found = [Need("gate", g.feature, g.label, have, g.least, g.unit) for g, have in unmet(tier, card)]
    least = tier.every_category_above
    found += [
        Need("category", c, c.replace("_", " "), card.categories[c][0], float(least or 0.0), "points")
        for c in empty_categories(tier, card)
    ]
    lack = tier.cut - bound
    if lack > 0:
        found.append(Need("points", "points", f"Points for {tier.name}", bound, tier.cut, "points"))
        found += _ways(card, lack)
    return tuple(found)


def gap_to_next(policy: TierPolicy, held: int, card: Card, verdict: Verdict) -> tuple[Need, ...]:
    """What is missing for the tier above the one held; empty at the top."""
    if held + 1 >= len(policy.tiers):
        return ()
    bound = verdict.low if policy.stability.promote_on == "lower" else verdict.points
    return needs_for(policy, held + 1, card, bound)


def needs_to_keep(policy: TierPolicy, held: int, card: Card, verdict: Verdict) -> tuple[Need, ...]:
    """What is missing for the tier held; empty while it is earned."""
    return needs_for(policy, held, card, verdict.points) if held else ()


def _ways(card: Card, lack: float) -> list[Need]:
    """Figures each of which could close the lack alone, the least effort first."""
    ways = [(effort, need) for e in card.earned if (found := _way(card, e, lack)) for effort, need in [found]]
    alone = [need for _, need in sorted(ways, key=lambda w: (w[0], w[1].requirement))[:MOST_WAYS]]
    return alone or _together(card, lack)


def _way(card: Card, earned: Earned, lack: float) -> tuple[float, Need] | None:
    measure = earned.measure
    if measure.feature == POTENTIAL or earned.points + lack > measure.points + 1e-9:
        return None
    return lack / measure.points, _need("any_of", card, earned, lack)


def _together(card: Card, lack: float) -> list[Need]:
    """As few figures as possible that close the lack, those with most room first; [] when all are too few."""
    room = [e for e in card.earned if e.measure.feature != POTENTIAL and e.points < e.measure.points - 1e-9]
    room.sort(key=lambda e: (e.points - e.measure.points, e.measure.feature))
    found = []
    for earned in room:
        if lack <= 1e-9:
            break
        step = min(lack, earned.measure.points - earned.points)
        found.append(_need("all_of", card, earned, step))
        lack -= step
    return found if lack <= 1e-9 else []


def _need(kind: Kind, card: Card, earned: Earned, more: float) -> Need:
    """The figure that earns so many more points."""
    measure = earned.measure
    share = min((earned.points + more) / measure.points, 1.0)
    figure = (measure.low + share * (measure.high - measure.low)) / scale_of(measure, card.features)
    return Need(
        kind, measure.feature, measure.label, earned.have, _rounded(figure, measure.unit), measure.unit
    )


def _rounded(need: float, unit: str) -> float:
    """Counts up to the next whole one, money to the next thousand, shares and scores to a hundredth."""
    from math import ceil

    if unit == "usd":
        return float(ceil(need / 1000 - 1e-9) * 1000)
    if unit in ("share", "of 10"):
        return ceil(need * 100 - 1e-9) / 100
    return float(ceil(need - 1e-9))


def counted(unit: str, number: float) -> str:
    """The unit as it follows a number: `2 people`, `1 person`, `1 deal`."""
    return unit if number != 1 else {"people": "person"}.get(unit, unit.removesuffix("s"))
