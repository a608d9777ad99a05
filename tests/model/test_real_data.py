"""Models on data nobody here wrote, through the mappings committed in examples/."""

from datetime import date

import numpy as np
import pytest

from data.mapping import DataSettings
from data.snapshots import read_snapshot
from evaluation.backtest import run_backtest
from evaluation.settings import EvaluationSettings
from tests.model.worlds import EXAMPLES, example_config, example_dataset
from training.from_snapshot import from_snapshot

pytestmark = [pytest.mark.datasets, pytest.mark.slow]
SETTINGS = EvaluationSettings(replicates=200)
LEAKS = {"Tags", "Lead Quality"}


def figures(report):
    return {r.name: round(r.metrics["auc"].value, 4) for r in report.ladder if r.metrics}


@pytest.fixture(scope="module")
def adventureworks(datasets, tmp_path_factory):
    day = date(2013, 5, 20)
    data = example_dataset("adventureworks", datasets, tmp_path_factory.mktemp("aw"), test_at=day)
    return data, run_backtest(data, settings=SETTINGS, test_at=day).report


@pytest.fixture(scope="module")
def online_retail(datasets, tmp_path_factory):
    day = date(2011, 9, 9)
    data = example_dataset("online_retail", datasets, tmp_path_factory.mktemp("or"), test_at=day)
    return data, run_backtest(data, settings=SETTINGS, test_at=day).report


def test_adventureworks_beats_the_recency_rule(adventureworks):
    _, report = adventureworks
    print(figures(report), report.refusals)
    assert (report.n_test, report.events) == (492, 47)
    assert report.rung("recency").metrics["auc"].value == pytest.approx(0.833, abs=0.001)
    assert report.metrics["auc"].value >= 0.93


def test_online_retail_beats_the_recency_rule(online_retail):
    _, report = online_retail
    print(figures(report), report.refusals)
    assert report.n_test == 2779
    assert report.rung("recency").metrics["auc"].value == pytest.approx(0.658, abs=0.001)
    assert report.metrics["auc"].value >= 0.735


def test_no_honest_column_is_suspected(adventureworks, online_retail):
    assert adventureworks[1].suspects == ()
    assert online_retail[1].suspects == ()


def test_the_leaking_columns_of_adventureworks_are_not_mapped(adventureworks):
    text = (EXAMPLES / "adventureworks" / "partnerintel.yaml").read_text()
    assert "FirstOrderYear:" not in text
    assert not {f for f in adventureworks[0].features if "order_year" in f.lower()}


def test_no_training_label_was_known_after_the_test_date(adventureworks):
    from training.splits import rolling_origin

    data = adventureworks[0]
    split = rolling_origin(data, test_at=date(2013, 5, 20))[0]
    assert (data.known_at()[split.refit] <= np.datetime64("2013-05-20")).all()


@pytest.fixture(scope="module")
def leads(datasets):
    config = example_config("lead_scoring", datasets)
    settings = DataSettings.from_config(config)
    mapping = settings.snapshots[0]
    base = settings.folder(EXAMPLES / "lead_scoring")
    untold = mapping.model_copy(update={"post_outcome": ()})
    return [from_snapshot(m, read_snapshot(m, base=base)) for m in (mapping, untold)]


def test_leads_are_scored_honestly_without_the_columns_filled_in_later(leads):
    report = run_backtest(leads[0], settings=SETTINGS).report
    print(figures(report), report.refusals)
    assert 0.86 <= report.metrics["auc"].value <= 0.92
    assert report.suspects == ()
    assert report.split.startswith("ordered split")


def test_the_strongest_leaking_columns_are_named_without_being_told(leads):
    report = run_backtest(leads[1], settings=SETTINGS).report
    print(figures(report), [s.column for s in report.suspects])
    assert {s.column for s in report.suspects} >= LEAKS
    assert report.metrics["auc"].value > 0.97
    assert "PI-G009" in {r.code for r in report.refusals}
    assert not report.passed
