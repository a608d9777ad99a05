"""Another policy's value from a log: true where it can be known, refused in words where it cannot."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.offpolicy import Decisions, judge_policy
from evaluation.rewards import Rewards, cross_fit
from evaluation.support import MEANINGS, SupportSettings, refusal, support_of
from tests.unit.evaluation.bandit import logged


def test_intervals_hold_the_true_value_as_often_as_they_say() -> None:
    held = dict.fromkeys(("ips", "snips", "dr"), 0)
    for seed in range(120):
        decisions, truth = logged(600, seed=seed)
        found = judge_policy(decisions)
        for name in held:
            value = getattr(found, name)
            held[name] += value.low <= truth <= value.high
    assert min(held.values()) >= 0.90 * 120, held
    assert held["dr"] < 120


def test_the_doubly_robust_interval_is_the_narrower_one() -> None:
    decisions, _ = logged(3000, seed=1)
    found = judge_policy(decisions)
    assert found.dr.high - found.dr.low < 0.9 * (found.ips.high - found.ips.low)


@pytest.mark.parametrize("wrong", ["rewards", "propensities"])
def test_one_of_reward_model_and_propensities_may_be_wrong(wrong: str) -> None:
    decisions, truth = logged(40_000, seed=3, temperature=2.0)
    model = cross_fit(decisions)
    if wrong == "rewards":
        found = judge_policy(decisions, rewards=Rewards(model.chosen * 0 + 0.9, model.policy * 0 + 0.9))
        assert abs(found.dm.value - truth) > 0.1
    else:
        found = judge_policy(replace(decisions, propensity=np.minimum(decisions.propensity * 1.5, 1.0)))
        assert abs(found.ips.value - truth) > 0.1
    assert found.dr.value == pytest.approx(truth, abs=0.03)


def test_a_better_policy_is_found_better_and_a_worse_one_worse() -> None:
    good, _ = logged(3000, seed=5)
    assert judge_policy(good).answer == "better"
    worst = np.zeros((3000, 8))
    worst[np.arange(3000), good.features[:, 0].reshape(3000, 8).argmin(axis=1)] = 1.0
    assert judge_policy(replace(good, target=worst.ravel())).answer == "worse"


def test_a_log_judges_its_own_policy_by_what_happened() -> None:
    decisions, _ = logged(800, target="same")
    found = judge_policy(decisions)
    assert found.support.effective_size == pytest.approx(800)
    assert found.ips.value == pytest.approx(decisions.reward.mean())
    assert found.snips.value == pytest.approx(decisions.reward.mean())
    assert found.answer == "no_difference_shown"


def test_amounts_are_judged_like_wins() -> None:
    decisions, truth = logged(4000, amounts=True, temperature=2.0)
    found = judge_policy(decisions)
    assert found.dr.low < truth < found.dr.high
    assert found.answer == "better"


def test_a_log_without_chance_is_refused_in_words() -> None:
    decisions, _ = logged(temperature=0.0, explore=0.0)
    found = judge_policy(decisions)
    assert found.answer == "refused"
    assert found.refusal is not None
    assert found.refusal.code == "deterministic_log"
    assert found.refusal.message.startswith("No verdict: the log always chose the same way")
    assert "exploration_share" in found.refusal.next_step


def refused(decisions: Decisions) -> str | None:
    found = refusal(support_of(decisions))
    return found and found.code


def test_every_want_of_support_has_its_own_words() -> None:
    good, _ = logged(2000, seed=2)
    assert refused(good) is None
    assert refused(logged(60)[0]) == "few_decisions"
    assert refused(replace(good, propensity=np.full(2000, np.nan))) == "propensity_unknown"
    assert refused(logged(150, seed=2)[0]) == "thin_support"
    rare, _ = logged(2000, seed=2, temperature=0.15, explore=0.002)
    assert refused(rare) == "no_support"
    narrow = np.where(good.features[good.chosen, 0] > 0, good.propensity, np.nan)
    assert refused(replace(good, propensity=narrow)) == "propensity_unknown"
    heavy = good.propensity.copy()
    heavy[np.flatnonzero(good.target[good.chosen] > 0)[0]] = 1e-3
    loose = SupportSettings(least_effective=1.0)
    found = refusal(support_of(replace(good, propensity=heavy)), loose)
    assert found is not None
    assert found.code == "one_choice_decides"
    assert found.message.startswith(f"No verdict: {MEANINGS['one_choice_decides']}")


def test_partners_the_log_never_chose_are_no_support() -> None:
    decisions, _ = logged(3000, seed=4, temperature=3.0)
    rows = np.arange(3000)
    arm = decisions.chosen - rows * 8
    seen = arm < 4
    kept = np.flatnonzero(seen)
    pairs = np.isin(decisions.decision, kept)
    place = np.cumsum(seen) - 1
    part = Decisions(
        reward=decisions.reward[kept],
        propensity=decisions.propensity[kept],
        chosen=np.arange(kept.size) * 8 + arm[kept],
        cluster=np.arange(kept.size),
        decision=place[decisions.decision[pairs]],
        target=decisions.target[pairs],
        features=decisions.features[pairs],
    )
    even = replace(part, target=np.full(len(part.target), 1 / 8), propensity=np.full(kept.size, 1 / 4))
    assert refused(even) == "no_support"


def test_a_reward_model_has_not_seen_the_decision_it_predicts() -> None:
    decisions, _ = logged(400, seed=8)
    before = cross_fit(decisions)
    for row in (0, 17, 399):
        reward = decisions.reward.copy()
        reward[row] = 1 - reward[row]
        after = cross_fit(replace(decisions, reward=reward))
        assert after.chosen[row] == before.chosen[row]
        assert after.policy[row] == before.policy[row]
        assert (after.policy != before.policy).any()


def test_missing_features_and_an_empty_log_are_no_error() -> None:
    decisions, _ = logged(500)
    holes = decisions.features.copy()
    holes[::3, 0] = np.nan
    holes[:, 2] = np.nan
    assert np.isfinite(judge_policy(replace(decisions, features=holes)).dr.value)
    none = np.zeros(0)
    places = np.zeros(0, dtype=np.int64)
    empty = Decisions(none, none, places, places, places, none, np.zeros((0, 3)))
    found = judge_policy(empty)
    assert found.refusal is not None
    assert found.refusal.code == "few_decisions"


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), factor=st.floats(0.1, 50))
def test_estimates_do_not_depend_on_the_order_of_decisions_and_scale_with_rewards(
    seed: int, factor: float
) -> None:
    decisions, _ = logged(200, seed=3, arms=3)
    order = np.random.default_rng(seed).permutation(200)
    pairs = np.concatenate([np.arange(3) + 3 * i for i in order])
    moved = Decisions(
        reward=decisions.reward[order] * factor,
        propensity=decisions.propensity[order],
        chosen=decisions.chosen[order] - 3 * order + 3 * np.arange(200),
        cluster=order,
        decision=np.repeat(np.arange(200), 3),
        target=decisions.target[pairs],
        features=decisions.features[pairs],
    )
    model = cross_fit(decisions)
    shuffled = Rewards(model.chosen[order] * factor, model.policy[order] * factor)
    a, b = judge_policy(decisions, rewards=model), judge_policy(moved, rewards=shuffled)
    for name in ("ips", "snips", "dm", "dr", "gain"):
        x, y = getattr(a, name), getattr(b, name)
        assert [y.value, y.low, y.high] == pytest.approx([v * factor for v in (x.value, x.low, x.high)])
