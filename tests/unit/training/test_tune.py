"""A search is seeded, can be stopped and resumed, and looks at nothing but training rows."""

from dataclasses import replace

import numpy as np
import pytest

from tests.unit.training.worlds import dated, hazard, undated
from training.arena import build_arena
from training.params import Params
from training.splits import rolling_origin
from training.tune import CAREFUL, finished, run_study, search


@pytest.fixture(scope="module")
def world():
    data = dated(partners=150, snapshots=20)
    return data, rolling_origin(data)[0]


def test_the_same_seed_finds_the_same_settings(world):
    data, split = world
    first = search(data, split, trials=3, seed=1)
    assert search(data, split, trials=3, seed=1) == first
    assert np.isfinite(first.loss)


def test_a_search_that_was_stopped_goes_on_where_it_was(world, tmp_path):
    data, split = world
    arena = build_arena(data, split, scorecard=None, seed=1)
    study = run_study(arena, trials=2, seed=1, storage=tmp_path / "optuna.db")
    done = [t.datetime_complete for t in study.trials[:2]]
    again = run_study(arena, trials=4, seed=1, storage=tmp_path / "optuna.db")
    assert finished(again) == 4
    assert [t.datetime_complete for t in again.trials[:2]] == done


def test_no_trials_mean_the_defaults(world):
    data, split = world
    assert search(data, split, trials=0, seed=1).params == Params()


def test_little_data_tries_only_a_few_careful_points():
    data = undated(n=120, entities=80)
    assert search(data, rolling_origin(data)[0], trials=20, seed=1).trials == len(CAREFUL)


def test_one_class_keeps_the_defaults():
    data = undated(n=120, entities=80)
    split = rolling_origin(data)[0]
    blank = replace(data, outcomes=data.outcomes.assign(y=0.0))
    with pytest.raises(Exception, match="one class"):
        build_arena(blank, split, scorecard=None, seed=0)
    assert search(blank, split, trials=3, seed=0).params == Params()


def test_labels_beyond_the_training_rows_change_nothing(world):
    data, split = world
    outside = ~np.isin(data.outcomes["row_id"], split.train)
    flipped = data.outcomes.assign(y=np.where(outside, 1 - data.outcomes["y"], data.outcomes["y"]))
    other = replace(data, outcomes=flipped)
    assert search(other, split, trials=2, seed=1) == search(data, split, trials=2, seed=1)


def test_inner_validation_is_later_and_a_gap_apart(world):
    data, split = world
    arena = build_arena(data, split, scorecard=None, seed=1)
    as_of = data.as_of[arena.evidence.rows]
    by_row = {tuple(r): t for r, t in zip(arena.evidence.design.matrix, as_of, strict=True)}
    for bout in arena.bouts:
        last = max(by_row[tuple(r)] for r in bout.learn.matrix)
        first = min(by_row[tuple(r)] for r in bout.judge.matrix)
        assert first > last


def test_progress_ends_at_one(world):
    data, split = world
    shares = []
    search(data, split, trials=2, seed=1, progress=lambda _what, share: shares.append(share))
    assert shares[-1] == 1.0
    assert shares == sorted(shares)


def test_hazards_can_be_searched():
    data = hazard(partners=80, snapshots=24)
    assert search(data, rolling_origin(data)[0], trials=2, seed=1).trials >= 2
