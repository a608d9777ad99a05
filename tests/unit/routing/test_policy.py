"""The rules of routing: who may get a lead, who gets it, and with what probability."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.errors import InputError
from models.routing.businesstime import add_business_hours
from models.routing.chance import draw
from models.routing.choice import Choice, Exposure, choose
from models.routing.eligibility import CODES, Asked, counted, exclusions, received, why_nobody
from models.routing.lifecycle import StateError, answered, closed
from models.routing.policy import Band, Calendar, RoutingPolicy, read_policy
from models.routing.roster import Roster
from models.routing.rules import rule_points
from tests.unit.routing.rosters import LEAD, equals, roster, same, standing

NOW = datetime(2026, 11, 20, 9, 30)
DAY = NOW.date()
PLAIN = RoutingPolicy(exploration_share=0.0)


def codes_of(one: dict[str, Any], policy: RoutingPolicy = PLAIN, lead: Asked = LEAD, **given: Any) -> str:
    """The code of a single partner."""
    found = exclusions(policy, roster(one), lead, standing(**given), now=NOW)
    return CODES[int(found[0])]


@pytest.mark.parametrize(
    ("one", "policy", "given_standing", "code"),
    [
        ({}, {}, {}, ""),
        ({"ended": True}, {}, {}, "ended"),
        ({}, {"excluded_partners": ("P000",)}, {}, "excluded"),
        ({}, {}, {"opted_out": frozenset({"P000"})}, "opted_out"),
        ({}, {"excluded_pairs": (("P000", "ACME.example"),)}, {}, "conflict_of_interest"),
        ({"domain": "Acme.Example"}, {}, {}, "conflict_of_interest"),
        ({"territories": [["DE", "HE"]]}, {}, {}, "territory"),
        ({"territories": [["DE", "HE"], ["DE", "BY"]]}, {}, {}, ""),
        ({"territories": [["FR", ""]]}, {"require_territory": False}, {}, ""),
        ({"territories": []}, {}, {}, ""),
        ({}, {"product_types": {"cloud": ("integrator",)}}, {}, "product"),
        ({}, {"certifications": {"cloud": "Cloud Pro"}}, {}, "certification"),
        ({"certifications": ["Cloud Pro"]}, {"certifications": {"cloud": "Cloud Pro"}}, {}, ""),
        ({}, {}, {"paused": frozenset({"P000"})}, "paused"),
        ({}, {"rest_hours": 4}, {"last_offer": {"P000": NOW - timedelta(hours=3)}}, "resting"),
        ({}, {"rest_hours": 4}, {"last_offer": {"P000": NOW - timedelta(hours=5)}}, ""),
        ({}, {}, {"load": {"P000": 10}}, "no_capacity"),
        ({}, {}, {"load": {"P000": 10}, "capacity": {"P000": 11}}, ""),
        ({"capacity_count": None}, {"capacity_by_tier": {"silver": 1}}, {"load": {"P000": 1}}, "no_capacity"),
    ],
)  # fmt: skip
def test_each_rule_has_its_code(one: Any, policy: Any, given_standing: Any, code: str) -> None:
    assert codes_of(one, RoutingPolicy(**policy), **given_standing) == code


def test_who_had_the_lead_does_not_get_it_back() -> None:
    assert codes_of({}, lead=replace(LEAD, had=("P000",))) == "declined_before"


def test_with_only_busy_partners_in_the_way_the_code_is_no_capacity_else_no_eligible() -> None:
    busy = exclusions(PLAIN, equals(3), LEAD, standing(load={"P000": 10, "P001": 10}), now=NOW)
    assert counted(busy) == {"no_capacity": 2}
    assert why_nobody(busy[:2]) == "no_capacity"
    abroad = exclusions(PLAIN, roster({"territories": [["FR", ""]]}), LEAD, standing(), now=NOW)
    assert why_nobody(abroad) == "no_eligible"


def pick(who: Roster, gain: Any, policy: RoutingPolicy = PLAIN, *, lead: str = "L1", **more: Any) -> Choice:
    """Choose among all of them."""
    given_values: dict[str, Any] = {
        "day": DAY, "turn": 0, "explorable": True, "received": np.zeros(len(who), dtype=int),
        "exposure": Exposure.none(), **more,
    }  # fmt: skip
    codes = given_values.pop("codes", np.zeros(len(who), dtype=np.uint8))
    return choose(policy, who, codes, np.asarray(gain, dtype=float), lead_id=lead, **given_values)


def test_the_best_expected_gain_wins_and_is_certain_without_exploration() -> None:
    found = pick(equals(3), [0.1, 0.5, 0.3])
    assert (found.position, found.propensity, found.explored) == (1, 1.0, False)
    assert found.order.tolist() == [1, 2, 0]


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=8), st.data())
def test_nobody_excluded_is_ever_chosen_and_a_choice_has_a_probability(gain: Any, data: Any) -> None:
    codes = np.array(data.draw(st.lists(st.sampled_from([0, 5, 11]), min_size=len(gain), max_size=len(gain))))
    policy = RoutingPolicy(exploration_share=0.4)
    found = pick(equals(len(gain)), gain, policy, codes=codes.astype(np.uint8), lead=data.draw(st.text()))
    if found.position is None:
        assert found.code in {"no_eligible", "no_capacity"}
        assert (codes != 0).all()
    else:
        assert codes[found.position] == 0
        assert 0 < found.propensity <= 1
        assert sorted(found.order.tolist()) == np.flatnonzero(codes == 0).tolist()


def test_logged_probabilities_are_those_with_which_partners_are_drawn() -> None:
    policy = RoutingPolicy(exploration_share=0.3)
    who, gain, count = equals(4), [0.5, 0.5, 0.2, 0.1], 20_000
    found = [pick(who, gain, policy, lead=f"L{n}") for n in range(count)]
    drawn = Counter(f.position for f in found)
    told = {f.position: f.propensity for f in found}
    assert told == pytest.approx({0: 0.425, 1: 0.425, 2: 0.075, 3: 0.075})
    for position, propensity in told.items():
        sd = np.sqrt(propensity * (1 - propensity) / count)
        assert abs(drawn[position] / count - propensity) < 4 * sd


def test_a_valuable_lead_never_explores() -> None:
    policy = RoutingPolicy(exploration_share=0.5)
    found = [pick(equals(3), [0.9, 0.1, 0.1], policy, lead=f"L{n}", explorable=False) for n in range(50)]
    assert {(f.position, f.propensity) for f in found} == {(0, 1.0)}


def route_equal_leads(count: int, names: list[str], *, seed: int) -> Counter[str]:
    """Equal leads one after another over equal partners that were created in the order of `names`."""
    who = roster(*({"partner_id": n} for n in names))
    policy = RoutingPolicy(exploration_share=0.0, seed=seed)
    got: Counter[str] = Counter()
    for n in range(count):
        now = standing(received=dict(got))
        found = pick(who, same(len(who)), policy, lead=f"L{n}", received=received(who, now))
        assert found.position is not None
        got[who.partner_ids[found.position]] += 1
    return got


@pytest.mark.parametrize("partners", [4, 7, 10, 30])
def test_thirty_equal_leads_spread_evenly_in_any_order_of_creation(partners: int) -> None:
    names = [f"P{n}" for n in range(partners)]
    first = route_equal_leads(30, names, seed=7)
    assert max(first.values()) - min(first[n] for n in names) <= 1
    assert route_equal_leads(30, names[::-1], seed=7) == first
    assert route_equal_leads(30, sorted(names, key=lambda n: draw("shuffle", n)), seed=7) == first


def test_another_seed_spreads_otherwise_and_as_evenly() -> None:
    names = [f"P{n}" for n in range(7)]
    found = [route_equal_leads(30, names, seed=seed) for seed in range(6)]
    assert all(set(f.values()) == {4, 5} for f in found)
    assert len({tuple(sorted(f.items())) for f in found}) > 1


def test_a_partner_that_knows_the_account_goes_first_unless_too_dear_or_the_policy_ignores_that() -> None:
    assert pick(equals(3), [0.9, 0.1, 0.7], preferred=[1, 2]).position == 2
    assert pick(equals(3), [0.9, 0.1, 0.5], preferred=[1, 2]).position == 0
    ignoring = RoutingPolicy(exploration_share=0.0, relationship="ignore")
    assert pick(equals(3), [0.9, 0.1, 0.8], ignoring, preferred=[2]).position == 0


BANDED = RoutingPolicy(
    exploration_share=0.0, bands=(Band(by="size", label="small", least_share=0.3),), band_tolerance=0.2
)
SIZES = ({"employee_count": 900.0}, {"employee_count": 10.0}, {"employee_count": 12.0})


@pytest.mark.parametrize(
    ("small", "gain", "chosen", "cost"),
    [
        (10, [0.50, 0.45, 0.2], 1, 0.05),  # below its share, and near enough
        (40, [0.50, 0.45, 0.2], 0, 0.0),  # has its share
        (10, [0.50, 0.39, 0.2], 0, 0.0),  # too dear
    ],
)  # fmt: skip
def test_fairness_goes_first_within_its_tolerance_and_its_price_is_told(
    small: int, gain: Any, chosen: int, cost: float
) -> None:
    exposure = Exposure({("size", "small"): small}, 100)
    found = pick(roster(*SIZES), gain, BANDED, exposure=exposure)
    assert found.position == chosen
    assert found.fairness_cost == pytest.approx(cost)
    assert found.fair == (("size=small",) if cost else ())


def test_a_group_above_its_greatest_share_waits() -> None:
    policy = replace_bands(Band(by="size", label="large", most_share=0.5))
    exposure = Exposure({("size", "large"): 60}, 100)
    assert pick(roster(*SIZES), [0.5, 0.45, 0.2], policy, exposure=exposure).position == 1


def replace_bands(*bands: Band) -> RoutingPolicy:
    return BANDED.model_copy(update={"bands": bands})


BERLIN = Calendar(zone="Europe/Berlin", opens="09:00", closes="17:00", holidays=(date(2026, 12, 25),))


@pytest.mark.parametrize(
    ("start", "hours", "due"),
    [
        (datetime(2026, 11, 19, 9), 4, datetime(2026, 11, 19, 13)),  # Thursday 10:00 in Berlin
        (datetime(2026, 11, 20, 15), 2, datetime(2026, 11, 23, 9)),  # Friday 16:00, one hour left over
        (datetime(2026, 11, 21, 12), 8, datetime(2026, 11, 23, 16)),  # Saturday
        (datetime(2026, 12, 24, 15, 30), 1, datetime(2026, 12, 28, 8, 30)),  # Christmas and a weekend
        (datetime(2026, 3, 27, 15), 2, datetime(2026, 3, 30, 8)),  # clocks go forward in between
    ],
)
def test_deadlines_stand_still_at_night_at_weekends_and_on_holidays(
    start: datetime, hours: float, due: datetime
) -> None:
    assert add_business_hours(start, hours, BERLIN) == due


@given(st.floats(0.1, 200), st.floats(0.1, 50), st.integers(0, 500))
def test_more_hours_never_end_earlier(hours: float, more: float, offset: int) -> None:
    start = NOW + timedelta(hours=offset)
    assert add_business_hours(start, hours, BERLIN) <= add_business_hours(start, hours + more, BERLIN)
    assert add_business_hours(start, hours, BERLIN) > start


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"exploration_share": 2}, "/exploration_share"),
        ({"unheard_of": 1}, "/unheard_of"),
        ({"calendar": {"zone": "Mars/Base"}}, "/calendar/zone"),
        ({"calendar": {"days": []}}, "/calendar"),
        ({"most_reroutes": 3}, "/most_reroutes"),
        ({"bands": [{"by": "colour", "label": "red"}]}, "/bands/0/by"),
    ],
)
def test_a_policy_that_cannot_be_used_is_refused_with_its_place(body: Any, place: str) -> None:
    with pytest.raises(InputError) as caught:
        read_policy(body)
    assert caught.value.pointer == place


def test_floors_of_one_kind_cannot_exceed_everything() -> None:
    bands = [{"by": "tier", "label": t, "least_share": 0.6} for t in ("gold", "silver")]
    with pytest.raises(InputError, match="sum to"):
        read_policy({"bands": bands})


def test_a_policy_survives_its_table() -> None:
    assert read_policy(BANDED.to_json()) == BANDED


def test_rules_like_specialty_geography_and_tier_and_count_the_unknown_as_nothing() -> None:
    who = roster({"tier": "gold"}, {"tier": "registered"}, {"tier": None}, {"tier": "gold"})
    nan = np.nan
    points = rule_points(
        PLAIN, who, specialty=[1, 1, nan, 0], same_region=[1, 0, nan, 0], same_country=[1, 1, nan, 1]
    )
    assert np.argsort(-points).tolist() == [0, 1, 3, 2]
    assert points[2] == 0


@pytest.mark.parametrize("answer", ["declined", "expired"])
def test_an_offer_not_taken_frees_capacity_and_goes_on_at_most_twice(answer: Any) -> None:
    first = answered("offered", "offered", answer, reroutes=0, most_reroutes=2)
    assert (first.offer, first.frees, first.reroutes) == (answer, True, True)
    last = answered("offered", "offered", answer, reroutes=2, most_reroutes=2)
    assert (last.lead, last.reroutes) == ("unassigned", False)


def test_the_same_answer_twice_changes_nothing_and_another_is_refused() -> None:
    assert answered("accepted", "accepted", "accepted", reroutes=0, most_reroutes=2).offer is None
    assert answered("won", "won", "accepted", reroutes=0, most_reroutes=2).offer is None
    with pytest.raises(StateError):
        answered("offered", "expired", "accepted", reroutes=1, most_reroutes=2)


def test_only_an_accepted_lead_is_won_or_lost_and_only_once() -> None:
    assert closed("accepted", "won").frees
    assert closed("won", "won").offer is None
    for state in ("offered", "lost", "unassigned"):
        with pytest.raises(StateError):
            closed(state, "won")
