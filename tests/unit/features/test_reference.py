"""The fast build gives what a slow reading of the definitions gives."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import pandas as pd
import pytest

from features import versions
from features.build import build_features
from features.catalog import definitions
from features.settings import FeatureSettings
from tests.unit.features import reference, worlds

AS_OFS = (date(2023, 2, 1), date(2023, 9, 14), date(2023, 9, 15), date(2024, 3, 1), date(2024, 7, 1))
SETTINGS = FeatureSettings()


def expected(tables: reference.Tables, *, gap_window: int = 730) -> pd.DataFrame:
    rows = [
        {"partner_id": p, "as_of": pd.Timestamp(a), **values}
        for a in AS_OFS
        for p, values in reference.features_at(
            tables, datetime(a.year, a.month, a.day), gap_window=gap_window
        ).items()
    ]
    frame = pd.DataFrame(rows)
    frame["as_of"] = frame["as_of"].astype("datetime64[us]")
    for name, feature in definitions().items():
        frame[name] = frame[name].astype(object if feature.kind == "category" else float)
    return frame.set_index(["partner_id", "as_of"])[list(definitions())].sort_index()


def built(tables: reference.Tables, folder: Path, *, settings: FeatureSettings = SETTINGS) -> pd.DataFrame:
    paths = worlds.write(folder, tables)
    frames = build_features(paths, as_ofs=AS_OFS, settings=settings, threads=1)
    return worlds.wide(frames).sort_index()


@pytest.mark.parametrize("seed", range(3))
def test_build_equals_slow_reading_of_definitions(seed: int, tmp_path: Path) -> None:
    tables = worlds.random_world(seed)
    pd.testing.assert_frame_equal(built(tables, tmp_path), expected(tables), rtol=1e-12, atol=0)


@pytest.mark.parametrize("missing", [("events", "surveys"), ("deals", "certifications", "tier_history")])
def test_build_without_some_tables_equals_slow_reading(missing: tuple[str, ...], tmp_path: Path) -> None:
    tables = worlds.random_world(7, without=missing)
    pd.testing.assert_frame_equal(built(tables, tmp_path), expected(tables), rtol=1e-12, atol=0)


def test_gaps_look_back_no_further_than_set(tmp_path: Path) -> None:
    tables = worlds.random_world(8, partners=6)
    # A won deal exactly on the first day of the window counts.
    edge = {"deal_id": "edge", "partner_id": "P0", "status": "won", "product": None, "amount_usd": None,
            "margin_usd": None, "event_at": datetime(2023, 12, 2), "known_at": None}  # fmt: skip
    tables["deals"].append(worlds.hashed(edge))
    found = built(tables, tmp_path, settings=FeatureSettings(gap_window_days=90))
    pd.testing.assert_frame_equal(found, expected(tables, gap_window=90), rtol=1e-12, atol=0)


def test_keys_are_compared_in_slices_when_there_are_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = worlds.random_world(9)
    whole = built(tables, tmp_path / "a")
    monkeypatch.setattr(versions, "HASHES_AT_ONCE", 7)
    pd.testing.assert_frame_equal(built(tables, tmp_path / "b"), whole, rtol=0, atol=0)
