"""What a simulated world promises: the same bytes, truth apart, canonical tables, and no easy answer."""

import os
import subprocess
import sys
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from data.errors import InputError
from data.simulate import PRESETS, simulate, write
from data.simulate.oracle import bayes_score
from data.tables import TABLES

SMALL = {"partners": 60, "seed": 3}
CHECKSUM = "from data.simulate import simulate; print(simulate({preset!r}, partners=60, seed=3).checksum())"


@pytest.fixture(scope="module")
def rich():
    return simulate("demo", **SMALL)


@pytest.mark.parametrize("preset", ["demo", "analytic"])
def test_another_process_zone_and_hash_seed_give_the_same_bytes(preset):
    command = [sys.executable, "-c", CHECKSUM.format(preset=preset)]
    env = {**os.environ, "TZ": "Asia/Tokyo", "PYTHONHASHSEED": "5"}
    other = subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout.strip()
    assert simulate(preset, **SMALL).checksum() == other


def test_another_seed_gives_another_world(rich):
    assert simulate("demo", partners=60, seed=4).checksum() != rich.checksum()


def test_more_partners_leave_the_events_of_the_others_as_they_were(rich):
    more = simulate("demo", partners=90, seed=3).tables["events"]
    few = rich.tables["events"]
    kept = more[more["partner_id"].isin(set(few["partner_id"]))]
    columns = ["event_id", "partner_id", "event_type", "event_at", "known_at"]
    left, right = (f[columns].sort_values(columns, kind="stable").reset_index(drop=True) for f in (few, kept))
    pd.testing.assert_frame_equal(left, right)


def test_every_canonical_table_is_there_in_its_contract(rich):
    assert set(rich.tables) == set(TABLES)
    for name, frame in rich.tables.items():
        assert tuple(frame.columns) == TABLES[name].names, name
        assert len(frame), name


def test_truth_is_written_apart_and_no_table_points_at_it(rich, tmp_path):
    config = write(rich, tmp_path).read_text()
    assert "truth" not in config.split("tables:")[1]
    assert (tmp_path / "truth" / "partners.parquet").is_file()
    truth = {c for f in rich.truth.values() for c in f.columns}
    given = {c for f in rich.tables.values() for c in f.columns}
    assert not {"departed_at", "fit_probability", "hazard", "engagement", "quality"} & given
    assert {"departed_at", "fit_probability"} <= truth


def test_events_come_late_twice_and_out_of_order(rich):
    events = rich.tables["events"]
    assert (events["known_at"] > events["event_at"]).mean() > 0.01
    assert events.duplicated().any()
    assert not events["known_at"].is_monotonic_increasing


def test_recorded_propensities_of_the_legacy_router_are_probabilities(rich):
    offered = rich.tables["assignments"].query("status == 'offered'")["propensity"]
    assert offered.between(0, 1, inclusive="right").all()
    assert offered.nunique() > 1
    certain = simulate("policy_deterministic", **SMALL).tables["assignments"].query("status == 'offered'")
    assert (certain["propensity"] == 1).all()


def test_moving_the_end_moves_the_whole_calendar(rich):
    moved = simulate("demo", **SMALL, end=rich.end + timedelta(days=10))
    assert (moved.start, moved.end) == (rich.start + timedelta(days=10), rich.end + timedelta(days=10))
    assert moved.tables["deals"]["event_at"].max() < np.datetime64(moved.end + timedelta(days=1))


def test_unknown_presets_and_settings_are_named():
    with pytest.raises(InputError, match="There is no preset 'nope'"):
        simulate("nope")
    with pytest.raises(InputError, match="has no setting 'partnres'"):
        simulate("demo", partnres=3)


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_every_preset_makes_a_world(preset):
    assert len(simulate(preset, partners=40).tables["partners"])


@pytest.fixture(scope="module")
def analytic():
    """A mid-sized analytic world, its best possible score, and who really departs within 90 days."""
    world = simulate("analytic", partners=3000, seed=5)
    as_of = date(world.end.year, world.end.month, 1) - timedelta(days=300)
    best = bayes_score(world, [as_of], horizons=(90,)).set_index("partner_id")["probability"]
    departed = world.truth["partners"].set_index("partner_id")["departed_at"].reindex(best.index)
    at = pd.Timestamp(as_of)
    there = ~(departed < at)
    gone = (departed < at + pd.Timedelta(days=90))[there]
    return world, at, best[there], gone


def test_the_best_possible_score_is_good_and_not_too_good(analytic):
    from sklearn.metrics import roc_auc_score

    _, _, best, gone = analytic
    assert 0.05 < gone.mean() < 0.2
    assert 0.68 < roc_auc_score(gone, best) < 0.84
    assert best.mean() == pytest.approx(gone.mean(), abs=0.03)


def test_no_single_signal_gives_the_answer_away(analytic):
    from sklearn.metrics import roc_auc_score

    world, at, best, gone = analytic
    events = world.tables["events"]
    seen = events[(events["event_at"] < at) & (events["known_at"] <= at)].drop_duplicates("event_id")
    for days in (30, 90, 180):
        recent = seen[seen["event_at"] >= at - pd.Timedelta(days=days)]
        for kind, rows in recent.groupby("event_type"):
            count = rows.groupby("partner_id").size().reindex(best.index, fill_value=0)
            value = roc_auc_score(gone, -count)
            assert max(value, 1 - value) <= 0.72, (kind, days)


@pytest.mark.slow
def test_a_world_of_a_million_events_is_made():
    import time

    start = time.process_time()
    world = simulate("demo", partners=4300)
    spent = time.process_time() - start
    events = len(world.tables["events"])
    print(f"{events:,} events and all other tables in {spent:.1f} s of CPU")
    assert events >= 1_000_000
