"""Tiering: what a partner will contribute in the next twelve months, as the potential inside a scorecard.

The tier held so far is neither the target nor a feature: a model of past tiers learns whom managers favoured.
"""

from __future__ import annotations

from models.spec import ModelSpec
from models.tiering.inputs import FEATURES

SPEC = ModelSpec(
    name="tiering",
    title="Contribution of partners in the next twelve months",
    entity_id=("partner_id",),
    features=FEATURES,
    output="amount",
    horizons_days=(365,),
    directions=("raises_potential", "lowers_potential"),
)
