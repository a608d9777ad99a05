"""Health scores: components add up, the safer the higher, and without labels they are the scorecard."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.bundle import Bundle
from models.health import fit_scale, health, reference_horizon
from tests.unit.models.conftest import make_frame


def test_components_add_up_before_the_cut(bundle: Bundle) -> None:
    found = health(bundle, bundle.encode(make_frame(300, seed=6)))
    raw = found.start + sum(found.components.values())
    np.testing.assert_allclose(np.clip(raw, 0, 100), found.score, atol=1e-9)
    assert set(found.components) == set(bundle.spec.groups)
    assert ((found.score > 0) & (found.score < 100)).mean() > 0.9


def test_lower_risk_is_better_health(bundle: Bundle) -> None:
    matrix = bundle.encode(make_frame(300, seed=6))
    score, risk = health(bundle, matrix).score, bundle.score(matrix).probability[90]
    order = np.argsort(risk)
    assert (np.diff(score[order]) <= 1e-9).all()


def test_median_partner_of_training_is_steady(bundle: Bundle) -> None:
    frame = make_frame(700, seed=1)
    assert abs(np.median(health(bundle, bundle.encode(frame)).score) - 50) < 1e-6
    assert bundle.trained["health"] == fit_scale(bundle, frame)


def test_without_labels_health_is_the_scorecards_points(unlabelled: Bundle, rows: Any) -> None:
    matrix = unlabelled.encode(rows)
    np.testing.assert_allclose(health(unlabelled, matrix).score, unlabelled.points(matrix), atol=1e-9)


def test_reference_is_the_horizon_nearest_to_ninety_days(bundle: Bundle) -> None:
    assert reference_horizon(bundle) == 90
