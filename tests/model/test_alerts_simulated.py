"""Alerts where the truth is known: fewer at equal recall, right more often than not, honest when acted on."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from data.simulate import simulate, write
from evaluation.alert_trial import Trial, pooled, run_trial
from models.alerts.settings import AlertSettings
from partnerintel import alerting, preparing
from partnerintel.settings import open_project

TRIAL = AlertSettings(
    at_risk_from=0.30, recover_below=0.20, watch_from=0.20, ok_below=0.12, holdout_share=0.10
)


@pytest.mark.slow
def test_far_fewer_alerts_than_a_plain_threshold_at_equal_recall_and_mostly_right(tmp_path: Path) -> None:
    write(simulate("demo", partners=500, seed=11), tmp_path)
    project = open_project(tmp_path)
    now = datetime(2026, 11, 1)
    preparing.ingest_tables(project, now=now, tick=lambda *_: None)
    report = alerting.evaluate(project, now=now, tick=lambda *_: None)
    policy, every_week = report["rules"][:2]
    assert every_week["caught"] >= policy["caught"]
    assert report["fewer_than_threshold"] >= 0.60
    assert policy["precision"]["value"] >= 0.60
    assert policy["precision"]["value"] > report["rules"][-1]["precision"]["value"], (
        "better than login recency"
    )


@pytest.fixture(scope="module")
def trials() -> list[Trial]:
    found = []
    for seed in range(1, 13):
        world = simulate("demo", partners=1500, seed=seed, interventions=True, leads=0.2, event_rate=0.02)
        found.append(run_trial(world, settings=TRIAL, seed=seed))
    return found


@pytest.mark.slow
def test_the_hold_out_tells_the_precision_that_interventions_hide(trials: list[Trial]) -> None:
    whole = pooled(trials)
    found = whole.estimate()
    assert found.held_out > 100
    assert abs(found.precision.value - whole.truth) <= 0.05
    assert found.precision.low <= whole.truth <= found.precision.high


@pytest.mark.slow
def test_without_a_hold_out_the_figure_would_be_off(trials: list[Trial]) -> None:
    whole = pooled(trials)
    assert whole.truth - whole.naive > 0.02
    assert whole.estimate().prevented > 0.0
