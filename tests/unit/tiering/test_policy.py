"""Policies are data: two templates, checked when read; points rise steadily; no figure is a cliff."""

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import ConfigError
from models.tiering.gap import Need, gap_to_next, needs_for, needs_to_keep
from models.tiering.points import Potential, grade, opens, reached
from models.tiering.policy import CATEGORIES, POTENTIAL, TierPolicy, parse_policy, read_policy, templates
from models.tiering.stability import Memory, review
from tests.unit.tiering.cards import card, partner, policy

NAMES = ("balanced_scorecard", "points_programme")
SHARES = st.floats(0, 1)


def test_two_templates_are_shipped():
    assert tuple(templates()) == NAMES


def test_the_balanced_scorecard_has_five_categories_and_gates():
    rules = policy()
    assert tuple(rules.categories) == CATEGORIES
    assert rules.uses_potential
    assert any(t.gates for t in rules.tiers)


def test_the_points_programme_is_passed_at_70_with_something_in_every_category():
    rules = policy("points_programme")
    assert [t.cut for t in rules.tiers] == [0, 70]
    assert rules.tiers[1].every_category_above == 0
    rich = card(0.9, rules=rules, won_amount_usd_365d=0.0, won_count_365d=0.0)
    assert empty(rich) == ["performance"]
    assert reached(rules, 95.0, rich) == 0
    assert reached(rules, 70.0, card(0.9, rules=rules)) == 1
    assert reached(rules, 69.999, card(0.9, rules=rules)) == 0


def empty(found):
    return [c for c, (points, _) in found.categories.items() if points <= 0]


@pytest.mark.parametrize("name", NAMES)
def test_a_policy_survives_the_database(name):
    rules = policy(name)
    assert parse_policy(rules.to_json()) == rules


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"tiers": [{"name": "a", "cut": 0}]}, "at least 2"),
        ({"tiers": [{"name": "a", "cut": 0}, {"name": "b", "cut": 0}]}, "then rising"),
        ({"tiers": [{"name": "a", "cut": 0}, {"name": "a", "cut": 50}]}, "share a name"),
        ({"categories": {"luck": []}}, "categories.luck"),
        ({"stability": {"demote_after_periods": 0}}, "demote_after_periods"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_policy_that_cannot_work_is_refused_with_its_place(change, told):
    with pytest.raises(ConfigError, match=told):
        parse_policy({**policy().to_json(), **change})


def test_points_must_sum_to_100():
    value = policy().to_json()
    value["categories"]["performance"][0]["points"] = 30
    with pytest.raises(ConfigError, match="points sum to 108"):
        parse_policy(value)


def test_a_policy_is_read_from_a_file_of_the_workspace(tmp_path):
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(policy().to_json()))
    assert read_policy("mine.yaml", base=tmp_path) == policy()
    with pytest.raises(ConfigError, match="no tier policy"):
        read_policy("theirs.yaml", base=tmp_path)
    (tmp_path / "bad.yaml").write_text("- 1\n")
    with pytest.raises(ConfigError, match="holds no policy"):
        read_policy("bad.yaml", base=tmp_path)


@given(st.lists(SHARES, min_size=12, max_size=12))
@settings(max_examples=60, deadline=None)
def test_points_lie_between_0_and_100_and_categories_add_up(shares):
    found = mixed(shares)
    assert 0 <= found.low <= found.total + 1e-9 <= found.high + 2e-9 <= 100 + 1e-6
    assert sum(p for p, _ in found.categories.values()) == pytest.approx(found.total)
    assert all(0 <= p <= of + 1e-9 for p, of in found.categories.values())


def mixed(shares, **changes):
    rules = policy()
    row, potential = {}, Potential()
    for m, share in zip(rules.measures, shares, strict=False):
        value = m.low + share * (m.high - m.low)
        if m.feature == POTENTIAL:
            potential = Potential(value, 0.9 * value, 1.1 * value)
        else:
            row[m.feature] = value
    return grade(rules, {"employee_count": 100.0, **row, **changes}, potential)


@given(st.lists(SHARES, min_size=12, max_size=12), st.integers(0, 9), st.floats(0, 1), st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_more_of_anything_never_lowers_points_or_tier(shares, which, a, b):
    rules = policy()
    which %= len(rules.measures)
    worse, better = sorted((a, b))
    low = mixed([*shares[:which], worse, *shares[which + 1 :]])
    high = mixed([*shares[:which], better, *shares[which + 1 :]])
    assert high.total >= low.total - 1e-9
    assert reached(rules, high.total, high) >= reached(rules, low.total, low)


@pytest.mark.parametrize("name", NAMES)
def test_no_figure_is_a_cliff(name):
    """Walks every measure and every gate through all its values in small steps."""
    rules = policy(name)
    memory = Memory((60.0,) * 3, (60.0,) * 3)
    walked = [(m.feature, m.low, m.high) for m in rules.measures if m.feature != POTENTIAL]
    walked += [(g.feature, 0.0, 2 * g.least) for t in rules.tiers for g in t.gates]
    for feature, low, high in walked:
        steps = np.linspace(low - 0.1 * abs(high - low), high + 0.1 * abs(high - low), 400)
        cards = [card(0.62, rules=rules, **{feature: float(v)}) for v in steps]
        jumps = np.abs(np.diff([c.total for c in cards]))
        earned = sum(m.points for m in rules.measures if m.feature == feature)
        assert jumps.max() <= earned / 300 + 1e-9
        for held in range(len(rules.tiers)):
            levels = [review(rules, held, c, memory).level for c in cards]
            assert min(levels) >= held, "one review alone demotes nobody"
            assert max(levels) <= held + 1
            assert np.abs(np.diff(levels)).max() <= 1


def test_the_potential_is_no_cliff_either():
    cards = [card(0.6, potential_usd=float(v)) for v in np.linspace(0, 1_500_000, 400)]
    assert np.abs(np.diff([c.total for c in cards])).max() <= 0.2
    assert np.abs(np.diff([c.low for c in cards])).max() <= 0.2


def test_missing_figures_earn_half_and_gates_that_are_not_known_are_not_passed():
    blank = grade(policy(), {}, Potential())
    assert blank.total == pytest.approx(50.0)
    assert not opens(policy().tiers[2], blank)
    (need, *_) = needs_for(policy(), 2, blank, 90.0)
    assert (need.kind, need.have, need.need) == ("gate", None, 1.0)


def test_figures_are_divided_by_size():
    small, large = (card(0.5, size=s, won_amount_usd_365d=300_000.0) for s in (20.0, 2_000.0))
    assert small.categories["performance"][0] > large.categories["performance"][0]


def test_the_gap_says_gates_first_and_each_way_closes_it_alone():
    rules = policy()
    poor = card(0.72, certified_users_count=0.0)
    verdict = review(rules, 2, poor, Memory())
    needs = gap_to_next(rules, 2, poor, verdict)
    assert [n.kind for n in needs][:2] == ["gate", "points"]
    assert needs[0].words == "2 people: Certified people"
    ways = [n for n in needs if n.kind == "any_of"]
    row, potential = partner(0.72, certified_users_count=0.0)
    assert ways
    for way in ways:
        after = grade(rules, {**row, way.requirement: way.need}, potential)
        assert after.total - poor.total >= rules.tiers[3].cut - verdict.low - 1e-6


def test_where_no_figure_alone_is_enough_several_are_named_together():
    rules, poor = policy(), card(0.55)
    verdict = review(rules, 2, poor, Memory())
    together = [n for n in gap_to_next(rules, 2, poor, verdict) if n.kind == "all_of"]
    row, potential = partner(0.55)
    after = grade(rules, {**row, **{n.requirement: n.need for n in together}}, potential)
    assert len(together) > 1
    assert after.total - poor.total >= rules.tiers[3].cut - verdict.low - 1e-6


def test_there_is_no_gap_at_the_top_and_nothing_to_keep_at_the_bottom():
    rules, rich = policy(), card(1.0)
    verdict = review(rules, 3, rich, Memory())
    assert gap_to_next(rules, 3, rich, verdict) == ()
    assert needs_to_keep(rules, 3, rich, verdict) == ()
    assert needs_to_keep(rules, 0, card(0.0), review(rules, 0, card(0.0), Memory())) == ()


def test_a_tier_that_is_no_longer_in_the_policy_counts_as_the_lowest():
    assert policy().level("Gold") == 2
    assert policy().level("diamond") == policy().level(None) == 0


@pytest.mark.parametrize("count", [2, 3, 7])
def test_two_to_many_tiers_work(count):
    cuts = np.linspace(0, 90, count)
    tiers = [{"name": f"t{k}", "cut": float(c)} for k, c in enumerate(cuts)]
    rules = TierPolicy.model_validate({**policy().to_json(), "tiers": tiers})
    assert reached(rules, 100.0, card(1.0)) == count - 1


def test_a_small_gap_is_not_rounded_away():
    assert (
        Need("points", "points", "Points for gold", 47.6, 48.0, "points").words
        == "0.4 points: Points for gold"
    )
    assert Need("gate", "x", "Certified people", 1.0, 2.0, "people").words == "1 person: Certified people"
    assert Need("gate", "x", "Deals", None, 1.0, "deals").words == "1 deal: Deals"
