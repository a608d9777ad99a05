"""The committed mappings, on real data that nobody here wrote."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.ingest import ingest
from data.lake import Lake
from data.mapping import DataSettings, read_config
from data.snapshots import read_snapshot

pytestmark = pytest.mark.datasets
EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
NOW = datetime(2025, 1, 1)


def _settings(name, datasets):
    config = read_config(EXAMPLES / name, environ={"PARTNERINTEL_DATASETS": str(datasets)})
    return DataSettings.from_config(config)


@pytest.fixture(scope="module")
def ingested(tmp_path_factory):
    done = {}

    def _ingested(name, datasets):
        if name not in done:
            lake = Lake(tmp_path_factory.mktemp(name) / "lake")
            report = ingest(_settings(name, datasets), base=EXAMPLES / name, lake=lake, ingested_at=NOW)
            done[name] = (lake, report)
        return done[name]

    return _ingested


def _silent(deals, *, at, before, after):
    """Buyers of the days before, and those of them who did not buy in the days after."""
    bought = deals[(deals["status"] == "won") & (deals["amount_usd"] > 0)]
    when = bought["event_at"]
    cohort = set(bought.loc[(when >= at - timedelta(days=before)) & (when < at), "partner_id"])
    later = set(bought.loc[(when >= at) & (when < at + timedelta(days=after)), "partner_id"])
    return len(cohort), len(cohort - later)


@pytest.mark.parametrize("name", ["adventureworks", "adventureworks_matching", "online_retail"])
def test_every_row_is_good_and_a_second_ingest_adds_none(ingested, datasets, name):
    lake, report = ingested(name, datasets)
    version = lake.version()
    again = ingest(_settings(name, datasets), base=EXAMPLES / name, lake=lake, ingested_at=NOW)
    for table, first in report.tables.items():
        assert first.rows_quarantined == first.rows_duplicate == 0
        assert again.tables[table].rows_seen == first.rows_new == first.rows_in
    assert lake.version() == version


def test_adventureworks_has_its_resellers_and_order_lines(ingested, datasets):
    lake, report = ingested("adventureworks", datasets)
    assert report.tables["partners"].rows_new == 701
    assert report.tables["deals"].rows_new == 60_855
    assert _silent(lake.read("deals"), at=datetime(2013, 5, 20), before=185, after=185) == (492, 47)
    deals = lake.read("deals")
    assert deals["amount_usd"].sum() == pytest.approx(80_450_596.98, abs=0.5)
    assert deals["product"].notna().all()
    assert (lake.read("partners")["signed_at"].isna()).all()


def test_adventureworks_maps_no_column_that_leaks(datasets):
    settings = _settings("adventureworks", datasets)
    for mappings in settings.tables.values():
        for mapping in mappings:
            assert "FirstOrderYear" not in str(mapping.query)
            assert "LastOrderYear" not in str(mapping.query)


def test_adventureworks_managers_follow_one_another(ingested, datasets):
    lake, _ = ingested("adventureworks", datasets)
    turns = lake.read("partner_managers").sort_values(["partner_id", "event_at"])
    before = turns.groupby("partner_id")["manager_id"].shift()
    assert (turns["manager_id"] != before).all()
    assert not turns.duplicated(["partner_id", "event_at"]).any()


def test_online_retail_has_its_buyers_and_returns(ingested, datasets):
    lake, report = ingested("online_retail", datasets)
    assert report.tables["partners"].rows_new == 4_372
    deals = lake.read("deals")
    assert _silent(deals, at=datetime(2011, 9, 9), before=180, after=90) == (2_779, 1_070)
    assert (deals["amount_usd"] < 0).sum() == 8_905
    assert (deals["amount_usd"] > 0).sum() == 397_884
    assert set(deals["partner_id"].str.fullmatch(r"\d{5}")) == {True}


def test_lead_scoring_is_read_as_it_is(datasets):
    settings = _settings("lead_scoring", datasets)
    (mapping,) = settings.snapshots
    snapshot = read_snapshot(mapping, base=settings.folder(EXAMPLES / "lead_scoring"))
    assert snapshot.rows_in == len(snapshot.frame) == 9_240
    assert (snapshot.rows_quarantined, snapshot.rows_duplicate) == (0, 0)
    raw = pd.read_csv(datasets / "lead_scoring" / "leads.csv", dtype=str, keep_default_na=False)
    assert snapshot.label.sum() == (raw["Converted"] == "1").sum()
    by_id = raw.set_index("Prospect ID").loc[snapshot.frame["Prospect ID"]]
    visits = pd.to_numeric(by_id["TotalVisits"].replace("", np.nan)).to_numpy()
    np.testing.assert_array_equal(snapshot.frame["TotalVisits"], visits)
    chosen = by_id["Specialization"].replace({"": None, "Select": None})
    assert snapshot.frame["Specialization"].tolist() == chosen.tolist()
    leaks = {"Tags", "Lead Quality", "Lead Profile", "Last Activity", "Last Notable Activity"}
    assert not leaks & set(snapshot.frame.columns)
    assert snapshot.order.notna().all()


def test_the_churn_sections_are_what_the_model_understands(datasets):
    from models.churn.settings import ChurnSettings

    for name, horizon, active in (("adventureworks", 185, 185), ("online_retail", 90, 180)):
        config = read_config(EXAMPLES / name, environ={"PARTNERINTEL_DATASETS": str(datasets)})
        churn = ChurnSettings(**config["churn"])
        assert (churn.label, churn.horizons_days, churn.active_within_days) == ("silence", (horizon,), active)
