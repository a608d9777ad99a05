"""Labels by what was known; useless columns left out; a fifth model needs one folder."""

import sys
from datetime import date, datetime, timedelta
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

import models
from data.errors import NotEnoughEvidenceError
from evaluation.backtest import run_backtest
from evaluation.settings import EvaluationSettings
from models.catalog import specs
from models.churn.settings import ChurnSettings
from models.spec import Feature, ModelSpec
from training.from_tables import History, from_tables, snapshot_grid
from training.params import Params

SETTINGS = ChurnSettings(label="silence", horizons_days=(60,), active_within_days=60)
SPEC = ModelSpec(
    "churn", "Churn", ("partner_id",),
    (
        Feature("days_since_last_won", monotone=1),
        Feature("won_count_90d", monotone=-1),
        Feature("survey_score_latest"),
    ),
    "hazard", (60,), True,
)  # fmt: skip


def world(partners=60, days=900, seed=0):
    """Partners order every few days; each stops one day."""
    rng = np.random.default_rng(seed)
    start = pd.Timestamp("2022-01-01")
    rows = []
    for k in range(partners):
        stop = rng.integers(100, 2 * days)
        at = np.cumsum(rng.exponential(12 + 10 * (k % 3), 400))
        rows += [(f"p{k:03d}", start + pd.Timedelta(days=float(t))) for t in at if t < min(stop, days)]
    activity = pd.DataFrame(rows, columns=["partner_id", "event_at"]).astype({"event_at": "datetime64[us]"})
    activity["known_at"] = activity["event_at"]
    grid = snapshot_grid(date(2022, 3, 1), date(2024, 6, 1), every_days=30)
    frames = []
    for day in grid:
        t = pd.Timestamp(day)
        past = activity[activity["event_at"] < t]
        last = past.groupby("partner_id")["event_at"].max()
        recent = past[past["event_at"] >= t - pd.Timedelta(days=90)].groupby("partner_id").size()
        frame = pd.DataFrame({"partner_id": last.index, "as_of": t})
        frame["days_since_last_won"] = (t.to_datetime64() - last.to_numpy()) / np.timedelta64(1, "D")
        frame["won_count_90d"] = recent.reindex(last.index).fillna(0).to_numpy(dtype=float)
        frame["survey_score_latest"] = np.nan
        frames.append(frame)
    features = pd.concat(frames, ignore_index=True).astype({"as_of": "datetime64[us]"})
    return features, History(activity, activity.iloc[:0], {"p001": "group", "p002": "group"})


@pytest.fixture(scope="module")
def made():
    features, history = world()
    return from_tables(SPEC, features, history, settings=SETTINGS, known_until=datetime(2024, 6, 19))


def test_labels_are_those_known_by_the_cutoff(made):
    known = made.known_at()
    labelled = ~np.isnan(made.labels())
    assert (known[labelled] <= np.datetime64("2024-06-19")).all()
    assert (known[labelled] == made.as_of[labelled] + np.timedelta64(60, "D")).all()
    assert not labelled[made.as_of > np.datetime64("2024-04-20")].any()


def test_the_cohort_was_active_before_each_snapshot(made):
    assert (made.frame["days_since_last_won"] <= SETTINGS.active_within_days + 1).all()


def test_columns_without_values_are_left_out_with_the_reason(made):
    assert [(d.column, d.why) for d in made.dropped] == [("survey_score_latest", "all missing")]
    assert made.features == ["days_since_last_won", "won_count_90d"]


def test_partners_of_one_parent_are_one_group(made):
    groups = made.frame.groupby("partner_id")["group"].first()
    assert groups["p001"] == groups["p002"] == "group"
    assert groups["p003"] == "p003"


def test_silence_gives_a_plain_model_and_departure_gives_hazards(made):
    assert made.spec.output == "probability"
    assert made.stacked is None
    features, history = world(partners=20)
    departure = ChurnSettings(silence=60, active_within_days=60)
    hazards = from_tables(SPEC, features, history, settings=departure, known_until=datetime(2024, 6, 19))
    assert hazards.spec.output == "hazard"
    assert hazards.horizon_days == 90
    assert set(hazards.stacked["interval"]) == {0, 1, 2}
    assert hazards.gap_days == 150


def test_nobody_in_the_cohort_is_refused_in_words():
    features, history = world(partners=3)
    late = features.assign(as_of=features["as_of"] + timedelta(days=3650))
    with pytest.raises(NotEnoughEvidenceError, match="No partner is asked about"):
        from_tables(SPEC, late, history, settings=SETTINGS, known_until=datetime(2040, 1, 1))


def test_the_grid_holds_its_anchor_and_stays_within_bounds():
    grid = snapshot_grid(date(2024, 1, 3), date(2024, 3, 1), every_days=7, anchor=date(2024, 2, 14))
    assert date(2024, 2, 14) in grid
    assert grid[0] >= date(2024, 1, 3)
    assert grid[-1] <= date(2024, 3, 1)
    assert {(b - a).days for a, b in pairwise(grid)} == {7}


def test_a_fifth_model_needs_one_folder_and_nothing_else(tmp_path, monkeypatch):
    folder = tmp_path / "time_to_next_order"
    folder.mkdir()
    (folder / "__init__.py").write_text(
        "from models.spec import Feature, ModelSpec\n"
        "SPEC = ModelSpec('time_to_next_order', 'No order soon', ('partner_id',),\n"
        "    (Feature('days_since_last_won', monotone=1), Feature('won_count_90d', monotone=-1)),\n"
        "    'probability', (60,), True)\n"
    )
    (folder / "label.py").write_text("from models.churn.label import build_labels\n")
    monkeypatch.setattr(models, "__path__", [*models.__path__, str(tmp_path)])
    try:
        spec = specs()["time_to_next_order"]
        features, history = world()
        data = from_tables(spec, features, history, settings=SETTINGS, known_until=datetime(2024, 6, 19))
        tested = run_backtest(
            data, settings=EvaluationSettings(replicates=50, origins=1), params=Params(rounds=30)
        )
    finally:
        for name in [n for n in sys.modules if n.startswith("models.time_to_next_order")]:
            del sys.modules[name]
    assert tested.report.model == "time_to_next_order"
    assert tested.report.metrics["auc"].value > 0.5
