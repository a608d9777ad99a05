"""A small world's future: the models of its past win more than rules, and far more than turns.

The whole proof, with the best there can be beside it, is in `tests/model/test_routing.py`.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from data.simulate import simulate
from evaluation import routers
from tests.model.routing_worlds import past_of, scene_of
from training.params import Params


def test_models_of_the_past_win_more_than_rules_and_turns(tmp_path: Any) -> None:
    world = simulate("demo", partners=70, leads=30, seed=5, start=date(2024, 10, 1), interventions=False)
    until = world.end - timedelta(days=60)
    past = past_of(world, tmp_path, until=until, every_days=60, params=Params(rounds=60))
    leads = past.leads(until)[:100]
    recent = [x for x in past.leads(until - timedelta(days=45)) if x["event_at"] < pd.Timestamp(until)]
    scene, truth = scene_of(past, leads, recent, lambda m: np.full(len(m.roster), 4))
    ways = (routers.by_turns, routers.by_rules, routers.priced, routers.all_at_once)
    turns, rules, priced, batch = (routers.gained(way(scene), truth).sum() for way in ways)
    best = routers.gained(routers.all_at_once(scene, truth), truth).sum()
    print(turns, rules, priced, batch, best)
    assert priced > 1.7 * turns
    assert priced > 1.2 * rules
    assert best >= batch > 0.75 * best
