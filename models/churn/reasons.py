"""Reasons of churn risk: the shared ones, with the component points of the health score."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.scoring import Bundle

POINTS_AT_STEADY = 50.0


def component_contributions(bundle: Bundle, matrix: Any) -> dict[str, Any]:
    """Contribution of each component group to the calibrated eta, (n,) each; features never mix groups."""
    by_feature = bundle.explain(matrix).by_feature
    owner = np.array([f.group for f in bundle.spec.features])
    return {g: by_feature[:, owner == g].sum(axis=1) for g in bundle.spec.groups}
