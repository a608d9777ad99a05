"""Ways to give out leads: same eligibility and capacity for all, and each does what its name says."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import pytest

from evaluation.routers import Sample, Scene, all_at_once, by_rules, by_turns, gained, greedy, priced
from models.routing.choice import Exposure, chances, choose
from models.routing.eligibility import Asked
from models.routing.policy import RoutingPolicy
from tests.unit.routing.rosters import equals

NOW = datetime(2026, 5, 4, 9)
WAYS = (by_turns, by_rules, greedy, priced, all_at_once)


def scene(gain: Any, *, capacity: int = 1, sample: Any = None, points: Any = None) -> Scene:
    gain = np.asarray(gain, dtype=float)
    past = gain if sample is None else np.asarray(sample, dtype=float)
    return Scene(
        policy=RoutingPolicy(exploration_share=0.0),
        roster=equals(gain.shape[1]),
        leads=tuple(Asked(f"L{i}", "DE") for i in range(len(gain))),
        at=(NOW,) * len(gain),
        gain=gain,
        points=gain if points is None else np.asarray(points, dtype=float),
        capacity=np.full(gain.shape[1], capacity),
        sample=Sample(past, np.ones(past.shape, dtype=bool)),
    )


@pytest.mark.parametrize("way", WAYS)
def test_no_way_goes_beyond_capacity_or_leaves_a_lead_while_there_is_room(way: Any) -> None:
    gain = np.random.default_rng(0).random((12, 5))
    places = way(scene(gain, capacity=2))
    assert np.bincount(places[places >= 0], minlength=5).tolist() == [2] * 5
    assert (places >= 0).sum() == 10


@pytest.mark.parametrize("way", WAYS)
def test_no_way_gives_a_lead_to_somebody_outside_the_territory(way: Any) -> None:
    made = scene(np.ones((3, 2)), capacity=9)
    abroad = Scene(**{**vars(made), "leads": (Asked("L0", "FR"), *made.leads[1:])})
    places = way(abroad)
    assert places[0] == -1
    assert (places[1:] >= 0).all()


def test_turns_go_round() -> None:
    assert by_turns(scene(np.ones((5, 3)), capacity=9)).tolist() == [0, 1, 2, 0, 1]


def test_prices_keep_the_scarce_specialist_for_the_lead_that_needs_it() -> None:
    gain = [[0.5, 0.6], [0.1, 0.9]]
    assert greedy(scene(gain)).tolist() == [1, 0]
    assert priced(scene(gain)).tolist() == [0, 1]
    assert all_at_once(scene(gain)).tolist() == [0, 1]


def test_rules_look_at_points_and_not_at_the_model() -> None:
    assert by_rules(scene([[0.9, 0.1]], points=[[1.0, 2.0]])).tolist() == [1]


def test_what_nobody_got_brings_nothing() -> None:
    assert gained(np.array([1, -1]), np.array([[0.2, 0.3], [0.4, 0.5]])).tolist() == [0.3, 0.0]


@pytest.mark.parametrize("explorable", [True, False])
def test_the_chances_of_a_policy_are_the_propensities_it_would_log(explorable: bool) -> None:
    who, policy = equals(6), RoutingPolicy(exploration_share=0.2)
    codes = np.array([0, 0, 5, 0, 0, 0], dtype=np.uint8)
    gain = np.array([0.1, 0.7, 0.9, 0.7, 0.2, 0.3])
    given: dict[str, Any] = {
        "explorable": explorable, "received": np.array([0, 2, 0, 2, 0, 0]), "exposure": Exposure.none(),
    }  # fmt: skip
    found = chances(policy, who, codes, gain, **given)
    assert found.sum() == pytest.approx(1.0)
    assert found[2] == 0.0
    for n in range(40):
        drawn = choose(policy, who, codes, gain, lead_id=f"L{n}", day=NOW.date(), turn=0, **given)
        assert drawn.position is not None
        assert drawn.propensity == pytest.approx(found[drawn.position])
    nobody = chances(policy, who, np.full(6, 5, dtype=np.uint8), gain, **given)
    assert nobody.tolist() == [0.0] * 6
