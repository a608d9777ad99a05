"""Routing: whether a partner accepts a lead, and whether it then wins it; and the policy that chooses."""

from __future__ import annotations

from models.routing.inputs import FEATURES
from models.spec import ModelSpec

DIRECTIONS = ("raises_chance", "lowers_chance")
ACCEPT = ModelSpec(
    name="routing_accept",
    title="Chance that a partner accepts a lead it is offered",
    entity_id=("lead_id", "partner_id"),
    features=FEATURES,
    output="probability",
    directions=DIRECTIONS,
)
WIN = ModelSpec(
    name="routing_win",
    title="Chance that a partner wins a lead it has accepted",
    entity_id=("lead_id", "partner_id"),
    features=FEATURES,
    output="probability",
    directions=DIRECTIONS,
)
SPECS = (ACCEPT, WIN)
