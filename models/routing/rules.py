"""The rules router: tier, geography, specialty: a team's way by hand, and the answer without a model."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.routing.policy import RoutingPolicy
from models.routing.roster import Roster

Floats = NDArray[np.float64]


def rule_points(
    policy: RoutingPolicy, roster: Roster, *, specialty: Any, same_region: Any, same_country: Any
) -> Floats:
    """(N,) points, more is better; what is not known counts nothing.

    Args:
        policy: Weights and the order of tiers.
        roster: Partners.
        specialty: (N,) share of the products asked for that the partner sells, NaN unknown.
        same_region: (N,) 1 where partner and lead share a region.
        same_country: (N,) 1 where they share a country.
    """
    weights = policy.rules
    geography = 0.5 * np.nan_to_num(same_region) + 0.5 * np.nan_to_num(same_country)
    return np.asarray(
        weights.specialty * np.nan_to_num(specialty)
        + weights.geography * geography
        + weights.tier * _tiers(policy, roster)
    )


def _tiers(policy: RoutingPolicy, roster: Roster) -> Floats:
    """(N,) place of the tier in the order, from 0 to 1; an unknown tier is at the bottom."""
    last = max(len(policy.tier_order) - 1, 1)
    place = {tier: i / last for i, tier in enumerate(policy.tier_order)}
    return np.array([place.get(t or "", 0.0) for t in roster.tier])
