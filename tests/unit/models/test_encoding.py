"""Frames to matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from data.errors import DataError
from models.encoding import Encoder
from models.spec import Feature, ModelSpec

SPEC = ModelSpec(
    "toy", "Toy", ("id",), (Feature("n"), Feature("gap"), Feature("flag", "flag"), Feature("c", "category")),
    "probability",
)  # fmt: skip
TRAIN = pd.DataFrame(
    {"n": [1.0, 2.0, 6.0], "gap": [np.nan, 1.0, 2.0], "flag": [True, False, True], "c": ["x", "y", "x"]}
)


def encoded(**columns: Any) -> Any:
    row = {"n": [2.0], "gap": [1.0], "flag": [True], "c": ["x"], **{k: [v] for k, v in columns.items()}}
    return Encoder.fit(TRAIN, SPEC).encode(pd.DataFrame(row))[0]


def test_numbers_stay_and_categories_become_their_levels() -> None:
    encoder = Encoder.fit(TRAIN, SPEC)
    assert encoder.columns == ("n", "gap", "flag", "c=x", "c=y")
    expected = [[1, np.nan, 1, 1, 0], [2, 1, 0, 0, 1], [6, 2, 1, 1, 0]]
    np.testing.assert_array_equal(encoder.encode(TRAIN), expected)


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, None])
def test_what_is_not_finite_is_missing(value: Any) -> None:
    assert np.isnan(encoded(gap=value)[1])


def test_absent_column_is_missing() -> None:
    encoder = Encoder.fit(TRAIN, SPEC)
    row = encoder.encode(pd.DataFrame({"n": [1.0]}))
    assert encoder.missing(row).tolist() == [[False, True, True, True]]


def test_text_where_a_number_belongs_is_refused_by_column() -> None:
    with pytest.raises(DataError, match="Column n holds something that is not a number"):
        encoded(n="many")


def test_flags_are_read_from_words() -> None:
    assert encoded(flag="yes")[2] == 1
    assert encoded(flag="False")[2] == 0


def test_unseen_category_is_all_zero_counts_as_missing_and_is_told() -> None:
    encoder = Encoder.fit(TRAIN, SPEC)
    frame = TRAIN.iloc[:1].assign(c="z")
    assert encoder.encode(frame)[0, 3:].tolist() == [0, 0]
    assert encoder.missing(encoder.encode(frame))[0, 3]
    assert encoder.warnings(frame) == [["c 'z' was not seen in training; it is read as other."]]


def test_rare_levels_share_other_and_missing_has_its_own_column_only_if_present() -> None:
    spec = SPEC.restricted_to(["c"])
    levels = [f"L{i:02d}" for i in range(15)]
    frame = pd.DataFrame({"c": [*levels, "L14", "L13", None]})
    encoder = Encoder.fit(frame, spec)
    assert len(encoder.columns) == 14
    assert encoder.columns[:2] == ("c=L13", "c=L14")
    assert encoder.columns[-2:] == ("c=other", "c=missing")
    rows = encoder.encode(pd.DataFrame({"c": ["L12", "new", None]}))
    assert rows[:, -2].tolist() == [1, 1, 0]
    assert rows[:, -1].tolist() == [0, 0, 1]
    assert encoder.warnings(pd.DataFrame({"c": ["new"]})) == [[]]


def test_value_far_out_of_range_is_told() -> None:
    told = Encoder.fit(TRAIN, SPEC).warnings(TRAIN.assign(n=[600.0, 2.0, -600.0]))
    assert told[0] == ["n is 600; in training it lay between 1 and 6."]
    assert told[1] == []
    assert len(told[2]) == 1


def test_number_never_missing_in_training_is_filled_with_its_median_for_the_trees() -> None:
    encoder = Encoder.fit(TRAIN, SPEC)
    row = np.array([[np.nan, np.nan, np.nan, 1.0, 0.0]])
    filled = encoder.filled(row)[0]
    assert filled[0] == 2.0
    assert np.isnan(filled[1])
    assert filled[2] == 1.0


def test_blanking_a_feature_makes_it_missing() -> None:
    encoder = Encoder.fit(TRAIN.assign(c=["x", None, "y"]), SPEC)
    matrix = encoder.encode(TRAIN)
    for j, name in enumerate(encoder.names):
        assert encoder.missing(encoder.blank(matrix, name))[:, j].all()


def test_encoding_is_the_same_row_by_row_and_survives_json() -> None:
    encoder = Encoder.fit(TRAIN, SPEC)
    again = Encoder.from_json(encoder.to_json(), SPEC)
    np.testing.assert_array_equal(again.encode(TRAIN), encoder.encode(TRAIN))
    one_by_one = np.concatenate([encoder.encode(TRAIN.iloc[[i]]) for i in range(3)])
    np.testing.assert_array_equal(one_by_one, encoder.encode(TRAIN))


def test_columns_depend_on_content_not_on_row_order() -> None:
    assert Encoder.fit(TRAIN.iloc[::-1], SPEC).to_json() == Encoder.fit(TRAIN, SPEC).to_json()
