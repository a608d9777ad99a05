"""The panel looks back and never ahead."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from data.errors import DataError
from features.panel import build_panel

DAYS = pd.to_datetime(["2024-01-01", "2024-02-01", "2024-03-01"]).astype("datetime64[us]")


def _frame(orders, *, entity="A"):
    count = len(orders)
    return pd.DataFrame(
        {
            "id": [entity] * count,
            "day": DAYS[:count],
            "orders": np.asarray(orders, dtype=float),
            "kind": ["x"] * count,
            "signed": pd.to_datetime(["2023-12-31"] * count).astype("datetime64[us]"),
        }
    )


def test_dates_become_days_before_as_of():
    panel = build_panel(_frame([1, 2, 3]), entity_id=["id"], as_of="day", lags=False)
    assert panel["days since signed"].tolist() == [1.0, 32.0, 61.0]
    assert list(panel.columns) == ["id", "day", "orders", "kind", "days since signed"]


def test_dates_are_dropped_when_nothing_says_how_old_they_are():
    panel = build_panel(_frame([1, 2, 3]).drop(columns="day"), entity_id=["id"], as_of=None)
    assert list(panel.columns) == ["id", "orders", "kind"]


def test_earlier_snapshots_become_lags_changes_means_and_trends():
    panel = build_panel(_frame([4, 0, 5]), entity_id=["id"], as_of="day")
    np.testing.assert_array_equal(panel["orders (snapshot before)"], [np.nan, 4, 0])
    np.testing.assert_array_equal(panel["orders (change)"], [np.nan, -4, 5])
    np.testing.assert_array_equal(panel["orders (mean of 3 snapshots)"], [4, 2, 3])
    np.testing.assert_array_equal(panel["orders (against mean of 3 before)"], [np.nan, -4, 3])
    np.testing.assert_array_equal(panel["days since orders was last above zero"], [0, 31, 0])
    np.testing.assert_array_equal(panel["days_since_first_snapshot"], [0, 31, 60])


def test_entities_do_not_see_each_other():
    both = pd.concat([_frame([1, 2, 3]), _frame([7, 8, 9], entity="B")], ignore_index=True)
    alone = build_panel(_frame([7, 8, 9], entity="B"), entity_id=["id"], as_of="day")
    panel = build_panel(both, entity_id=["id"], as_of="day")
    assert_frame_equal(panel[panel["id"] == "B"].reset_index(drop=True), alone)


def test_rows_keep_their_order_and_index():
    frame = _frame([1, 2, 3]).iloc[[2, 0, 1]]
    panel = build_panel(frame, entity_id=["id"], as_of="day")
    assert panel.index.tolist() == [2, 0, 1]
    np.testing.assert_array_equal(panel["orders (snapshot before)"], [2, np.nan, 1])


def test_one_entity_with_two_rows_of_one_date_is_refused():
    frame = pd.concat([_frame([1]), _frame([2])])
    with pytest.raises(DataError, match="two snapshots of one date: id A"):
        build_panel(frame, entity_id=["id"], as_of="day")


def test_yes_no_columns_have_a_past_but_no_recency():
    frame = _frame([1, 2, 3]).assign(active=pd.array([True, None, False], dtype="boolean"))
    panel = build_panel(frame, entity_id=["id"], as_of="day")
    np.testing.assert_array_equal(panel["active (snapshot before)"], [np.nan, 1, np.nan])
    assert "days since active was last above zero" not in panel


_VALUE = st.one_of(st.none(), st.floats(-5, 5, allow_nan=False))
_ROWS = st.lists(
    st.tuples(st.sampled_from("AB"), st.integers(0, 12), _VALUE, _VALUE),
    min_size=1,
    max_size=25,
    unique_by=lambda row: row[:2],
)


def _panel_of(rows):
    frame = pd.DataFrame(rows, columns=["id", "month", "x", "y"])
    frame = frame.astype({"x": "float64", "y": "float64"})
    day = pd.Timestamp("2020-01-01") + pd.to_timedelta(frame.pop("month") * 30, unit="D")
    frame.insert(1, "day", day.astype("datetime64[us]"))
    return build_panel(frame, entity_id=["id"], as_of="day")


@settings(max_examples=50, deadline=None)
@given(rows=_ROWS, cut=st.integers(0, 12), x=_VALUE, drop=st.booleans())
def test_changing_or_removing_later_snapshots_changes_no_earlier_row(rows, cut, x, drop):
    before = [row for row in rows if row[1] <= cut]
    if not before:
        return
    later = [] if drop else [(e, m, x, y) for e, m, _, y in rows if m > cut]
    whole, other = _panel_of(rows), _panel_of(before + later)
    limit = pd.Timestamp("2020-01-01") + pd.Timedelta(days=30 * cut)

    def early(panel):
        return panel[panel["day"] <= limit].sort_values(["id", "day"]).reset_index(drop=True)

    assert_frame_equal(early(whole), early(other))


@settings(max_examples=30, deadline=None)
@given(rows=_ROWS, seed=st.integers(0, 1000))
def test_order_of_rows_does_not_matter(rows, seed):
    order = np.random.default_rng(seed).permutation(len(rows))
    shuffled = _panel_of([rows[i] for i in order])
    keys = ["id", "day"]
    assert_frame_equal(
        shuffled.sort_values(keys).reset_index(drop=True),
        _panel_of(rows).sort_values(keys).reset_index(drop=True),
    )
