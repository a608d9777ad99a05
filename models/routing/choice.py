"""Choosing one partner for one lead: exploration first, then the best expected gain within fairness.

The whole rule is a probability for every partner, so that what is logged is exact and any other policy can be
judged on the log. The draws come from hashes of (seed, lead, partner, day): the same decision is made again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.routing.chance import draw
from models.routing.eligibility import Codes, why_nobody
from models.routing.policy import RoutingPolicy
from models.routing.roster import Mask, Roster

Floats = NDArray[np.float64]
SAME = 1e-9
"""Relative difference in expected gain below which two partners are equally good."""
LEAST_OFFERS = 20
"""Offers in the month below which shares mean nothing yet."""


@dataclass(frozen=True)
class Exposure:
    """Offers of this calendar month, by group: (by, label) → count, and in all."""

    by_group: Mapping[tuple[str, str], int]
    total: int

    @classmethod
    def none(cls) -> Exposure:
        """Nothing was offered yet."""
        return cls({}, 0)

    @classmethod
    def of(cls, policy: RoutingPolicy, roster: Roster, received: Any) -> Exposure:
        """From the (N,) offers each partner got."""
        groups: dict[tuple[str, str], int] = {
            (b.by, b.label): int(received[roster.group(b.by, b.label)].sum()) for b in policy.bands
        }
        return cls(groups, int(received.sum()))


@dataclass(frozen=True)
class Choice:
    """What came of it.

    Attributes:
        position: The partner chosen, or None.
        code: Why nobody was chosen; '' when somebody was.
        propensity: Probability with which this partner was chosen.
        explored: Whether it was drawn evenly.
        order: Eligible positions, the chosen one and then the best, equal ones in the order of their ids; as
            many as asked for.
        fair: What went before the best gain: `relationship`, or bands as `by=label`.
        fairness_cost: Expected gain given up for them.
    """

    position: int | None
    code: str
    propensity: float
    explored: bool
    order: NDArray[np.int64]
    fair: tuple[str, ...] = ()
    fairness_cost: float = 0.0


def choose(
    policy: RoutingPolicy,
    roster: Roster,
    codes: Codes,
    gain: Floats,
    *,
    lead_id: str,
    day: date,
    turn: int,
    explorable: bool,
    received: Any,
    exposure: Exposure,
    preferred: Sequence[int] = (),
    shown: int | None = None,
) -> Choice:
    """Choose among the eligible.

    Args:
        policy: The rules.
        roster: Partners.
        codes: (N,) exclusion codes.
        gain: (N,) expected gain less the price of capacity; only the eligible ones are looked at.
        lead_id: Of the lead.
        day: Of the decision: ties fall anew each day.
        turn: 0 for the first offer of the lead.
        explorable: Whether the lead is worth little enough to explore.
        received: (N,) offers in the month; among equals the one with fewest goes first.
        exposure: Offers by group.
        preferred: Positions of partners that know the account.
        shown: How many of `order` are wanted; None: all.
    """
    eligible = np.flatnonzero(codes == 0)
    if not eligible.size:
        return Choice(None, why_nobody(codes), 0.0, False, eligible)
    allowed, fair, cost = _allowed(policy, roster, eligible, gain, exposure, preferred)
    best = _equals(allowed, gain, received)
    luck = {int(i): draw(policy.seed, "tie", lead_id, roster.partner_ids[i], day) for i in best}
    winner = max(best.tolist(), key=lambda i: (luck[i], roster.partner_ids[i]))
    share = policy.exploration_share if explorable and eligible.size > 1 else 0.0
    explored = share > 0 and draw(policy.seed, "explore", lead_id, turn) < share
    if explored:
        at = int(draw(policy.seed, "pick", lead_id, turn) * eligible.size)
        winner = int(eligible[min(at, eligible.size - 1)])
    propensity = float(propensities(eligible, best, share=share, count=len(roster))[winner])
    order = _order(eligible, gain, winner, shown)
    if explored:
        return Choice(winner, "", propensity, True, order)
    return Choice(winner, "", propensity, False, order, fair, cost)


def chances(
    policy: RoutingPolicy,
    roster: Roster,
    codes: Codes,
    gain: Floats,
    *,
    explorable: bool,
    received: Any,
    exposure: Exposure,
    preferred: Sequence[int] = (),
) -> Floats:
    """(N,) probability with which `choose` chooses each partner; all 0 where nobody is eligible.

    What a policy would do with past leads is judged by these, not by one draw from them.

    Args:
        policy: The rules.
        roster: Partners.
        codes: (N,) exclusion codes.
        gain: (N,) as for `choose`.
        explorable: As for `choose`.
        received: As for `choose`.
        exposure: As for `choose`.
        preferred: As for `choose`.
    """
    eligible = np.flatnonzero(codes == 0)
    if not eligible.size:
        return np.zeros(len(roster))
    allowed, _, _ = _allowed(policy, roster, eligible, gain, exposure, preferred)
    share = policy.exploration_share if explorable and eligible.size > 1 else 0.0
    return propensities(eligible, _equals(allowed, gain, received), share=share, count=len(roster))


def propensities(eligible: Any, best: Any, *, share: float, count: int) -> Floats:
    """(count,) probability of each partner: `share` spread over the eligible, the rest over the best."""
    found = np.zeros(count)
    found[eligible] = share / len(eligible)
    found[best] += (1.0 - share) / len(best)
    return found


def _allowed(
    policy: RoutingPolicy,
    roster: Roster,
    eligible: Any,
    gain: Floats,
    exposure: Exposure,
    preferred: Sequence[int],
) -> tuple[Any, tuple[str, ...], float]:
    """The eligible that may be best: those who know the account, else those whom fairness lets go first."""
    top = float(gain[eligible].max())
    if policy.relationship == "prefer" and len(preferred):
        known = np.intersect1d(eligible, np.array(preferred, dtype=np.int64))
        known = known[gain[known] >= top - policy.relationship_tolerance * abs(top)]
        if known.size:
            return known, ("relationship",), top - float(gain[known].max())
    near = eligible[gain[eligible] >= top - policy.band_tolerance * abs(top)]
    kept, applied = near, list[str]()
    for name, wanted in _bands(policy, roster, exposure):
        inside = kept[wanted[kept]]
        if inside.size and inside.size < kept.size:
            kept, applied = inside, [*applied, name]
    if not applied:
        return eligible, (), 0.0
    return kept, tuple(applied), top - float(gain[kept].max())


def _bands(policy: RoutingPolicy, roster: Roster, exposure: Exposure) -> list[tuple[str, Mask]]:
    """Bands that are not kept now, and who should go first for them; the widest gap first."""
    found: list[tuple[float, str, Mask]] = []
    if exposure.total < LEAST_OFFERS:
        return []
    for band in policy.bands:
        share = exposure.by_group.get((band.by, band.label), 0) / exposure.total
        members = roster.group(band.by, band.label)
        if share < band.least_share:
            found.append((band.least_share - share, f"{band.by}={band.label}", members))
        elif share > band.most_share:
            found.append((share - band.most_share, f"{band.by}≠{band.label}", ~members))
    return [(name, mask) for _, name, mask in sorted(found, key=lambda f: (-f[0], f[1]))]


def _equals(allowed: Any, gain: Floats, received: Any) -> Any:
    """The best, equal up to rounding, and of these the ones with fewest offers."""
    top = float(gain[allowed].max())
    best = allowed[gain[allowed] >= top - SAME * max(abs(top), SAME)]
    return best[received[best] == received[best].min()]


def _order(eligible: Any, gain: Floats, winner: int, shown: int | None) -> Any:
    """The winner, then best first; positions are in the order of ids: equal ones never change places."""
    loss = -gain[eligible]
    if shown is not None and shown < len(loss):
        # Sorting everybody costs more than anything else here; equals of the last one stay in.
        near = loss <= np.partition(loss, shown)[shown]
        eligible, loss = eligible[near], loss[near]
    order = eligible[np.argsort(loss, kind="stable")]
    return np.concatenate([[winner], order[order != winner]])[:shown]
