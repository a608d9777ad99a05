"""Worlds whose truth is known: most of what is possible is captured, every planted trouble refused."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from data.errors import NotEnoughEvidenceError
from data.mapping import SnapshotMapping
from data.simulate import simulate
from data.snapshots import read_snapshot
from evaluation.backtest import run_backtest
from evaluation.metrics import Ranking, auc
from evaluation.settings import EvaluationSettings
from tests.model.worlds import best_possible, panel_file, simulated_dataset
from training.estimators import fit
from training.from_snapshot import from_snapshot
from training.splits import rolling_origin

pytestmark = pytest.mark.slow
SETTINGS = EvaluationSettings(replicates=100, origins=1, simulated=True)


@pytest.mark.timeout(900)
def test_most_of_what_is_possible_is_captured_with_20000_partners(tmp_path):
    # Two years instead of three and a half: reading six million rows is not what is judged here.
    world = simulate("analytic", partners=20_000, start=date(2024, 9, 1))
    data = simulated_dataset(world, tmp_path, every_days=90, first_after_days=120)
    split = rolling_origin(data, origins=1)[0]
    report = run_backtest(data, settings=SETTINGS, ceiling=best_possible(world, data, split.test)).report
    print({r.name: round(r.metrics["auc"].value, 4) for r in report.ladder if r.metrics}, report.headline)
    assert report.headline >= 0.85
    assert report.passed, report.refusals
    assert report.suspects == ()


def test_forty_partners_are_never_clearly_worse_off_than_with_the_scorecard(tmp_path):
    world = simulate("analytic", partners=1_500, seed=11)
    data = simulated_dataset(world, tmp_path, every_days=60)
    split = rolling_origin(data, origins=1)[0]
    code = np.unique(data.frame["partner_id"], return_inverse=True)[1]
    order = np.random.default_rng(0).permutation(code.max() + 1)
    y = data.labels()[split.test]

    def auc_of(bundle):
        eta = bundle.eta(bundle.encode(data.rows(split.test)), horizon=data.horizon_days)
        return float(auc(Ranking.of(y, eta, np.ones((1, y.size))))[0])

    differences = []
    for k in range(16):
        chosen = np.isin(code, order[k * 40 : (k + 1) * 40])
        rows = split.refit[chosen[split.refit]]
        few = replace(split, train=rows, calibrate=rows[:0], refit=rows, train_known_by=split.refit_known_by)
        fitted = [fit(data, few, spread=False, scorecard_only=only) for only in (False, True)]
        differences.append(auc_of(fitted[0]) - auc_of(fitted[1]))
    print(np.round(differences, 4), np.mean(differences))
    assert np.mean(differences) >= -0.005


def test_no_signal_is_refused_in_words(tmp_path):
    data = simulated_dataset(simulate("no_signal", partners=1_200), tmp_path, every_days=60)
    report = run_backtest(data, settings=SETTINGS).report
    assert not report.passed
    assert any("refused: no signal" in r.message for r in report.refusals)


def test_tiny_falls_back_to_the_scorecard(tmp_path):
    data = simulated_dataset(simulate("tiny"), tmp_path, every_days=30)
    report = run_backtest(data, settings=SETTINGS).report
    assert not report.passed
    assert "PI-G010" in {r.code for r in report.refusals}
    assert any("The scorecard stays in use" in r.message for r in report.refusals)


def test_one_class_is_a_clear_error(tmp_path):
    data = simulated_dataset(simulate("one_class"), tmp_path, every_days=60)
    with pytest.raises(NotEnoughEvidenceError, match="one class only"):
        run_backtest(data, settings=SETTINGS)


def test_a_shifted_world_is_refused_at_its_last_origin(tmp_path):
    data = simulated_dataset(simulate("shifted"), tmp_path, every_days=30)
    report = run_backtest(data, settings=SETTINGS).report
    print({k: (round(e.value, 3), round(e.low, 3), round(e.high, 3)) for k, e in report.metrics.items()})
    assert not report.passed


def test_the_demo_world_passes_the_gate_with_no_honest_column_suspected(tmp_path):
    data = simulated_dataset(simulate("demo", partners=800), tmp_path, every_days=30)
    report = run_backtest(data, settings=SETTINGS.model_copy(update={"origins": 2})).report
    print({r.name: round(r.metrics["auc"].value, 4) for r in report.ladder if r.metrics}, report.refusals)
    assert report.passed, report.refusals
    assert report.suspects == ()
    assert report.metrics["auc"].value > report.rung("scorecard").metrics["auc"].value


def test_columns_that_know_the_outcome_are_caught_in_a_panel(tmp_path):
    world = simulate("leaky")
    path = panel_file(world, tmp_path, "churn_panel")
    mapping = SnapshotMapping.model_validate(
        {
            "model": "churn", "path": path.name, "entity_id": "partner_id", "as_of": "snapshot_date",
            "label": "churned", "horizon_days": 90, "lags": False,
        }
    )  # fmt: skip
    data = from_snapshot(mapping, read_snapshot(mapping, base=tmp_path))
    report = run_backtest(data, settings=SETTINGS).report
    suspects = {s.column for s in report.suspects}
    print(suspects, {r.name: round(r.metrics["auc"].value, 4) for r in report.ladder if r.metrics})
    assert suspects == {"orders_next_quarter", "account_status_code"}
    assert "PI-G009" in {r.code for r in report.refusals}
    declared = mapping.model_copy(update={"post_outcome": ("orders_next_quarter", "account_status_code")})
    honest = from_snapshot(declared, read_snapshot(declared, base=tmp_path))
    again = run_backtest(honest, settings=SETTINGS).report
    assert again.suspects == ()
    assert {d.column for d in again.dropped} >= {"orders_next_quarter", "account_status_code"}


def test_back_dated_events_change_no_feature(tmp_path):
    frames = [
        simulated_dataset(simulate(p, partners=150), tmp_path / p, every_days=90).frame
        for p in ("demo", "leaky")
    ]
    assert frames[0].equals(frames[1])


def test_columns_without_any_value_never_fail(tmp_path):
    data = simulated_dataset(simulate("all_missing"), tmp_path, every_days=60)
    report = run_backtest(data, settings=SETTINGS).report
    assert any(d.why == "all missing" for d in report.dropped)
    assert report.metrics["auc"].value > 0.5
