"""Peer benchmarks under attack: small groups, large members, differences of releases, colluding peers."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.benchmarks import (
    RATIO,
    Peer,
    Release,
    band,
    edges,
    group_of,
    percentile,
    release,
    rules_for,
)

VALUES = st.floats(1, 1e7)
KINDS = ("money", "count", "share", "score")


def peers(values, *, kind="reseller", size="small", region="North", prefix="p"):
    traits = {"type": kind, "size": size, "region": region}
    return [Peer(f"{prefix}{n:03}", v, traits) for n, v in enumerate(values)]


def changed(found, **values):
    return [replace(p, value=values.get(p.partner_id, p.value)) for p in found]


def test_a_group_under_five_or_of_money_under_ten_is_withheld():
    assert release(peers([3.0] * 4), "count").published == {}
    assert () in release(peers([3.0] * 5), "count").published
    assert release(peers([3.0] * 9), "money").published == {}
    assert () in release(peers([3.0] * 10), "money").published


def test_a_group_in_which_one_has_more_than_a_quarter_of_the_money_is_withheld():
    even = [100.0] * 12
    assert () in release(peers(even), "money").published
    assert release(peers([*even[:-1], 400.0]), "money").published == {}


@given(st.lists(VALUES, min_size=10, max_size=25), st.integers(0, 9), VALUES)
@settings(max_examples=120, deadline=None)
def test_all_but_one_who_collude_learn_no_more_than_a_band(values, victim, guess):
    """Whatever the victim's figure in its band is, everything published stays the same to the last digit."""
    truth = peers(values)
    low, high = edges(band(values[victim], "money"), "money")
    assert high / low >= RATIO - 1e-9
    inside = min(max(low + (high - low) * (guess / 1e7), low), high * (1 - 1e-9))
    other = changed(truth, **{f"p{victim:03}": inside})
    assert release(truth, "money").published == release(other, "money").published


@pytest.mark.parametrize("kind", KINDS)
@given(value=st.floats(0, 1e6))
@settings(max_examples=60, deadline=None)
def test_every_figure_lies_in_its_band_and_bands_are_wide(kind, value):
    value = value if kind in ("money", "count") else value / 1e6
    low, high = edges(band(value, kind), kind)
    assert low - 1e-6 <= value < high + 1e-6
    least = {"money": 0.2 * low, "count": 2, "share": 0.05, "score": 0.5}[kind]
    assert high - low >= least - 1e-9


@given(st.lists(st.floats(0, 1e6), min_size=2, max_size=2), st.sampled_from(KINDS))
@settings(max_examples=80, deadline=None)
def test_bands_are_in_the_order_of_figures(pair, kind):
    low, high = sorted(pair)
    assert band(low, kind) <= band(high, kind)


def test_the_difference_of_two_releases_tells_of_nobody():
    first = release(peers([100.0] * 12), "money")
    joined = [*peers([100.0] * 12), *peers([9_999.0], prefix="new")]
    second = release(joined, "money", before=first)
    assert second.published == first.published
    left = release(peers([100.0] * 11), "money", before=first)
    assert left.published == first.published
    moved = release(changed(peers([100.0] * 12), p003=140.0), "money", before=first)
    assert moved.published == first.published


def test_when_enough_members_changed_a_group_is_published_anew():
    first = release(peers([100.0] * 12), "money")
    many = release(peers([100.0] * 2 + [150.0] * 10), "money", before=first)
    assert many.published[()].quarters[1] > first.published[()].quarters[1]


def test_small_changes_add_up_against_what_was_last_published():
    found = release(peers([100.0] * 12), "money")
    values = [100.0] * 12
    for k in range(12):
        values[k] = 200.0
        found = release(peers(values), "money", before=found)
        if k < 9:
            assert found.published[()].quarters[1] < 150, "each step alone would tell of one member"
    assert found.published[()].quarters[1] > 150


@given(st.lists(st.tuples(st.integers(0, 19), st.floats(10, 1000)), min_size=1, max_size=6))
@settings(max_examples=80, deadline=None)
def test_whatever_a_few_members_do_the_next_release_is_the_same_or_the_group_changed_enough(moves):
    first = release(peers([100.0 + n for n in range(20)]), "money")
    after = {f"p{n:03}": v for n, v in moves}
    second = release(changed(peers([100.0 + n for n in range(20)]), **after), "money", before=first)
    changes = {p for p, b in second.basis[()].items() if first.basis[()].get(p) != b}
    assert not changes or len(changes) >= rules_for("money").least


def test_a_withheld_part_cannot_be_worked_out_from_the_whole_and_the_other_part():
    whole = [*peers([5.0] * 8), *peers([7.0] * 3, kind="integrator", prefix="q")]
    found = release(whole, "count")
    assert () in found.published
    assert ("integrator",) not in found.published
    assert ("reseller",) not in found.published, "all less resellers would be the three integrators"


def test_of_three_parts_only_as_many_are_withheld_as_needed():
    whole = [
        *peers([5.0] * 8),
        *peers([7.0] * 3, kind="integrator", prefix="q"),
        *peers([7.0] * 20, kind="distributor", prefix="r"),
    ]
    found = release(whole, "count")
    assert ("distributor",) in found.published
    assert ("reseller",) not in found.published


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 2)), min_size=5, max_size=60))
@settings(max_examples=100, deadline=None)
def test_no_published_whole_leaves_a_remainder_that_is_too_small(traits):
    whole = [
        Peer(f"p{n:03}", 5.0, {"type": f"t{a}", "size": f"s{b}", "region": f"r{c}"})
        for n, (a, b, c) in enumerate(traits)
    ]
    found = release(whole, "count")
    groups = found.basis
    for g in found.published:
        parts = [c for c in groups if len(c) == len(g) + 1 and c[: len(g)] == g]
        hidden = [p for c in parts if c not in found.published for p in groups[c]]
        shown = [c for c in parts if c in found.published]
        assert not shown or not hidden or len(hidden) >= 5
        assert len(groups[g]) >= 5


def test_a_parent_does_not_tell_of_a_held_part():
    old = [*peers([5.0] * 10), *peers([5.0] * 10, kind="integrator", prefix="q")]
    first = release(old, "count")
    new = changed(old, q000=50.0, **{f"p{n:03}": 50.0 for n in range(10)})
    second = release(new, "count", before=first)
    assert second.published[("integrator",)] == first.published[("integrator",)]
    assert second.published[()] == first.published[()], "all less resellers would tell of q000"
    assert second.published[("reseller",)] != first.published[("reseller",)]


def test_a_group_does_not_vanish_because_one_member_of_another_grew_beyond_measure():
    old = [*peers([100.0] * 12), *peers([100.0] * 12, kind="integrator", prefix="q")]
    first = release(old, "money")
    second = release(changed(old, q000=1e7), "money", before=first)
    assert second.published == first.published


def test_a_partner_is_compared_in_its_smallest_published_group():
    whole = [*peers([float(n) for n in range(30)]), *peers([4.0] * 2, kind="integrator", prefix="q")]
    found = release(whole, "count")
    assert group_of({"type": "reseller", "size": "small", "region": "North"}, found) == ()
    more = [*whole, *peers([4.0] * 4, kind="integrator", prefix="z")]
    found = release(more, "count")
    assert group_of(more[0].traits, found) == ("reseller", "small", "North")
    assert group_of({"type": "nobody"}, found) == ()
    assert group_of({"type": "reseller"}, Release("count")) is None


def test_percentiles_are_coarse_and_right():
    whole = peers([float(10 * n) for n in range(40)])
    found = release(whole, "count")
    assert percentile("p000", (), found) == 0
    assert percentile("p039", (), found) in (90, 100)
    assert percentile("p020", (), found) in (40, 50, 60)
    assert all(percentile(p.partner_id, (), found) % 10 == 0 for p in whole)


def test_who_moves_its_own_figure_and_asks_again_learns_nothing():
    whole = peers([float(10 * n) for n in range(40)])
    first = release(whole, "count")
    asked = {
        percentile("p003", (), release(changed(whole, p003=v), "count", before=first)) for v in (0, 90, 500)
    }
    assert len(asked) == 1
    assert percentile("stranger", (), first) is None


@given(st.permutations(list(range(14))))
@settings(max_examples=20, deadline=None)
def test_the_order_of_partners_changes_nothing(order):
    whole = peers([50.0 + n for n in range(14)])
    assert release([whole[k] for k in order], "money") == release(whole, "money")
