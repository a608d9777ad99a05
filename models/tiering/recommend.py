"""One partner under one policy: which tier, why, what is missing, what would keep the present one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from models.tiering.gap import Need, gap_to_next, needs_to_keep
from models.tiering.points import Card, Potential, grade
from models.tiering.policy import TierPolicy
from models.tiering.stability import Memory, Verdict, review


@dataclass(frozen=True)
class Recommendation:
    """What a review says of a partner.

    Attributes:
        held: Tier held, as an index.
        card: Points now.
        verdict: What follows from them.
        gap: What is missing for the next tier; empty at the top, or when it is earned.
        keep: What is missing for the tier held; empty while it is earned.
    """

    held: int
    card: Card
    verdict: Verdict
    gap: tuple[Need, ...]
    keep: tuple[Need, ...]

    @property
    def adverse(self) -> bool:
        """Whether the partner would be worse off: then a person must decide."""
        return self.verdict.level < self.held


def recommend(
    policy: TierPolicy, row: Mapping[str, object], potential: Potential, *, held: int, memory: Memory
) -> Recommendation:
    """Judge a partner on its features now and the reviews behind it.

    Args:
        policy: The rules.
        row: Features now.
        potential: The model's answer now.
        held: Tier held, as an index.
        memory: Of earlier reviews, this one not among them.
    """
    card = grade(policy, row, potential)
    verdict = review(policy, held, card, memory)
    gap = gap_to_next(policy, held, card, verdict)
    return Recommendation(held, card, verdict, gap, needs_to_keep(policy, held, card, verdict))


def why(policy: TierPolicy, found: Recommendation) -> list[str]:
    """The verdict in sentences: what counts, against which cut, and what holds it."""
    held, verdict, rules = policy.tiers[found.held], found.verdict, policy.stability
    reviews = len(verdict.memory.points)
    told = [
        f"{verdict.points:.1f} points on average over {_count(reviews, 'review')} "
        f"(80 % lower bound {verdict.low:.1f}); {held.name} begins at {held.cut:g}."
    ]
    if found.held + 1 < len(policy.tiers) and verdict.level >= found.held:
        above = policy.tiers[found.held + 1]
        bound = "the lower bound" if rules.promote_on == "lower" else "the average"
        told.append(f"{above.cut:g} are needed for {above.name}, and {bound} must reach them.")
    if verdict.below:
        told.append(
            f"Below what {held.name} asks for in {_count(verdict.below, 'review')} in a row; a demotion "
            f"follows after {rules.demote_after_periods}, and a person decides."
        )
    if verdict.protected and verdict.below:
        told.append(f"Promoted less than {_count(rules.protected_periods + 1, 'review')} ago: protected.")
    return told


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" + ("" if number == 1 else "s")
