"""Each preset holds the trouble its docstring promises."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from data.simulate import PRESETS, simulate
from data.simulate.oracle import bayes_score
from data.tables import TABLES


def test_every_preset_says_what_must_come_of_it():
    for kinds in PRESETS.values():
        for make in kinds.values():
            assert len(make.__doc__) > 60


def test_without_signal_the_best_score_is_the_same_for_everybody():
    world = simulate("no_signal", partners=100)
    assert bayes_score(world, [world.start + timedelta(days=700)])["probability"].nunique() == 1
    assert world.truth["partners"]["departed_at"].isna().all()


def test_without_signal_silences_of_90_days_still_happen_and_nothing_foretells_them():
    world = simulate("no_signal", partners=1500)
    deals, at = world.tables["deals"], pd.Timestamp(world.start) + pd.Timedelta(days=700)
    after = deals[deals["event_at"] >= at].groupby("partner_id")["event_at"].min()
    before = deals[deals["event_at"] < at].groupby("partner_id")["event_at"].agg(["max", "size"])
    active = before[before["max"] >= at - pd.Timedelta(days=30)]
    silent = after.reindex(active.index).fillna(pd.Timestamp(world.end)) >= at + pd.Timedelta(days=60)
    assert 0.05 < silent.mean() < 0.3
    for signal in (active["size"], (at - active["max"]) / pd.Timedelta(days=1)):
        assert roc_auc_score(silent, signal) == pytest.approx(0.5, abs=0.08)


def test_the_leaky_panel_has_columns_that_know_the_outcome_and_honest_ones_that_do_not():
    panel = simulate("leaky", partners=300).panels["churn_panel"]
    y = panel["churned"]
    assert 0.03 < y.mean() < 0.3
    assert roc_auc_score(y, -panel["orders_next_quarter"]) > 0.8
    assert roc_auc_score(y, panel["account_status_code"] == "C") > 0.9
    for honest in ("orders_90d", "logins_30d", "logins_90d", "registrations_90d"):
        assert roc_auc_score(y, -panel[honest]) < 0.8


def test_exit_interviews_are_dated_before_departure_and_known_after_it():
    world = simulate("leaky", partners=300)
    exits = world.tables["events"].query("event_type == 'exit_interview'")
    left = (
        world.truth["partners"].set_index("partner_id")["departed_at"].reindex(exits["partner_id"]).to_numpy()
    )
    assert len(exits) > 100
    assert (exits["event_at"].to_numpy() <= left).all()
    assert (exits["known_at"].to_numpy() > left).all()


def test_with_all_missing_only_required_columns_and_keys_have_values():
    world = simulate("all_missing", partners=40)
    for name, frame in world.tables.items():
        contract = TABLES[name]
        for column in contract.columns:
            required = column.required or column.name in contract.key
            empty = (name, column.name) == ("surveys", "score") or not required
            assert frame[column.name].isna().all() == empty, (name, column.name)


def test_with_one_class_nobody_leaves_or_falls_silent():
    world = simulate("one_class", partners=60)
    assert world.truth["partners"]["departed_at"].isna().all()
    deals = world.tables["deals"].query("status in ('won', 'registered')").sort_values("event_at")
    assert deals.groupby("partner_id")["event_at"].diff().max() < pd.Timedelta(days=90)


def test_in_the_shifted_world_engagement_turns_against_the_partner():
    world = simulate("shifted", partners=600)
    weekly = world.truth["weekly"]
    after = weekly["week_start"] >= pd.Timestamp(world.config.shift_at)
    early, late = (weekly[m] for m in (~after, after))
    assert np.corrcoef(early["engagement"], np.log(early["hazard"]))[0, 1] < -0.5
    assert np.corrcoef(late["engagement"], np.log(late["hazard"]))[0, 1] > 0.5
    assert late["hazard"].mean() > 1.5 * early["hazard"].mean()
