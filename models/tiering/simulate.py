"""If the rules change, who moves? Two policies on the same partners, with the cost of their benefits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from models.tiering.points import Card, Potential, grade, reached
from models.tiering.policy import TierPolicy
from models.tiering.stability import smoothed

SIZES = ((50, "under 50 employees"), (250, "50 to 249 employees"), (float("inf"), "250 employees and more"))
UNKNOWN = "not known"


@dataclass(frozen=True)
class Member:
    """A partner to try rules on.

    Attributes:
        partner_id: Its id.
        held: Name of the tier held; None: none.
        reviews: (features, potential) of past reviews and now, the oldest first; at least one.
        traits: Region, size and type.
    """

    partner_id: str
    held: str | None
    reviews: tuple[tuple[Mapping[str, object], Potential], ...]
    traits: Mapping[str, str]


@dataclass(frozen=True)
class Move:
    """A partner whose tier differs between two policies."""

    partner_id: str
    held: str | None
    now: str
    new: str
    points_now: float
    points_new: float
    up: bool


@dataclass(frozen=True)
class Effect:
    """What a change of rules does to one part of the partners."""

    trait: str
    value: str
    partners: int
    up: int
    down: int


@dataclass(frozen=True)
class Comparison:
    """Two policies on the same partners.

    Attributes:
        partners: How many.
        moves: Who would end in another tier, in the order of ids.
        counts_now: Tier → partners under the present rules.
        counts_new: The same under the new ones.
        benefits_now_usd: Yearly cost of the benefits under the present rules.
        benefits_new_usd: The same under the new ones.
        effects: By region, size and type.
    """

    partners: int
    moves: tuple[Move, ...]
    counts_now: Mapping[str, int]
    counts_new: Mapping[str, int]
    benefits_now_usd: float
    benefits_new_usd: float
    effects: tuple[Effect, ...]


def earned(policy: TierPolicy, member: Member) -> tuple[int, float, Card]:
    """Tier earned by the smoothed points, the points, and the newest card."""
    cards = [grade(policy, row, potential) for row, potential in member.reviews]
    points = smoothed([c.total for c in cards], policy.stability.smoothing_periods)
    return reached(policy, points, cards[-1]), points, cards[-1]


def compare(now: TierPolicy, new: TierPolicy, members: Sequence[Member]) -> Comparison:
    """Where partners come to rest under each policy; what keeps tiers steady only delays it.

    Policies with different numbers of tiers are compared by the share of the way to the top.
    """
    levels = {m.partner_id: (earned(now, m), earned(new, m)) for m in members}
    moves, steps = [], {}
    for m in sorted(members, key=lambda m: m.partner_id):
        (a, points_a, _), (b, points_b, _) = levels[m.partner_id]
        step = _rank(b, new) - _rank(a, now)
        steps[m.partner_id] = step
        if step:
            moves.append(Move(m.partner_id, m.held, now.names[a], new.names[b], points_a, points_b, step > 0))
    return Comparison(
        len(members),
        tuple(moves),
        _counts(now, [a[0] for a, _ in levels.values()]),
        _counts(new, [b[0] for _, b in levels.values()]),
        _cost(now, [a[0] for a, _ in levels.values()]),
        _cost(new, [b[0] for _, b in levels.values()]),
        tuple(_effects(members, steps)),
    )


def traits_of(row: Mapping[str, object]) -> dict[str, str]:
    """Region, size and type of a partner, from its features."""
    size = row.get("employee_count")
    known = isinstance(size, int | float) and size == size and size >= 0
    band = next(name for top, name in SIZES if size < top) if known else UNKNOWN  # type: ignore[operator]
    return {
        "region": _text(row.get("region")) or _text(row.get("country")) or UNKNOWN,
        "size": band,
        "type": _text(row.get("partner_type")) or UNKNOWN,
    }


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _rank(level: int, policy: TierPolicy) -> float:
    return level / (len(policy.tiers) - 1)


def _counts(policy: TierPolicy, levels: Sequence[int]) -> dict[str, int]:
    return {name: levels.count(k) for k, name in enumerate(policy.names)}


def _cost(policy: TierPolicy, levels: Sequence[int]) -> float:
    # Whole cents, so that the order of partners changes no bit.
    return sum(round(policy.tiers[k].benefits_usd * 100) for k in levels) / 100


def _effects(members: Sequence[Member], steps: Mapping[str, float]) -> list[Effect]:
    parts: dict[tuple[str, str], list[float]] = {}
    for m in members:
        for trait, value in m.traits.items():
            parts.setdefault((trait, value), []).append(steps[m.partner_id])
    return [
        Effect(trait, value, len(found), sum(s > 0 for s in found), sum(s < 0 for s in found))
        for (trait, value), found in sorted(parts.items())
    ]
