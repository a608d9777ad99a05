"""Why a score moved, where it is heading, what would change it, and how new partners begin."""

from __future__ import annotations

import itertools
from datetime import date, timedelta

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from models.churn.actions import levers, recompute
from models.counterfactual import Lever, find_plan
from models.health_change import PARTS, Point, Steps, moved_most, trend
from models.onboarding import CHECKPOINTS, MILESTONES, fit_onboarding

POINTS = st.floats(-200, 200, allow_nan=False)
TODAY = date(2026, 11, 2)


@given(st.tuples(POINTS, POINTS, POINTS, POINTS, POINTS))
def test_the_parts_of_a_change_add_up(values: tuple[float, ...]) -> None:
    steps = Steps(*(np.array([v]) for v in values))
    parts = steps.parts()
    assert tuple(parts) == PARTS
    assert abs(sum(p[0] for p in parts.values()) - (values[4] - values[0])) < 1e-9


def test_a_new_model_on_the_same_partner_is_no_behaviour() -> None:
    same = np.array([40.0])
    parts = Steps(np.array([62.0]), same, same, same, same).parts()
    assert {k: v[0] for k, v in parts.items() if v[0]} == {"model_change": -22.0}


def test_what_moved_most_is_told_with_its_values() -> None:
    found = moved_most(
        ["logins", "deals", "country"], {"logins": 22.0, "deals": 1.0}.get, {"logins": 3.0, "deals": 1.0}.get,
        [4.0, 1.0, 0.0], [-9.0, 1.0, 0.0],
    )  # fmt: skip
    assert [(m.feature, m.before, m.after, m.points) for m in found] == [("logins", 22.0, 3.0, -13.0)]


def points(*scores: float, aside: float = 0.0) -> list[Point]:
    start = TODAY - timedelta(days=7 * (len(scores) - 1))
    return [
        Point(start + timedelta(days=7 * i), s, aside if i == len(scores) - 1 else 0.0)
        for i, s in enumerate(scores)
    ]


def test_a_trend_needs_two_weeks() -> None:
    assert trend(points(70, 20)) == "not_enough_information"
    assert trend([]) == "not_enough_information"


def test_a_trend_is_what_the_partner_did_over_a_month() -> None:
    assert trend(points(70, 65, 60, 55, 50, 48)) == "declining"
    assert trend(points(50, 52, 51, 53, 52, 53)) == "steady"
    assert trend(points(40, 42, 45, 50, 52, 55)) == "improving"


def test_a_new_model_makes_no_trend() -> None:
    assert trend(points(60, 60, 60, 60, 60, 30, aside=-30)) == "steady"


@given(st.permutations(points(70, 65, 60, 55, 50, 48)))
def test_a_trend_does_not_depend_on_the_order_of_points(shuffled: list[Point]) -> None:
    assert trend(shuffled) == "declining"


LEVERS = [
    Lever("a", (1, 2, 5), "{amount} a"),
    Lever("b", (1, 3, 6), "{amount} b"),
    Lever("c", (1,), "{amount} c"),
]


def plan(row: dict[str, float], target: float, **weights: float) -> object:
    def apply(old: dict[str, float], actions: dict[str, float]) -> dict[str, float]:
        return {k: v + actions.get(k, 0.0) for k, v in old.items()}

    def score(rows: list[dict[str, float]]) -> np.ndarray:
        return np.array([sum(weights[k] * v for k, v in r.items()) for r in rows])

    return find_plan(row, LEVERS, recompute=apply, score=score, target=target)


def test_the_least_that_reaches_the_target_is_proposed() -> None:
    found = plan({"a": 0, "b": 0, "c": 0}, -2.5, a=-1, b=-1, c=-1)
    assert (found.actions, found.sentences, found.reaches) == ({"b": 3}, ("3 b",), True)


def test_two_actions_where_one_does_not_reach() -> None:
    found = plan({"a": 0, "b": 0, "c": 0}, -6.5, a=-1, b=-1, c=-1)
    assert len(found.actions) == 2
    assert found.reaches
    assert found.after < -6.5


def test_the_nearest_where_nothing_reaches_and_none_where_nothing_helps() -> None:
    found = plan({"a": 0, "b": 0, "c": 0}, -100, a=-1, b=-1, c=-1)
    assert (found.actions, found.reaches) == ({"a": 5, "b": 6}, False)
    assert plan({"a": 0, "b": 0, "c": 0}, -100, a=1, b=1, c=0) is None


@given(st.floats(-9, 0), st.lists(st.floats(-2, 2), min_size=3, max_size=3))
def test_a_plan_never_claims_what_scoring_again_does_not_give(target: float, weights: list[float]) -> None:
    named = dict(zip("abc", weights, strict=True))
    found = plan({"a": 0, "b": 0, "c": 0}, target, **named)
    if found is not None:
        assert abs(found.after - sum(named[k] * v for k, v in found.actions.items())) < 1e-12
        assert found.reaches == (found.after < target)
        assert len(found.actions) <= 2


def test_more_logins_move_every_feature_that_counts_them() -> None:
    row = {
        "login_count_7d": 0.0, "login_count_30d": 3.0, "login_count_90d": 30.0, "event_count_30d": 4.0,
        "days_since_last_login": 21.0, "active_days_30d": 2.0, "login_trend": -1.0,
        "registered_count_90d": 1.0,
        "days_since_last_event": float("nan"),
    }  # fmt: skip
    after = recompute(row, {"logins": 8})
    assert after["login_count_30d"] == 11
    assert after["login_count_90d"] == 38
    assert abs(after["login_count_7d"] - 8 * 7 / 30) < 1e-9
    assert after["event_count_30d"] == 12
    assert after["active_days_30d"] == 10
    assert after["days_since_last_login"] < 4
    assert after["days_since_last_event"] < 4
    assert abs(after["login_trend"] - np.log(12 / (38 / 3 + 1))) < 1e-12
    assert after["registered_count_90d"] == 1.0
    assert row["login_count_30d"] == 3.0


def test_no_more_is_asked_than_one_partner_in_ten_does_in_a_month() -> None:
    rows = pd.DataFrame({"login_count_30d": np.arange(10.0), "meeting_count_90d": np.arange(10.0)})
    amounts = {lever.name: lever.amounts for lever in levers(rows)}
    assert amounts == {"logins": (1, 2, 3, 5, 8), "meetings": (1, 2)}


def beginnings(count: int, *, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({m: np.where(rng.random(count) < 0.6, rng.uniform(0, 120, count), np.nan)
                          for m in MILESTONES})  # fmt: skip
    ready = frame.notna().sum(axis=1)
    frame["first_deal"] = np.where(
        rng.random(count) < 0.15 + 0.15 * ready, rng.uniform(10, 90, count), np.nan
    )
    return frame


@given(st.integers(30, 200), st.integers(0, 5))
def test_more_milestones_never_give_a_smaller_chance(count: int, seed: int) -> None:
    fitted = fit_onboarding(beginnings(count, seed=seed))
    for checkpoint in CHECKPOINTS:
        chances = fitted.chance[checkpoint]
        assert all(a <= b + 1e-12 for a, b in itertools.pairwise(chances))
        assert all(0 <= c <= 1 for c in chances)


def test_too_few_earlier_partners_give_no_chance() -> None:
    assert fit_onboarding(beginnings(10, seed=1)).of(20, 2) is None
    assert fit_onboarding(beginnings(200, seed=1)).of(95, 2) is None
    chance = fit_onboarding(beginnings(400, seed=1)).of(20, 2)
    assert chance is not None
    assert 0.2 < chance < 0.9


def test_one_of_something_is_said_as_one() -> None:
    lever = Lever("logins", (1, 3), "{amount} more portal {login|logins} in a month")
    assert lever.said(1.0) == "1 more portal login in a month"
    assert lever.said(3.0) == "3 more portal logins in a month"
    rows = pd.DataFrame({"login_count_30d": np.arange(10.0), "certifications_active_count": np.arange(10.0)})
    assert {lever.said(1.0) for lever in levers(rows)} == {
        "1 more portal login in a month",
        "1 more valid certification",
    }
