"""The nightly review: standings anew, and the review list brought in line, in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from models.tiering.points import Card, grade, opens
from models.tiering.policy import TierPolicy
from models.tiering.recommend import recommend
from models.tiering.replay import chance, remember
from models.tiering.simulate import Member
from models.tiering.stability import Memory
from serving import audit
from serving.tiers.answers import told
from serving.tiers.store import Standing, TierChange, TierStore, refresh_changes, replace_standings


@dataclass(frozen=True)
class Reviewed:
    """What a review came to.

    Attributes:
        partners: Partners reviewed.
        opened: Changes newly recommended.
        kept: Open changes still recommended.
        lapsed: Open changes no longer recommended.
    """

    partners: int
    opened: int
    kept: int
    lapsed: int


def refresh(
    store: TierStore,
    policy: TierPolicy,
    members: Sequence[Member],
    *,
    version: int,
    held: Mapping[str, Sequence[str | None]],
    dates: Sequence[str],
    at: datetime,
    random: Callable[[int], bytes],
) -> Reviewed:
    """Review every partner and keep what came of it.

    Args:
        store: Standings and changes.
        policy: The rules in force.
        members: Partners with their reviews, the newest last.
        version: Version of the rules.
        held: Partner → tier on record at each of those reviews.
        dates: Dates of the reviews, RFC 3339, the newest last; a partner may have fewer of the newest ones.
        at: Now, naive UTC.
        random: Source of random bytes for ids.
    """
    approved = store.approved()
    cards = {m.partner_id: [grade(policy, row, p) for row, p in m.reviews] for m in members}
    levels = {
        m.partner_id: _levels(policy, held[m.partner_id], dates, approved.get(m.partner_id)) for m in members
    }
    cases = _cases(policy, cards, levels)
    found = [
        _reviewed(policy, m, cards[m.partner_id], levels[m.partner_id], cases, (version, dates[-1]))
        for m in members
    ]
    wanted = {c.partner_id: c for _, c in found if c is not None}
    with store.database.write() as connection:
        replace_standings(connection, [s for s, _ in found])
        opened, kept, lapsed = refresh_changes(connection, wanted, at=at, random=random)
        audit.append_within(
            connection, at=at, actor="nightly review", action="tier.review", object=f"policy {version}",
            detail={"partners": len(found), "opened": opened, "kept": kept, "lapsed": lapsed},
        )  # fmt: skip
    return Reviewed(len(found), opened, kept, lapsed)


def _reviewed(
    policy: TierPolicy,
    member: Member,
    cards: Sequence[Card],
    levels: Sequence[int],
    cases: Sequence[tuple[float, bool, bool]],
    stamp: tuple[int, str],
) -> tuple[Standing, TierChange | None]:
    """Standing of one partner, and the change recommended, if any; `stamp`: policy version and date."""
    version, reviewed_at = stamp
    row, potential = member.reviews[-1]
    now, memory = levels[-1], _memory(policy, cards[:-1], levels)
    found = recommend(policy, row, potential, held=now, memory=memory)
    verdict = found.verdict
    bound = verdict.low if policy.stability.promote_on == "lower" else verdict.points
    likely = _chance(policy, now, found.card, bound, cases)
    answer = told(policy, found, chance=likely)
    name = policy.names[now]
    standing = Standing(member.partner_id, reviewed_at, version, name, memory, likely, answer)
    if verdict.change not in ("promote", "demote"):
        return standing, None
    to = policy.names[verdict.level]
    change = TierChange(
        "", member.partner_id, verdict.change, name, to, "open", "", reviewed_at, version, answer
    )
    return standing, change


def _levels(
    policy: TierPolicy, held: Sequence[str | None], dates: Sequence[str], change: TierChange | None
) -> list[int]:
    """Tier held at each review; an approved change holds until the data show another tier than it left."""
    levels = [policy.level(name) for name in held]
    if change is None or not {change.from_tier, change.to_tier} <= set(policy.names):
        return levels
    if policy.level(change.from_tier) != levels[-1]:
        return levels
    since = change.decided_at or ""
    for k, day in enumerate(dates[-len(levels) :]):
        if day > since or k == len(levels) - 1:
            levels[k] = policy.level(change.to_tier)
    return levels


def _memory(policy: TierPolicy, past: Sequence[Card], levels: Sequence[int]) -> Memory:
    """What the reviews before this one left behind, promotions on record included."""
    promoted = None
    for k in range(1, len(levels)):
        if levels[k] > levels[k - 1]:
            promoted = len(levels) - 1 - k
    memory = remember(policy, past, held=levels[:-1], promoted=promoted)
    same = len(levels) < 2 or levels[-1] == levels[-2]
    return memory if same else Memory(memory.points, memory.lows, 0, promoted)


def _cases(
    policy: TierPolicy, cards: Mapping[str, Sequence[Card]], levels: Mapping[str, Sequence[int]]
) -> list[tuple[float, bool, bool]]:
    """How far partners were from the next tier, and whether they reached it by the review after."""
    found = []
    for partner_id, own in cards.items():
        memory = Memory()
        for k in range(len(own) - 1):
            held = levels[partner_id][k]
            points, lows = (*memory.points, own[k].total), (*memory.lows, own[k].low)
            memory = Memory(points[-12:], lows[-12:])
            if held + 1 >= len(policy.tiers):
                continue
            tier = policy.tiers[held + 1]
            now, after = (_bound(policy, s) for s in (lows, (*lows, own[k + 1].low)))
            if policy.stability.promote_on == "value":
                now, after = (_bound(policy, s) for s in (points, (*points, own[k + 1].total)))
            reached = after >= tier.cut and opens(tier, own[k + 1])
            found.append((tier.cut - now, not opens(tier, own[k]), reached))
    return found


def _bound(policy: TierPolicy, values: Sequence[float]) -> float:
    last = values[-policy.stability.smoothing_periods :]
    return sum(last) / len(last)


def _chance(
    policy: TierPolicy, held: int, card: Card, bound: float, cases: Sequence[tuple[float, bool, bool]]
) -> float | None:
    if held + 1 >= len(policy.tiers):
        return None
    tier = policy.tiers[held + 1]
    return chance(tier.cut - bound, not opens(tier, card), cases)
