"""Calibrators that may bend, beside the affine one."""

from __future__ import annotations

import json

import numpy as np
import pytest

from evaluation.backtest import run_backtest
from evaluation.bending import MAPS, bent
from evaluation.card import render
from evaluation.metrics import row_log_loss
from evaluation.settings import EvaluationSettings
from tests.unit.training.worlds import dated
from training.params import Params


def drawn(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores whose truth is bent: what is said to be p happens with p squared."""
    rng = np.random.default_rng(seed)
    p = rng.uniform(0.02, 0.98, n)
    return p, (rng.random(n) < p**2).astype(float), p**2


@pytest.mark.parametrize("name", MAPS)
def test_a_bend_is_found(name: str) -> None:
    p, y, _ = drawn(4000, 1)
    new, _, truth = drawn(500, 2)
    found = MAPS[name](p, y, new)
    assert np.abs(found - truth).mean() < 0.03 < np.abs(new - truth).mean()


@pytest.mark.parametrize("name", MAPS)
def test_order_is_kept_and_nothing_is_certain(name: str) -> None:
    p, y, _ = drawn(200, 3)
    new = np.linspace(0, 1, 101)
    found = MAPS[name](p, y, new)
    assert (np.diff(found) >= -1e-12).all()
    assert found.min() > 0
    assert found.max() < 1
    assert np.isfinite(row_log_loss(np.ones(101), found)).all()


def test_nothing_is_bent_on_too_little() -> None:
    p, y, _ = drawn(49, 4)
    assert bent(p, y, p) == {}
    assert bent(np.linspace(0, 1, 500), np.eye(1, 500)[0], p) == {}


def test_the_report_says_what_the_affine_form_costs() -> None:
    settings = EvaluationSettings(origins=1, replicates=60)
    tested = run_backtest(dated(partners=80), settings=settings, params=Params(rounds=0))
    found = json.loads(json.dumps(tested.report.to_json(), allow_nan=False))["calibrators"]
    assert set(found) == {"affine", "beta", "isotonic"}
    assert found["affine"]["minus_affine"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert found["affine"]["log_loss"]["value"] == pytest.approx(tested.report.metrics["log_loss"].value)
    assert found["beta"]["minus_affine"]["low"] <= found["beta"]["minus_affine"]["value"]
    assert "What the affine form of calibration costs" in render(tested.report)
