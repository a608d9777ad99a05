"""The compiled engine says what LightGBM says: the same bits for scores, rounding apart for contributions."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import lightgbm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.engine import LightGBMEngine, TreeEngine, compare, compile_engine
from models.engine.choose import Difference


def test_scores_are_bit_for_bit_those_of_lightgbm(case: Any) -> None:
    engine = case.engine
    assert isinstance(engine, TreeEngine)
    loaded = lightgbm.Booster(model_str=case.text)
    for booster in (case.booster, loaded):
        assert np.array_equal(engine.raw(case.rows), booster.predict(case.rows, raw_score=True))


def test_contributions_are_exact(case: Any) -> None:
    engine = case.engine
    told = case.booster.predict(case.rows, pred_contrib=True)
    assert np.abs(engine.contributions(case.rows) - told).max() <= 1e-12
    assert engine.expected_value == pytest.approx(told[0, -1], abs=1e-15)


def test_grouped_contributions_are_sums_of_single_ones(case: Any) -> None:
    engine = case.engine
    groups = np.array([0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 2])
    single = engine.contributions(case.rows)
    summed = np.stack([single[:, :-1][:, groups == g].sum(axis=1) for g in range(3)], axis=1)
    assert np.abs(engine.grouped(case.rows, groups) - summed).max() <= 1e-12


def test_one_group_is_the_score_itself(case: Any) -> None:
    engine = case.engine
    whole = engine.grouped(case.rows, np.zeros(engine.features, dtype=int))[:, 0]
    assert np.abs(whole + engine.expected_value - engine.raw(case.rows)).max() <= 1e-12


def test_long_paths_are_worked_out_without_tables(booster_with: Callable[..., Any], case_of: Any) -> None:
    booster = booster_with(
        {"num_leaves": 32, "min_data_in_leaf": 1, "min_sum_hessian_in_leaf": 0.0}, trees=20
    )
    engine = compile_engine(booster.model_to_string())
    assert isinstance(engine, TreeEngine)
    assert len(engine.tables(np.arange(engine.features)).deep.value) > 0
    rows = case_of("binary").rows
    assert np.abs(engine.contributions(rows) - booster.predict(rows, pred_contrib=True)).max() <= 1e-12


def test_continued_training_may_change_how_missing_is_treated(case_of: Any, booster_with: Any) -> None:
    first = case_of("missing off").booster
    rows = case_of("binary").rows
    finite = np.nan_to_num(rows, posinf=9.0, neginf=-9.0)
    data = lightgbm.Dataset(rows, (finite[:, 0] > 0).astype(float), free_raw_data=False)
    params = {"objective": "binary", "verbose": -1, "num_threads": 1, "num_leaves": 8}
    both = lightgbm.train(params, data, 10, init_model=first)
    engine = compile_engine(both.model_to_string())
    assert np.array_equal(engine.raw(rows), both.predict(rows, raw_score=True))
    assert np.abs(engine.contributions(rows) - both.predict(rows, pred_contrib=True)).max() <= 1e-12


ANY_VALUE = st.floats(width=64, allow_nan=True, allow_infinity=True)


@settings(max_examples=40, deadline=None)
@given(rows=arrays(np.float64, (9, 12), elements=ANY_VALUE))
def test_contributions_add_up_to_the_score(case_of: Any, rows: Any) -> None:
    engine = case_of("monotone").engine
    parts = engine.contributions(rows)
    assert np.abs(parts.sum(axis=1) - engine.raw(rows)).max() <= 1e-12


@settings(max_examples=40, deadline=None)
@given(rows=arrays(np.float64, (9, 12), elements=ANY_VALUE))
def test_any_value_at_all_scores_as_in_lightgbm(case_of: Any, rows: Any) -> None:
    case = case_of("31 leaves, any depth")
    assert np.array_equal(case.engine.raw(rows), case.booster.predict(rows, raw_score=True))


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 63, 64, 65, 129])
def test_every_number_of_rows_is_served(case_of: Any, count: int) -> None:
    case = case_of("depth 5")
    engine, rows = case.engine, case.rows[:count]
    assert np.array_equal(engine.raw(rows), engine.raw(case.rows)[:count])
    assert np.array_equal(engine.contributions(rows), engine.contributions(case.rows)[:count])


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), cut=st.integers(0, 300))
def test_order_and_batch_split_change_no_bit(case_of: Any, seed: int, cut: int) -> None:
    case = case_of("depth 6")
    engine, rows = case.engine, case.rows[:300]
    order = np.random.default_rng(seed).permutation(300)
    for ask in (engine.raw, engine.contributions):
        whole, shuffled = ask(rows), rows[order]
        split = np.concatenate([ask(shuffled[:cut]), ask(shuffled[cut:])])
        assert np.array_equal(split, whole[order])


@pytest.mark.parametrize("shape", ["float32", "column order", "read-only", "strided"])
def test_any_memory_layout_is_accepted(case_of: Any, shape: str) -> None:
    case = case_of("binary")
    rows = case.rows[:50]
    given = {
        "float32": np.nan_to_num(rows, posinf=9, neginf=-9).clip(-9, 9).astype(np.float32),
        "column order": np.asfortranarray(rows),
        "read-only": np.lib.stride_tricks.as_strided(rows.copy(), writeable=False),
        "strided": np.repeat(rows, 2, axis=0)[::2],
    }[shape]
    engine = case.engine
    assert np.array_equal(engine.raw(given), case.booster.predict(given, raw_score=True))


def test_threads_share_an_engine(case_of: Any) -> None:
    case = case_of("depth 6")
    engine, groups = case.engine, [np.arange(12), np.arange(12) % 3, np.arange(12) % 4]
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(engine.grouped, case.rows, groups[i % 3]) for i in range(12)]
    for i, answer in enumerate(asked):
        assert np.array_equal(answer.result(), engine.grouped(case.rows, groups[i % 3]))


def test_warming_up_leaves_nothing_to_build(case_of: Any) -> None:
    engine = compile_engine(case_of("depth 5").text)
    assert isinstance(engine, TreeEngine)
    groups = np.arange(12) % 3
    engine.warm_up(groups)
    built = engine.tables(groups)
    for size in range(4, 11):  # seven more groupings fit beside it
        engine.tables(np.arange(12) % size)
    assert engine.tables(groups.copy()) is built
    for size in range(4, 12):  # eight others used since: the memory of a long-lived process stays bounded
        engine.tables(np.arange(12) % size)
    assert engine.tables(groups) is not built


def test_wrong_shapes_are_named(case_of: Any) -> None:
    engine = case_of("binary").engine
    with pytest.raises(ValueError, match=r"shape \(5, 11\); allowed: \(rows, 12\)"):
        engine.raw(np.zeros((5, 11)))
    for groups in (np.zeros(11, dtype=int), np.zeros(12), np.full(12, -1)):
        with pytest.raises(ValueError, match="group numbers from 0 on"):
            engine.grouped(np.zeros((5, 12)), groups)


def test_comparison_with_the_oracle_is_part_of_the_interface(case_of: Any) -> None:
    case = case_of("tweedie")
    engine = case.engine
    found = compare(engine, LightGBMEngine(case.booster, reason="oracle"), rows=case.rows)
    assert found.raw == 0.0
    assert 0.0 < found.contributions <= 1e-12
    assert found.acceptable
    assert not Difference(raw=1e-11, contributions=0.0).acceptable
    assert not Difference(raw=float("nan"), contributions=0.0).acceptable
