"""IPP fit: the chance that a prospect succeeds within 12 months of signing, from what is known before."""

from __future__ import annotations

from models.fit.inputs import FEATURES
from models.spec import ModelSpec

SPEC = ModelSpec(
    name="fit",
    title="Fit of prospects with the ideal partner profile",
    entity_id=("prospect_id",),
    features=FEATURES,
    output="probability",
    horizons_days=(365,),
    adverse=False,
    directions=("raises_fit", "lowers_fit"),
)
