"""Planted leaks are named; honest columns are not."""

import numpy as np
import pandas as pd
import pytest

from evaluation.leaks import find_suspects


@pytest.fixture
def world():
    rng = np.random.default_rng(0)
    n = 1500
    x = rng.normal(size=(n, 4))
    y = (rng.random(n) < 1 / (1 + np.exp(1 - x[:, 0] - 0.5 * x[:, 1]))).astype(float)
    frame = pd.DataFrame(x, columns=["recency", "count", "noise", "size"])
    frame["country"] = rng.choice(["DE", "FR", None], n)
    return frame, y, np.arange(n), rng


def names(found):
    return [s.column for s in found]


def test_honest_columns_are_not_suspected(world):
    frame, y, groups, _ = world
    assert find_suspects(frame, y, groups=groups) == ()


def test_a_copy_of_the_outcome_with_errors_is_suspected(world):
    frame, y, groups, rng = world
    frame["closed_flag"] = np.where(rng.random(y.size) < 0.05, 1 - y, y)
    found = find_suspects(frame, y, groups=groups)
    assert names(found) == ["closed_flag"]
    assert "too good to be true" in found[0].why


def test_a_column_far_above_the_rest_is_suspected(world):
    frame, y, groups, rng = world
    frame["stage"] = y * 2 + rng.normal(size=y.size)
    assert names(find_suspects(frame, y, groups=groups)) == ["stage"]


def test_gaps_that_tell_the_outcome_are_suspected_in_ready_made_columns_only(world):
    frame, y, groups, rng = world
    frame["exit_interview_score"] = np.where(
        (y == 1) & (rng.random(y.size) < 0.5), rng.normal(size=y.size), np.nan
    )
    assert names(find_suspects(frame, y, groups=groups)) == ["exit_interview_score"]
    assert find_suspects(frame, y, groups=groups, built_here=True) == ()


def test_a_value_that_occurs_only_beside_one_outcome_is_named(world):
    frame, y, groups, rng = world
    after = (y == 1) & (rng.random(y.size) < 0.3)
    frame["tag"] = np.where(after, "win-back call", rng.choice(["a", "b", "c"], y.size))
    (found,) = find_suspects(frame, y, groups=groups)
    assert found.column == "tag"
    assert "win-back call" in found.why


def test_a_confirmed_column_is_listed_but_cleared(world):
    frame, y, groups, _ = world
    frame["flag"] = y
    (found,) = find_suspects(frame, y, groups=groups, confirmed=("flag",))
    assert found.confirmed


def test_an_identifier_is_not_mistaken_for_a_leak(world):
    frame, y, groups, _ = world
    frame["name"] = [f"Company {k}" for k in range(y.size)]
    assert find_suspects(frame, y, groups=groups) == ()


def test_with_few_events_nothing_is_claimed(world):
    frame, _, groups, _ = world
    y = np.zeros(groups.size)
    y[:5] = 1
    frame["flag"] = y
    assert find_suspects(frame, y, groups=groups) == ()


def test_lags_of_a_strong_column_are_not_held_against_it(world):
    frame, y, groups, rng = world
    frame["signal"] = y * 2 + rng.normal(size=y.size)
    frame["signal_lag1"] = frame["signal"] + rng.normal(size=y.size) * 0.3
    alone = find_suspects(frame, y, groups=groups, factors={"signal_lag1": "signal"})
    assert "signal" in names(alone)


def test_of_features_built_here_those_that_nothing_dates_are_looked_at_as_ready_made(world):
    frame, y, groups, rng = world
    left = (y == 1) & (rng.random(y.size) < 0.4)
    frame["partner_type"] = np.where(left, "former", rng.choice(["reseller", "referral"], y.size))
    given = {"groups": groups, "built_here": True}
    assert find_suspects(frame, y, **given) == ()
    found = find_suspects(frame, y, **given, undated={"partner_type"})
    assert names(found) == ["partner_type"]
    assert "'former'" in found[0].why
