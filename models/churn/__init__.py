"""Churn: the risk that a partner falls silent or leaves within 30, 90 or 180 days."""

from __future__ import annotations

from models.churn.inputs import FEATURES
from models.spec import ModelSpec

SPEC = ModelSpec(
    name="churn",
    title="Churn risk and health of partners",
    entity_id=("partner_id",),
    features=FEATURES,
    output="hazard",
    horizons_days=(30, 90, 180),
    adverse=True,
    directions=("raises_risk", "lowers_risk"),
)
