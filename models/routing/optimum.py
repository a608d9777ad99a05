"""Many leads at once, and what capacity is worth: a batch is solved exactly, a single lead pays prices.

The price of a partner's capacity is the dual of its constraint in the linear programme over a sample of the
leads to come. A lead goes where expected gain less price is greatest, so that a scarce specialist is kept for
the leads that need it.

Source: the duals of the assignment polytope; integrality of bipartite assignment.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.routing.chance import draw

Floats = NDArray[np.float64]
NOBODY = -1
PER_LEAD = 60
"""Candidates of each lead that enter the programme: those beyond its best sixty hardly ever get it."""
SPREAD = 1e-7
"""Of the greatest gain: what the next slot of a partner costs, so that equal partners share equal leads."""


def bid_prices(gain: Floats, eligible: Any, capacity: Any) -> Floats:
    """(N,) price of one unit of each partner's capacity, in the unit of `gain`; 0 where it is not scarce.

    Args:
        gain: (L, N) expected gain of sample leads with partners.
        eligible: (L, N) whether the pair is allowed.
        capacity: (N,) leads each partner can take of the sample; fractions are fine.
    """
    from scipy.optimize import linprog
    from scipy.sparse import csr_matrix

    lead, partner = _pairs(gain, eligible)
    prices = np.zeros(gain.shape[1])
    if not lead.size:
        return prices
    columns = np.arange(lead.size)
    ones = np.ones(lead.size)
    one_partner = csr_matrix((ones, (lead, columns)), shape=(gain.shape[0], lead.size))
    within = csr_matrix((ones, (partner, columns)), shape=(gain.shape[1], lead.size))
    from scipy.sparse import vstack

    solved = linprog(
        -gain[lead, partner],
        A_ub=vstack([one_partner, within]).tocsr(),
        b_ub=np.concatenate([np.ones(gain.shape[0]), np.asarray(capacity, dtype=float)]),
        bounds=(0, None),
        method="highs",
    )
    if solved.status != 0:  # the programme is feasible and bounded: only a numerical failure ends here
        return prices
    return np.maximum(-solved.ineqlin.marginals[gain.shape[0] :], 0.0)


def assign(
    gain: Floats,
    eligible: Any,
    capacity: Any,
    *,
    lead_ids: Sequence[str],
    partner_ids: Sequence[str],
    seed: int,
) -> NDArray[np.int64]:
    """(L,) partner of each lead, -1 for nobody: most gain in all, nobody above capacity.

    Equal solutions are told apart by a hash of (seed, lead, partner), not by the order of rows; a partner's
    second slot counts a hair less than the first of another.

    Args:
        gain: (L, N) expected gain, 0 or more.
        eligible: (L, N) whether the pair is allowed.
        capacity: (N,) leads each partner can take.
        lead_ids: Of the rows.
        partner_ids: Of the columns.
        seed: Of ties.
    """
    from scipy.optimize import linear_sum_assignment

    slots = np.minimum(np.maximum(np.asarray(capacity, dtype=np.int64), 0), gain.shape[0])
    slots = np.where(eligible.any(axis=0), slots, 0)
    owner = np.repeat(np.arange(gain.shape[1]), slots)
    found = np.full(gain.shape[0], NOBODY, dtype=np.int64)
    if not owner.size:
        return found
    scale = max(float(np.abs(gain[eligible]).max(initial=0.0)), 1e-300)
    nth = np.arange(owner.size) - np.repeat(np.cumsum(slots) - slots, slots)
    # Being assigned is worth more than any hair's breadth: an eligible pair counts a little even at gain 0.
    worth = np.where(eligible, gain + scale * SPREAD * (2 * gain.shape[0] + 2), 0.0)
    worth = worth + scale * SPREAD * 0.5 * _luck(eligible, lead_ids, partner_ids, seed)
    cost = -(worth[:, owner] - scale * SPREAD * nth[None, :] * eligible[:, owner])
    rows, columns = linear_sum_assignment(cost)
    partners = owner[columns]
    kept = eligible[rows, partners]
    found[rows[kept]] = partners[kept]
    return found


def _pairs(gain: Floats, eligible: Any) -> tuple[Any, Any]:
    """Positions of the pairs that enter: the best of each lead."""
    width = min(PER_LEAD, gain.shape[1])
    masked = np.where(eligible, gain, -np.inf)
    best = np.argpartition(-masked, width - 1, axis=1)[:, :width]
    lead = np.repeat(np.arange(gain.shape[0]), width)
    partner = best.ravel()
    keep = np.isfinite(masked[lead, partner]) & (masked[lead, partner] > 0)
    return lead[keep], partner[keep]


def _luck(eligible: Any, lead_ids: Sequence[str], partner_ids: Sequence[str], seed: int) -> Floats:
    """(L, N) a draw in [0, 1) for each pair: two hashes mixed by multiplication and shifts.

    A sum of two draws would not do: swapping two partners would leave the total as it is.
    """
    rows, columns = (
        np.array([int(draw(seed, "batch", name) * (1 << 53)) for name in names], dtype=np.uint64)
        for names in (lead_ids, partner_ids)
    )
    mixed = rows[:, None] * np.uint64(0x9E3779B97F4A7C15) ^ columns[None, :] * np.uint64(0xC2B2AE3D27D4EB4F)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return np.where(eligible, (mixed >> np.uint64(11)) / float(1 << 53), 0.0)
