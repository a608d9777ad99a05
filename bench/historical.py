"""Joining training rows with finished snapshots: the product against a bare ASOF join and Feast's engine."""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from features.layout import CREATED, snapshot_path
from features.settings import FeatureSettings
from features.store import FeatureStore

COLUMNS = ["login_count_7d", "login_count_30d", "login_count_90d", "event_count_30d", "days_since_last_login"]
VIEW = "engagement"


def snapshots(root: Path, *, partners: int, dates: Sequence[date], seed: int) -> None:
    """Snapshots of random numbers."""
    rng = np.random.default_rng(seed)
    for day in dates:
        values = {c: rng.random(partners).round(6) for c in COLUMNS}
        at = np.full(partners, np.datetime64(day, "us"))
        frame = pd.DataFrame(
            {"partner_id": [f"P{i}" for i in range(partners)], "as_of": at, CREATED: at, **values}
        )
        path = snapshot_path(root, VIEW, day)
        path.parent.mkdir(parents=True, exist_ok=True)
        frame.to_parquet(path, index=False, coerce_timestamps="us")


def asof(root: Path, rows: Any) -> Any:
    """What one would write by hand: a single ASOF join, rows kept in order."""
    folder = snapshot_path(root, VIEW, date(2022, 1, 1)).parent
    picked = ", ".join(f"snap.{c}" for c in COLUMNS)
    keyed = rows.assign(row_id=range(len(rows)))
    with duckdb.connect() as connection:
        connection.register("keyed", keyed)
        return connection.sql(
            f"SELECT keyed.*, {picked} FROM keyed ASOF LEFT JOIN read_parquet('{folder}/*.parquet') AS snap "
            "ON keyed.partner_id = snap.partner_id AND keyed.as_of >= snap.as_of ORDER BY row_id"
        ).df()


def by_feast(store: FeatureStore, rows: Any) -> Any:
    """Feast's duckdb engine, late rows left out."""
    asked = rows.assign(row_id=range(len(rows)), event_timestamp=rows["as_of"].dt.tz_localize("UTC"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        answer = store.feast.get_historical_features(
            entity_df=asked[["row_id", "partner_id", "event_timestamp"]],
            features=[f"{VIEW}:{c}" for c in COLUMNS],
            filter_by_created_timestamp=True,
        ).to_df()
    return answer.sort_values("row_id", ignore_index=True)


def timed(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """Wall and CPU seconds, and the result."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return time.perf_counter() - wall, time.process_time() - cpu, result


def main(argv: Sequence[str] | None = None) -> None:
    """Print times and ratios; the answers must be equal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--partners", type=int, default=5_000)
    parser.add_argument("--repeat", type=int, default=3)
    given = parser.parse_args(argv)
    dates = [date(2022 + m // 12, 1 + m % 12, 1) for m in range(18)]
    rng = np.random.default_rng(1)
    rows = pd.DataFrame(
        {
            "partner_id": [f"P{i}" for i in rng.integers(0, given.partners, given.rows)],
            "as_of": np.datetime64("2022-02-01", "us")
            + rng.integers(0, 500 * 86_400, given.rows).astype("timedelta64[s]"),
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        store = FeatureStore(FeatureSettings(), Path(folder))
        snapshots(store.features_root, partners=given.partners, dates=dates, seed=0)
        store.apply()
        cases: dict[str, Callable[[], Any]] = {
            "product": lambda: store.historical(rows, columns=COLUMNS),
            "ASOF by hand": lambda: asof(store.features_root, rows),
            "Feast, duckdb engine": lambda: by_feast(store, rows),
        }
        runs = [{name: timed(work) for name, work in cases.items()} for _ in range(given.repeat)]
    wall = {n: min(r[n][0] for r in runs) for n in cases}
    cpu = {n: min(r[n][1] for r in runs) for n in cases}
    ours = runs[0]["product"][2][COLUMNS].reset_index(drop=True)
    print(
        f"{given.rows:,} rows, {given.partners:,} partners, {len(dates)} snapshots, {len(COLUMNS)} features"
    )
    for name in cases:
        pd.testing.assert_frame_equal(runs[0][name][2][COLUMNS], ours, check_dtype=False)
        print(f"  {name:24s}{wall[name]:8.2f} s wall{cpu[name]:8.2f} s CPU   equal")
    for peer, goal in (("ASOF by hand", "≤ 1.50"), ("Feast, duckdb engine", "–")):
        ratio = wall["product"] / wall[peer], cpu["product"] / cpu[peer]
        print(f"  product / {peer:22s}{ratio[0]:6.2f} wall{ratio[1]:6.2f} CPU (goal {goal})")


if __name__ == "__main__":
    main()
