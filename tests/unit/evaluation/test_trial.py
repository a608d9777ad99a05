"""A trial is judged by the leads that chance gave to each version, and only when their time is over."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from evaluation.trial import judge_trial
from models.routing.settings import RoutingSettings

SETTINGS = RoutingSettings(answer_days=10, win_days=60)
BEGAN, NOW = datetime(2026, 3, 1), datetime(2026, 9, 1)


def offers(
    on_trial: int,
    in_force: int,
    *,
    wins: tuple[float, float] = (0.5, 0.3),
    seed: int = 0,
    at: datetime = BEGAN,
) -> Any:
    rng = np.random.default_rng(seed)
    version = np.repeat([2, 1], [on_trial, in_force])
    chance = np.where(version == 2, wins[0], wins[1])
    days = at + pd.to_timedelta(np.tile([0, 30], len(version))[: len(version)], unit="D")
    return pd.DataFrame(
        {
            "owner": "prm", "lead_id": [f"L{i}" for i in range(len(version))], "turn": 0,
            "policy_version": version, "state": np.where(rng.random(len(version)) < chance, "won", "lost"),
            "fairness_cost": 0.01, "offered_at": days, "respond_by": days + timedelta(hours=16),
            "answered_at": days + timedelta(hours=1),
        }
    )  # fmt: skip


def judged(frame: Any, now: datetime = NOW) -> Any:
    return judge_trial(frame, on_trial=2, in_force=1, settings=SETTINGS, now=now)


def test_a_better_version_is_found_better_and_a_worse_one_worse() -> None:
    assert judged(offers(200, 900)).answer == "better"
    assert judged(offers(200, 900, wins=(0.2, 0.5))).answer == "worse"
    assert judged(offers(60, 900, wins=(0.3, 0.3))).answer == "no_difference_shown"


def test_too_few_leads_or_a_trial_that_just_began_give_no_verdict() -> None:
    few = judged(offers(20, 900))
    assert few.answer == "refused"
    assert "version 2 decided 20 leads" in few.refusal.message
    early = judged(offers(200, 900), now=BEGAN + timedelta(days=50))
    assert early.answer == "refused"
    assert early.arms[0].known == 0


def test_leads_of_before_the_trial_do_not_count() -> None:
    before = offers(0, 500, wins=(0, 1.0), at=BEGAN - timedelta(days=90)).assign(owner="earlier")
    before = before[before["offered_at"] < BEGAN]
    both = pd.concat([before, offers(200, 900)])
    assert judged(both).arms[1] == judged(offers(200, 900)).arms[1]


def test_a_lead_counts_once_with_all_its_offers() -> None:
    first = offers(100, 100, wins=(0.0, 0.0)).assign(state="declined")
    again = first.assign(turn=1, state="won")
    found = judged(pd.concat([first, again]))
    assert [(a.leads, a.won, a.offers) for a in found.arms] == [(100, 100, 200)] * 2
    late = again.assign(answered_at=again["respond_by"] + timedelta(hours=1))
    assert judged(pd.concat([first, late])).arms[0].in_time_share == 0.5


def test_the_interval_holds_the_true_difference_as_often_as_it_says() -> None:
    held = 0
    for seed in range(200):
        gain = judged(offers(60, 300, seed=seed)).gain
        held += gain.low <= 0.2 <= gain.high
    assert held >= 184


def test_no_offers_at_all_are_no_error() -> None:
    assert judged(offers(0, 0)).answer == "refused"
