"""Many reviews in a row: what a policy would have done, with and without what keeps tiers steady."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from models.tiering.points import Card, reached
from models.tiering.policy import TierPolicy
from models.tiering.stability import Memory, Verdict, review


@dataclass(frozen=True)
class Course:
    """One partner's way through the reviews.

    Attributes:
        cards: Points at each review it took part in.
        held: Tier held before each of them.
        verdicts: What each came to.
        level: Tier after the last, if every recommendation was followed.
    """

    cards: tuple[Card, ...]
    held: tuple[int, ...]
    verdicts: tuple[Verdict, ...]
    level: int


def follow(policy: TierPolicy, cards: Sequence[Card], *, start: int | None = None) -> Course:
    """Reviews in which every recommendation is followed.

    Args:
        policy: The rules.
        cards: Points, the oldest first; at least one.
        start: Tier held at first; None: what the first card earns.
    """
    level = reached(policy, cards[0].total, cards[0]) if start is None else start
    memory, held, verdicts = Memory(), [], []
    for card in cards:
        verdict = review(policy, level, card, memory)
        held.append(level)
        verdicts.append(verdict)
        level, memory = verdict.level, verdict.memory
    return Course(tuple(cards), tuple(held), tuple(verdicts), level)


def remember(
    policy: TierPolicy, cards: Sequence[Card], *, held: Sequence[int], promoted: int | None = None
) -> Memory:
    """The memory of reviews whose tiers are on record, whatever was recommended then.

    Args:
        policy: The rules.
        cards: Points of past reviews, the oldest first; may be empty.
        held: Tier held at each.
        promoted: Reviews since the last promotion on record; None: long ago or never.
    """
    memory = Memory()
    before: int | None = None
    for card, level in zip(cards, held, strict=True):
        # Another tier is another question: its reviews below begin anew.
        past = memory if before in (None, level) else Memory(memory.points, memory.lows)
        verdict, before = review(policy, level, card, past), level
        memory = Memory(verdict.memory.points, verdict.memory.lows, verdict.below)
    return Memory(memory.points, memory.lows, memory.below, promoted)


def unsteady(policy: TierPolicy, cards: Sequence[Card]) -> tuple[int, ...]:
    """The tier after each review when every figure is taken at its word: no smoothing, bound or patience."""
    return tuple(reached(policy, c.total, c) for c in cards)


@dataclass(frozen=True)
class Restlessness:
    """How often tiers change over reviews.

    Attributes:
        changes: Changes of tier.
        reversals: Changes taken back within four reviews.
        reviews: Reviews judged.
    """

    changes: int
    reversals: int
    reviews: int


WITHIN = 4


def restlessness(courses: Mapping[str, Sequence[int]]) -> Restlessness:
    """Changes and reversals of sequences of tiers.

    A reversal is a change against the direction of the change before it, at most four reviews later.

    Args:
        courses: Partner → tier at each review.
    """
    changes = reversals = reviews = 0
    for levels in courses.values():
        last: tuple[int, int] | None = None
        reviews += max(len(levels) - 1, 0)
        for k in range(1, len(levels)):
            step = levels[k] - levels[k - 1]
            if not step:
                continue
            changes += 1
            sign = 1 if step > 0 else -1
            reversals += bool(last and last[1] == -sign and k - last[0] <= WITHIN)
            last = (k, sign)
    return Restlessness(changes, reversals, reviews)


def chance(
    shortfall: float, locked: bool, cases: Sequence[tuple[float, bool, bool]], *, nearest: int = 60
) -> float | None:
    """How often partners as far from the next tier reached it by the next review.

    Args:
        shortfall: Points missing at the bound that counts; below 0: enough.
        locked: Whether a gate or category is missing.
        cases: (shortfall, locked, reached by the next review) of past reviews.
        nearest: Cases that are looked at.

    Returns:
        Share of the nearest past cases, drawn a little toward a half; None with fewer than `nearest` cases.
    """
    alike = [c for c in cases if c[1] == locked]
    if len(alike) < nearest:
        return None
    close = sorted(alike, key=lambda c: abs(c[0] - shortfall))[:nearest]
    return (sum(c[2] for c in close) + 0.5) / (nearest + 1)
