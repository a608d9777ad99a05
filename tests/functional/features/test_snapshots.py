"""Snapshots on disk: only the stale are made anew, and what is kept equals what a fresh build would give."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from datetime import date, datetime
from pathlib import Path

import pandas as pd
import pytest

from data.errors import MissingDataError
from data.lake import Lake
from features.build import build_features
from features.layout import feeds_path, saved_as_ofs, snapshot_path
from features.settings import FeatureSettings
from features.snapshot import build_and_save, read_snapshots
from features.source import lake_paths
from tests.functional.features.channel import append
from tests.functional.features.conftest import AS_OFS
from tests.unit.features import worlds

SETTINGS = FeatureSettings()
VIEWS = ("deals", "satisfaction")


def small_lake(root: Path) -> tuple[Lake, list[worlds.Row]]:
    """Partners, and deals known from the start."""
    lake = Lake(root / "lake")
    append(lake, "partners", [{"partner_id": p} for p in worlds.partner_ids(3)])
    rng = random.Random(1)
    deals = [{**worlds._deal(rng, 2 * i, f"P{i % 3}"), "known_at": datetime(2023, 1, 1)} for i in range(30)]
    append(lake, "deals", deals)
    return lake, deals


def rebuilt(root: Path, lake: Lake) -> dict[str, tuple[date, ...]]:
    report = build_and_save(
        root / "features", lake=lake, as_ofs=AS_OFS, settings=SETTINGS, views=VIEWS, threads=1
    )
    return {name: dates for name, dates in report.built.items() if dates}


def assert_equals_fresh_build(root: Path, lake: Lake) -> None:
    fresh = build_features(lake_paths(lake), as_ofs=AS_OFS, settings=SETTINGS, views=["deals"], threads=1)
    stored = read_snapshots(root / "features", views=["deals"])
    pd.testing.assert_frame_equal(stored, fresh["deals"], rtol=0, atol=0)


def test_a_date_that_only_some_views_have_is_not_there_yet(tmp_path: Path) -> None:
    lake, _ = small_lake(tmp_path)
    root = tmp_path / "features"
    build_and_save(root, lake=lake, as_ofs=AS_OFS[:1], settings=SETTINGS, threads=1)
    build_and_save(root, lake=lake, as_ofs=AS_OFS[1:], settings=SETTINGS, views=["firmographics"], threads=1)
    assert saved_as_ofs(root) == [AS_OFS[0]]
    assert saved_as_ofs(root, views=["firmographics"]) == list(AS_OFS)
    assert read_snapshots(root)["as_of"].nunique() == 1
    assert saved_as_ofs(tmp_path / "nowhere") == []


def test_only_stale_snapshots_are_built_and_all_stay_right(tmp_path: Path) -> None:
    lake, deals = small_lake(tmp_path)
    assert rebuilt(tmp_path, lake) == dict.fromkeys(VIEWS, AS_OFS)
    untouched = snapshot_path(tmp_path / "features", "deals", AS_OFS[0]).stat().st_mtime_ns
    assert rebuilt(tmp_path, lake) == {}

    # New, and known only after the second date.
    new = {**deals[0], "deal_id": "new", "known_at": datetime(2023, 9, 2), "event_at": datetime(2023, 7, 1)}
    append(lake, "deals", [new])
    assert rebuilt(tmp_path, lake) == {"deals": (AS_OFS[2],)}
    assert_equals_fresh_build(tmp_path, lake)

    # A late correction of an old row reaches into buckets that are on disk already.
    append(lake, "deals", [{**deals[0], "amount_usd": 9999.5, "known_at": datetime(2023, 8, 20)}])
    assert rebuilt(tmp_path, lake) == {"deals": (AS_OFS[1], AS_OFS[2])}
    assert_equals_fresh_build(tmp_path, lake)
    assert snapshot_path(tmp_path / "features", "deals", AS_OFS[0]).stat().st_mtime_ns == untouched

    # A new table, and another definition.
    append(
        lake,
        "surveys",
        [{"survey_id": "s", "partner_id": "P0", "score": 3.0, "event_at": datetime(2023, 1, 1)}],
    )
    assert rebuilt(tmp_path, lake) == {"satisfaction": AS_OFS}
    other = FeatureSettings(gap_prior_weight=1.0)
    report = build_and_save(
        tmp_path / "features", lake=lake, as_ofs=AS_OFS[:1], settings=other, views=["deals"]
    )
    assert report.built == {"deals": AS_OFS[:1]}


def test_damaged_snapshot_is_built_anew(tmp_path: Path) -> None:
    lake, _ = small_lake(tmp_path)
    rebuilt(tmp_path, lake)
    path = snapshot_path(tmp_path / "features", "deals", AS_OFS[1])
    path.write_bytes(path.read_bytes()[:100])
    assert rebuilt(tmp_path, lake) == {"deals": (AS_OFS[1],)}
    assert_equals_fresh_build(tmp_path, lake)


def test_lost_buckets_are_made_anew(tmp_path: Path) -> None:
    lake, deals = small_lake(tmp_path)
    rebuilt(tmp_path, lake)
    for file in (tmp_path / "features" / "buckets" / "deals").glob("deal_days-*.parquet"):
        file.unlink()
    append(lake, "deals", [{**deals[1], "deal_id": "new"}])
    assert rebuilt(tmp_path, lake) == {"deals": AS_OFS}
    assert_equals_fresh_build(tmp_path, lake)


def test_snapshot_that_is_not_there_is_named(workspace: Path) -> None:
    with pytest.raises(MissingDataError, match="2001-01-01"):
        read_snapshots(workspace / "features", as_ofs=[date(2001, 1, 1)])


def test_lake_without_partners_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match="partners"):
        build_and_save(tmp_path, lake=Lake(tmp_path / "lake"), as_ofs=AS_OFS, settings=SETTINGS)


CHILD = """
import sys, time
from datetime import date
from pathlib import Path
time.tzset()
from data.lake import Lake
from features.settings import FeatureSettings
from features.snapshot import build_and_save
root = Path(sys.argv[1])
days = [date.fromisoformat(d) for d in sys.argv[3:]]
lake, settings = Lake(root / "lake"), FeatureSettings()
build_and_save(Path(sys.argv[2]), lake=lake, as_ofs=days, settings=settings, threads=1)
"""


def test_time_zone_of_the_host_changes_no_byte(workspace: Path, tmp_path: Path) -> None:
    arguments = [str(workspace), str(tmp_path), *(d.isoformat() for d in AS_OFS)]
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CHILD, *arguments],
        env={**os.environ, "TZ": "Asia/Tokyo"},
        check=True,
    )
    ours = sorted((workspace / "features" / "snapshots").rglob("*.parquet"))
    theirs = sorted((tmp_path / "snapshots").rglob("*.parquet"))
    assert [p.read_bytes() for p in theirs] == [p.read_bytes() for p in ours]
    assert len(ours) == 5 * len(AS_OFS)
    assert feeds_path(tmp_path).read_bytes() == feeds_path(workspace / "features").read_bytes()
