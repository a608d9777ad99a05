"""One request against resident rows gives what the full matrix gives, for either engine."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.engine import ColumnSplit, LightGBMEngine, compile_engine

SPLITS = {
    "all three parts": ColumnSplit(resident=(0, 3, 4, 9, 2), request=(11, 1, 5, 6), pair=(7, 10, 8)),
    "no pair columns": ColumnSplit(resident=(0, 1, 2, 3, 4, 5), request=(6, 7, 8, 9, 10, 11)),
    "no request columns": ColumnSplit(resident=(0, 1, 2, 3, 4, 5), request=(), pair=(6, 7, 8, 9, 10, 11)),
    "nothing resident": ColumnSplit(resident=(), request=(0, 1, 2, 3, 4, 5, 6), pair=(7, 8, 9, 10, 11)),
}


def _request(full: Any, split: ColumnSplit) -> tuple[Any, Any]:
    return full[0, list(split.request)], full[:, list(split.pair)]


def _full(rows: Any, split: ColumnSplit) -> Any:
    full = rows.copy()
    full[:, list(split.request)] = rows[3, list(split.request)]
    return full


@pytest.fixture(params=["compiled", "lightgbm"])
def make_engine(request: pytest.FixtureRequest) -> Any:
    if request.param == "compiled":
        return lambda case: compile_engine(case.text)
    return lambda case: LightGBMEngine(case.booster, reason="asked for")


@pytest.mark.parametrize("name", list(SPLITS))
@pytest.mark.parametrize("kind", ["depth 6", "31 leaves, any depth", "zero as missing", "never split"])
def test_factored_scores_are_those_of_the_full_matrix(
    case_of: Any, make_engine: Any, kind: str, name: str
) -> None:
    case, split = case_of(kind), SPLITS[name]
    engine, full = make_engine(case), _full(case.rows, split)
    prepared = engine.prepare(full[:, list(split.resident)], split)
    values, pair = _request(full, split)
    assert np.array_equal(engine.raw_with(prepared, values, pair), case.booster.predict(full, raw_score=True))
    assert np.array_equal(engine.matrix_with(prepared, values, pair), full, equal_nan=True)


@settings(max_examples=25, deadline=None)
@given(rows=st.lists(st.integers(0, 199), max_size=150))
def test_any_choice_of_resident_rows_in_any_order(case_of: Any, rows: list[int]) -> None:
    case, split = case_of("depth 5"), SPLITS["all three parts"]
    engine, full = case.engine, _full(case.rows[:200], split)
    prepared = engine.prepare(full[:, list(split.resident)], split)
    values, pair = _request(full, split)
    scores = engine.raw_with(prepared, values, pair[rows], rows=rows)
    assert np.array_equal(scores, engine.raw(full)[rows])
    assert np.array_equal(
        engine.matrix_with(prepared, values, pair[rows], rows=rows), full[rows], equal_nan=True
    )


def test_a_prepared_block_does_not_follow_later_changes_of_the_residents(case_of: Any) -> None:
    case, split = case_of("binary"), SPLITS["no pair columns"]
    engine, residents = case.engine, case.rows[:70, :6].copy()
    prepared = engine.prepare(residents, split)
    before = engine.raw_with(prepared, case.rows[0, 6:])
    residents[:] = 0.0
    assert np.array_equal(engine.raw_with(prepared, case.rows[0, 6:]), before)
    assert not prepared.matrix.flags.writeable


def test_misfit_requests_are_named(case_of: Any, make_engine: Any) -> None:
    case, split = case_of("binary"), SPLITS["all three parts"]
    engine = make_engine(case)
    prepared = engine.prepare(case.rows[:70, list(split.resident)], split)
    values, pair = case.rows[0, list(split.request)], case.rows[:70, list(split.pair)]
    with pytest.raises(ValueError, match="has 69 rows; allowed: 70"):
        engine.raw_with(prepared, values, pair[:69])
    with pytest.raises(ValueError, match="allowed: 0 to 69"):
        engine.raw_with(prepared, values, pair[:1], rows=[70])
    with pytest.raises(ValueError, match="request's values"):
        engine.raw_with(prepared, values[:-1], pair)
    with pytest.raises(ValueError, match="another engine"):
        make_engine(case).raw_with(prepared, values, pair)
    with pytest.raises(ValueError, match=r"each of 0\.\.11 once"):
        engine.prepare(case.rows[:, :5], ColumnSplit(resident=(0, 1, 2, 3, 3), request=()))
