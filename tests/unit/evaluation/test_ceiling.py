"""A general search as the ceiling, where the truth is not known."""

import sys
from dataclasses import replace

import pytest

from data.errors import ConfigError
from evaluation.backtest import run_backtest
from evaluation.ceiling import searched_ceiling
from evaluation.settings import EvaluationSettings
from tests.unit.training.worlds import dated
from training.params import Params
from training.splits import rolling_origin


@pytest.fixture(scope="module")
def world():
    return dated(partners=150, strength=1.5)


def test_a_searched_ceiling_finds_the_signal_and_names_what_it_chose(world):
    settings = EvaluationSettings(replicates=60, origins=1)
    report = run_backtest(world, settings=settings, params=Params(rounds=20), search_seconds=2).report
    rung = report.rung("ceiling")
    assert rung.metrics["auc"].value > 0.65
    assert "2 s of FLAML, which chose" in rung.note


def test_turned_outcomes_of_the_tested_rows_teach_the_search_nothing(world):
    split = rolling_origin(world, origins=1, seed=7)[0]
    outcomes = world.outcomes.copy()
    tested = outcomes["row_id"].isin(world.frame["row_id"].to_numpy()[split.test])
    outcomes.loc[tested, "y"] = 1 - outcomes.loc[tested, "y"]
    found, _ = searched_ceiling(replace(world, outcomes=outcomes), split, seconds=1, seed=7)
    y = world.labels()[split.test]
    assert tested.sum() == split.test.size
    assert found[y == 1].mean() > found[y == 0].mean() + 0.1


def test_without_the_extra_it_says_what_to_install(world, monkeypatch):
    monkeypatch.setitem(sys.modules, "flaml.automl.automl", None)
    with pytest.raises(ConfigError, match=r"partnerintel\[bench\]"):
        searched_ceiling(world, rolling_origin(world, origins=1, seed=7)[0], seconds=1, seed=7)
