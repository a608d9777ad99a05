"""From points over reviews to a tier that does not flicker: smoothing, bounds, patience, protection.

Pure: the past comes in as a memory, the new memory goes out. Serving runs it, evaluation replays it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from models.tiering.points import Card, opens
from models.tiering.policy import TierPolicy

Change = Literal["promote", "keep", "watch", "demote"]


@dataclass(frozen=True)
class Memory:
    """What earlier reviews left behind.

    Attributes:
        points: Totals of earlier reviews, the newest last.
        lows: Lower ends of the same.
        below: Reviews in a row below the tier held, up to the last one.
        since_promotion: Reviews since the last promotion; None: long ago or never.
    """

    points: tuple[float, ...] = ()
    lows: tuple[float, ...] = ()
    below: int = 0
    since_promotion: int | None = None


@dataclass(frozen=True)
class Verdict:
    """What a review comes to.

    Attributes:
        level: Recommended tier, as an index.
        change: `promote`; `demote`, which is adverse; `watch`: below the cut, and not yet long enough or
            protected; `keep`.
        points: Smoothed points.
        low: Their lower end, which a promotion needs.
        below: Reviews in a row below the tier held, this one included.
        protected: Whether a recent promotion forbids a demotion.
        memory: For the next review, if the recommendation is followed.
    """

    level: int
    change: Change
    points: float
    low: float
    below: int
    protected: bool
    memory: Memory


def review(policy: TierPolicy, held: int, card: Card, memory: Memory) -> Verdict:
    """Judge a partner at a review.

    A promotion needs the bound above the cut and every gate of the tier; it goes one tier at a time. A
    demotion goes one tier at a time, too, and only after enough reviews below in a row.

    Args:
        policy: The rules.
        held: Tier held, as an index.
        card: Points now.
        memory: Of earlier reviews.
    """
    rules = policy.stability
    points = smoothed((*memory.points, card.total), rules.smoothing_periods)
    low = smoothed((*memory.lows, card.low), rules.smoothing_periods)
    since = None if memory.since_promotion is None else memory.since_promotion + 1
    protected = since is not None and since <= rules.protected_periods
    below = memory.below + 1 if not _holds(policy, held, card, points) else 0
    level, change = held, "keep"
    if below:
        due = below >= rules.demote_after_periods and not protected
        level, change = (held - 1, "demote") if due else (held, "watch")
    elif _rises(policy, held, card, low if rules.promote_on == "lower" else points):
        level, change = held + 1, "promote"
    after = Memory(
        points=(*memory.points, card.total)[-rules.smoothing_periods :],
        lows=(*memory.lows, card.low)[-rules.smoothing_periods :],
        below=0 if change == "demote" else below,
        since_promotion=0 if change == "promote" else since,
    )
    return Verdict(level, change, points, low, below, protected, after)  # type: ignore[arg-type]


def smoothed(points: Sequence[float], periods: int) -> float:
    """Mean of the last reviews."""
    last = points[-periods:]
    return sum(last) / len(last)


def _holds(policy: TierPolicy, held: int, card: Card, points: float) -> bool:
    """Whether the tier held is still earned; the lowest always is."""
    tier = policy.tiers[held]
    return held == 0 or (points >= tier.cut and opens(tier, card))


def _rises(policy: TierPolicy, held: int, card: Card, bound: float) -> bool:
    if held + 1 >= len(policy.tiers):
        return False
    tier = policy.tiers[held + 1]
    return bound >= tier.cut and opens(tier, card)
