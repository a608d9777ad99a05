"""Drift: what is said when nothing moved, when something did, and when there is too little to tell."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.drift import LEAST_ROWS, MOVED, SHIFTED, compare, drift_of


def normal(count, *, seed=0, shift=0.0):
    return np.random.default_rng(seed).normal(shift, 1, count)


def test_a_column_that_did_not_move_is_steady_and_one_that_did_is_not():
    assert drift_of("x", normal(2000), normal(600, seed=1)).verdict == "steady"
    moved = drift_of("x", normal(2000), normal(600, seed=1, shift=0.4))
    assert moved.verdict == "moved"
    assert MOVED <= moved.psi < SHIFTED
    assert drift_of("x", normal(2000), normal(600, seed=1, shift=1.5)).verdict == "shifted"


def test_the_index_is_the_one_of_the_books_on_counts_large_enough():
    then, now = np.repeat(["a", "b"], [5000, 5000]), np.repeat(["a", "b"], [7000, 3000])
    by_hand = (0.5 - 0.7) * np.log(0.5 / 0.7) + (0.5 - 0.3) * np.log(0.5 / 0.3)
    assert drift_of("x", then, now).psi == pytest.approx(by_hand, abs=1e-3)


@pytest.mark.parametrize(("then", "now"), [(LEAST_ROWS - 1, 500), (500, LEAST_ROWS - 1), (0, 0)])
def test_on_small_numbers_nothing_is_said(then, now):
    found = drift_of("x", normal(then), normal(now, shift=9))
    assert (found.verdict, found.psi) == ("not_enough", None)
    assert (found.n_then, found.n_now) == (then, now)


def test_rows_that_repeat_few_entities_are_not_many_rows():
    then = np.repeat(normal(60), 40)
    assert drift_of("x", then, normal(60, seed=2), entities=LEAST_ROWS - 1).verdict == "not_enough"
    alone = drift_of("x", then, normal(60, seed=2))
    assert drift_of("x", then, normal(60, seed=2), entities=60).by_chance > alone.by_chance


def test_one_in_twenty_pages_of_columns_that_did_not_move_shows_one_that_seems_to():
    columns, pages, n, m = 20, 150, 400, 90
    rng = np.random.default_rng(3)
    found = [
        [drift_of("x", rng.normal(size=n), rng.normal(size=m), compared=columns) for _ in range(columns)]
        for _ in range(pages)
    ]
    plain = np.mean([any(d.psi >= MOVED for d in page) for page in found])
    told = np.mean([any(d.verdict != "steady" for d in page) for page in found])
    assert plain > 0.3, "the usual threshold alone cries wolf on such counts"
    assert told < 0.12


def test_missing_values_are_a_bin_of_their_own():
    gone = np.where(np.arange(400) % 2 == 0, np.nan, normal(400))
    found = drift_of("x", normal(2000), gone)
    assert found.verdict == "shifted"
    assert (found.missing_then, found.missing_now) == (0.0, 0.5)
    assert {b.label: b.now for b in found.bins}["not known"] == 0.5


def test_levels_training_never_saw_are_named():
    found = drift_of("country", ["DE"] * 300 + ["FR"] * 300, ["DE"] * 50 + ["BR"] * 50)
    assert found.new_levels == ("BR",)
    assert found.verdict == "shifted"


@given(
    st.lists(st.one_of(st.none(), st.floats(-1e9, 1e9), st.just(0.0)), min_size=50, max_size=120),
    st.lists(st.one_of(st.none(), st.floats(-1e9, 1e9), st.just(0.0)), min_size=50, max_size=120),
)
@settings(max_examples=60, deadline=None)
def test_shares_are_shares_and_the_index_is_never_below_zero(then, now):
    found = drift_of("x", np.array(then, dtype=float), np.array(now, dtype=float))
    assert found.psi >= -1e-12
    assert np.isfinite(found.psi)
    assert sum(b.then for b in found.bins) == pytest.approx(1)
    assert sum(b.now for b in found.bins) == pytest.approx(1)
    same = drift_of("x", np.array(then, dtype=float), np.array(then, dtype=float))
    assert (same.psi, same.verdict) == (pytest.approx(0), "steady")


@given(st.permutations(list(range(60))))
@settings(max_examples=20, deadline=None)
def test_the_order_of_rows_changes_nothing(order):
    then, now = normal(60), normal(60, seed=1)
    assert drift_of("x", then[order], now) == drift_of("x", then, now)


def page(now, *, score_shift=0.0):
    then = pd.DataFrame({"logins": normal(900), "country": ["DE", "FR", "US"] * 300})
    return compare(
        then,
        now,
        scores=(normal(900, seed=5), normal(len(now), seed=6, shift=score_shift)),
        columns={"logins": "portal logins", "country": "country"},
        slices={
            "country": [("DE", (then["country"] == "DE").to_numpy(), (now["country"] == "DE").to_numpy())]
        },
    )


def frame(count=300, **changes):
    return pd.DataFrame(
        {"logins": normal(count, seed=2), "country": ["DE", "FR", "US"] * (count // 3), **changes}
    )


def test_what_to_do_follows_from_what_moved():
    assert page(frame()).advice == ("Nothing to do: what the model sees is what it was trained on.",)
    gone = page(frame(logins=np.nan)).advice
    assert gone[0].startswith("Look at the source of “portal logins”")
    new = page(frame(country="BR")).advice
    assert new[0].startswith("Look at the mapping of “country”")
    harmless = page(frame(logins=normal(300, seed=2, shift=2))).advice
    assert "the scores did not" in harmless[0]
    assert "train a new version" in page(frame(), score_shift=2).advice[-1]
    assert page(frame(30)).advice[0].startswith("Wait for more rows: 900 then and 30 now")


def test_the_column_that_moved_most_comes_first_and_parts_are_compared_by_score():
    found = page(frame(country="BR"))
    assert [d.name for d in found.features] == ["country", "logins"]
    (column, level, drift), = page(frame()).slices  # fmt: skip
    assert (column, level, drift.n_then, drift.n_now) == ("country", "DE", 300, 100)
