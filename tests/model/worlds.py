"""Data sets for judging models: the committed examples on real data, and simulated worlds."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import reduce
from pathlib import Path

import pandas as pd

from data.ingest import ingest
from data.lake import Lake
from data.mapping import DataSettings, read_config
from data.simulate.oracle import bayes_score
from data.simulate.write import mapping, write
from features.settings import FeatureSettings
from features.snapshot import build_and_save, build_features, read_snapshots
from features.source import lake_paths
from models.churn import SPEC
from models.churn.settings import ChurnSettings
from models.scorecard import CHURN_DEFAULT
from training.from_tables import from_tables, read_history, snapshot_grid

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
INGESTED = datetime(2026, 1, 1)


def example_config(name, datasets):
    return read_config(EXAMPLES / name, environ={**os.environ, "PARTNERINTEL_DATASETS": str(datasets)})


def example_dataset(name, datasets, tmp, *, test_at, every_days=30):
    """The example's own mapping, ingested; snapshots on a grid through the test date."""
    config = example_config(name, datasets)
    settings = DataSettings.from_config(config)
    lake = Lake(tmp / "lake")
    ingest(settings, base=settings.folder(EXAMPLES / name), lake=lake, ingested_at=INGESTED)
    deals = lake.read("deals")["event_at"]
    first = deals.min().date() + timedelta(days=14)
    grid = snapshot_grid(first, test_at, every_days=every_days, anchor=test_at)
    build_and_save(tmp / "features", lake=lake, as_ofs=grid, settings=FeatureSettings.from_config(config))
    churn = ChurnSettings.model_validate(config["churn"])
    return from_tables(
        SPEC,
        read_snapshots(tmp / "features", as_ofs=grid),
        read_history(lake, settings=churn),
        settings=churn,
        known_until=deals.max().to_pydatetime() + timedelta(days=1),
        scorecard=CHURN_DEFAULT,
    )


def simulated_dataset(world, tmp, *, every_days, first_after_days=200):
    """A simulated world through the same doors as a customer's export."""
    filled = {name: rows for name, rows in world.tables.items() if len(rows)}
    write(replace(world, tables=filled, truth={}), tmp)
    config = read_config(tmp)
    settings = DataSettings.from_config({k: v for k, v in config.items() if k != "snapshots"})
    lake = Lake(tmp / "lake")
    ingest(settings, base=tmp, lake=lake, ingested_at=datetime.combine(world.end, datetime.min.time()))
    grid = snapshot_grid(world.start + timedelta(days=first_after_days), world.end, every_days=every_days)
    views = build_features(lake_paths(lake), as_ofs=grid, settings=FeatureSettings())
    wide = reduce(lambda a, b: a.merge(b, on=["partner_id", "as_of"], how="outer"), views.values())
    churn = ChurnSettings.model_validate(mapping(world, fmt="parquet")["churn"])
    return from_tables(
        SPEC,
        wide,
        read_history(lake, settings=churn),
        settings=churn,
        known_until=datetime.combine(world.end, datetime.min.time()),
        scorecard=CHURN_DEFAULT,
    )


def best_possible(world, data, rows):
    """(n,) Bayes-optimal probability at the judged horizon for the dates of some rows; NaN elsewhere."""
    dates = sorted({date.fromisoformat(str(t)) for t in data.as_of[rows].astype("datetime64[D]")})
    scores = bayes_score(world, dates, horizons=(data.horizon_days,))
    keyed = data.frame[["row_id", "partner_id", "as_of"]].merge(
        scores, on=["partner_id", "as_of"], how="left"
    )
    return keyed.sort_values("row_id")["probability"].to_numpy()


def panel_file(world, tmp, name):
    """A panel of the world as CSV."""
    path = tmp / f"{name}.csv"
    frame: pd.DataFrame = world.panels[name]
    frame.to_csv(path, index=False)
    return path
