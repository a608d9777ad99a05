"""Nothing that was known only after the test date may train."""

from dataclasses import replace
from datetime import date
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import InputError, NotEnoughEvidenceError
from tests.unit.training.worlds import START, dated, undated
from training.splits import Split, check_purged, grouped_folds, rolling_origin

DAY = np.timedelta64(1, "D")


@given(
    snapshots=st.integers(4, 30),
    step=st.sampled_from([7, 30, 45]),
    horizon=st.sampled_from([30, 90]),
    lag=st.sampled_from([0, 20, 90]),
    shuffle=st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_no_training_label_is_known_after_the_test_date(snapshots, step, horizon, lag, shuffle):
    data = dated(
        partners=40, snapshots=snapshots, step=step, horizon=horizon, gap=horizon + lag, shuffle=shuffle
    )
    try:
        splits = rolling_origin(data)
    except NotEnoughEvidenceError:
        return
    for s in splits:
        first = data.as_of[s.test].min()
        for rows, by in ((s.train, s.train_known_by), (s.calibrate, first), (s.refit, s.refit_known_by)):
            assert (data.known_at()[rows] <= by).all()
            assert by <= first
        assert set(s.train) | set(s.calibrate) <= set(s.refit)
        assert not set(s.refit) & set(s.test)


def test_parts_lie_where_the_protocol_says():
    data = dated(snapshots=24, step=30, horizon=90, gap=100)
    last = rolling_origin(data)[0]
    t = data.as_of[last.test].min()
    assert (data.as_of[last.train] <= t - 200 * DAY).all()
    assert (data.as_of[last.calibrate] > t - 200 * DAY).all()
    assert (data.as_of[last.calibrate] <= t - 100 * DAY).all()
    assert set(last.refit) == set(last.train) | set(last.calibrate)
    assert last.note == ""


def test_four_origins_where_history_allows_and_fewer_otherwise():
    assert len(rolling_origin(dated(snapshots=36))) == 4
    assert 1 <= len(rolling_origin(dated(snapshots=11))) < 4


def test_test_windows_of_two_origins_do_not_overlap():
    data = dated(snapshots=36)
    dates = [data.as_of[s.test].min() for s in rolling_origin(data)]
    assert all(a - b >= 90 * DAY for a, b in pairwise(dates))


def test_short_history_cross_fits_the_calibrator_and_says_so():
    split = rolling_origin(dated(snapshots=9, step=30))[0]
    assert split.cross_fit
    assert "cross-fitted" in split.note
    assert set(split.train) == set(split.refit)


def test_too_short_a_history_says_how_long_it_must_be():
    with pytest.raises(NotEnoughEvidenceError, match="known 90 days after"):
        rolling_origin(dated(snapshots=3))


def test_a_fixed_test_date_is_the_only_one():
    data = dated(snapshots=24)
    day = str((START + 18 * 30 * DAY).astype("datetime64[D]"))
    splits = rolling_origin(data, test_at=date.fromisoformat(day))
    assert [s.name for s in splits] == [day]
    assert (data.as_of[splits[0].test] == np.datetime64(day)).all()


def test_testing_from_a_date_takes_all_later_snapshots():
    data = dated(snapshots=24)
    day = START + 15 * 30 * DAY
    split = rolling_origin(data, test_from=date.fromisoformat(str(day.astype("datetime64[D]"))))[0]
    assert data.as_of[split.test].min() == day
    assert np.unique(data.as_of[split.test]).size > 1
    assert (data.known_at()[split.refit] <= day).all()


def test_a_day_without_snapshot_is_named_with_the_days_there_are():
    with pytest.raises(InputError, match="2023-01-01"):
        rolling_origin(dated(), test_at=date(2020, 1, 1))


def test_a_test_date_inside_all_label_windows_is_refused():
    data = dated(snapshots=24)
    with pytest.raises(NotEnoughEvidenceError, match="overlap the test date"):
        rolling_origin(data, test_at=date(2023, 1, 31))


def test_training_is_refused_when_a_label_window_overlaps_the_test_date():
    data = dated(snapshots=24)
    split = rolling_origin(data)[0]
    late = np.flatnonzero(data.as_of == data.as_of[split.test].min() - 30 * DAY)
    planted = replace(split, refit=np.concatenate([split.refit, late]))
    with pytest.raises(InputError, match="windows overlap"):
        check_purged(data, planted)


@given(entities=st.integers(12, 60), seed=st.integers(0, 5))
@settings(max_examples=20, deadline=None)
def test_no_group_is_on_both_sides_of_a_fold(entities, seed):
    data = undated(entities=entities, seed=seed)
    group = data.frame["group"].to_numpy()
    for s in grouped_folds(data, seed=seed):
        assert not set(group[s.refit]) & set(group[s.test])
        assert s.kind == "repeated grouped folds"


def test_folds_test_every_row_once_in_each_repeat():
    data = undated()
    splits = rolling_origin(data)
    assert len(splits) == 10
    assert sorted(np.concatenate([s.test for s in splits[:5]])) == list(range(data.size))


def test_an_order_column_trains_on_the_first_and_tests_on_the_last_quarter():
    data = undated(n=400, order=True)
    (split,) = rolling_origin(data)
    order = data.frame["order"].to_numpy()
    assert split.kind == "ordered split"
    assert order[split.train].max() < order[split.calibrate].min()
    assert order[split.calibrate].max() < order[split.test].min()
    assert (split.train.size, split.calibrate.size, split.test.size) == (200, 100, 100)


def test_a_test_date_for_undated_rows_is_refused():
    with pytest.raises(InputError, match="no as_of"):
        rolling_origin(undated(), test_at=date(2024, 1, 1))


def test_too_few_rows_for_folds_say_how_many_are_needed():
    with pytest.raises(NotEnoughEvidenceError, match="too few"):
        rolling_origin(undated(n=6, entities=3))


def test_a_split_without_calibration_rows_cross_fits():
    assert Split("a", "ordered split", np.arange(2), np.arange(0), np.arange(2), np.arange(1)).cross_fit
