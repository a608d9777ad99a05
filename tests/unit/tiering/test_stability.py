"""Tiers do not flicker: bounds, patience, protection, and one step at a time."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.tiering.replay import chance, follow, remember, restlessness, unsteady
from models.tiering.stability import Memory, review, smoothed
from tests.unit.tiering.cards import card, policy

COURSES = st.lists(st.floats(0, 1), min_size=2, max_size=16)


def cards(shares):
    return [card(s) for s in shares]


def test_a_promotion_needs_the_lower_bound_above_the_cut():
    rules = policy()
    sure = card(0.6)
    wide = replace(sure, low=sure.total - 15)
    assert review(rules, 1, sure, Memory()).change == "promote"
    assert review(rules, 1, wide, Memory()).change == "keep"


def test_a_demotion_comes_only_in_the_second_review_below():
    rules, poor = policy(), card(0.35)
    first = review(rules, 2, poor, Memory())
    second = review(rules, 2, poor, first.memory)
    assert (first.change, first.level, first.below) == ("watch", 2, 1)
    assert (second.change, second.level, second.below) == ("demote", 1, 2)


def test_one_good_review_between_two_bad_ones_starts_the_count_anew():
    rules, poor, rich = policy(), card(0.2), card(1.0)
    memory = review(rules, 2, poor, Memory()).memory
    memory = review(rules, 2, rich, memory).memory
    assert memory.below == 0


def test_nobody_is_demoted_within_two_reviews_of_a_promotion():
    rules, poor = policy(), card(0.05)
    memory = Memory(since_promotion=0)
    changes = []
    for _ in range(4):
        verdict = review(rules, 2, poor, memory)
        changes.append(verdict.change)
        memory = verdict.memory
    assert changes[:2] == ["watch", "watch"]
    assert changes[2] == "demote"


def test_points_are_averaged_over_the_window():
    assert smoothed([10, 20, 30, 40, 50], 4) == 35
    assert smoothed([10], 4) == 10


@given(COURSES)
@settings(max_examples=80, deadline=None)
def test_a_review_moves_at_most_one_tier_and_never_beyond_the_ends(shares):
    rules = policy()
    course = follow(rules, cards(shares))
    levels = [*course.held, course.level]
    assert np.abs(np.diff(levels)).max() <= 1
    assert 0 <= min(levels) <= max(levels) < len(rules.tiers)


@given(COURSES)
@settings(max_examples=80, deadline=None)
def test_a_demotion_never_follows_a_promotion_within_the_protection(shares):
    rules = policy()
    changes = [v.change for v in follow(rules, cards(shares)).verdicts]
    for k, change in enumerate(changes):
        if change == "demote":
            assert "promote" not in changes[max(0, k - rules.stability.protected_periods) : k]


@given(st.floats(0, 1), st.integers(2, 12), st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_a_partner_that_does_not_change_comes_to_rest(share, reviews, start):
    course = follow(policy(), cards([share] * (reviews + 12)), start=start)
    assert {v.change for v in course.verdicts[-4:]} <= {"keep"}


@given(COURSES)
@settings(max_examples=60, deadline=None)
def test_the_memory_of_followed_reviews_is_the_memory_on_record(shares):
    rules = policy()
    course = follow(rules, cards(shares))
    told = remember(rules, course.cards, held=course.held)
    last = course.verdicts[-1]
    assert told.points == last.memory.points
    assert told.below == last.below


def test_noise_about_a_cut_changes_tiers_far_less_often():
    rules = policy()
    rng = np.random.default_rng(3)
    base = rng.uniform(0.2, 0.9, 120)
    courses = {f"p{k}": cards(np.clip(b + rng.normal(0, 0.06, 12), 0, 1)) for k, b in enumerate(base)}
    plain = restlessness({p: unsteady(rules, c) for p, c in courses.items()})
    held = {p: follow(rules, c) for p, c in courses.items()}
    steady = restlessness({p: (*c.held, c.level)[1:] for p, c in held.items()})
    assert steady.changes <= 0.5 * plain.changes
    assert steady.reversals <= 0.3 * plain.reversals


def test_restlessness_by_hand():
    found = restlessness({"a": [0, 1, 0, 0, 1], "b": [2, 2, 2], "c": [0, 1, 1, 1, 1, 1, 0]})
    assert (found.changes, found.reversals, found.reviews) == (5, 2, 12)


def test_the_chance_is_how_often_others_as_near_got_there():
    cases = [(float(k % 20), False, k % 20 < 5) for k in range(400)]
    assert chance(1.0, False, cases) > 0.9
    assert chance(15.0, False, cases) < 0.1
    assert chance(1.0, True, cases) is None


@pytest.mark.parametrize("rises", [True, False])
def test_reviews_do_not_depend_on_more_history_than_the_window(rises):
    rules = policy()
    long = [0.1 if rises else 0.9] * 8 + [0.5] * 4
    a = remember(rules, cards(long), held=[1] * 12)
    b = remember(rules, cards(long[-4:]), held=[1] * 4)
    assert a.points == b.points
