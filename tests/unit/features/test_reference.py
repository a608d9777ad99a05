"""The fast build gives what a slow reading of the definitions gives."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import pandas as pd
import pytest

from features.build import build_features
from features.catalog import definitions
from features.settings import FeatureSettings
from tests.unit.features import reference, worlds

AS_OFS = (date(2023, 2, 1), date(2023, 9, 14), date(2023, 9, 15), date(2024, 3, 1), date(2024, 7, 1))


def expected(tables: reference.Tables) -> pd.DataFrame:
    rows = [
        {"partner_id": p, "as_of": pd.Timestamp(a), **values}
        for a in AS_OFS
        for p, values in reference.features_at(tables, datetime(a.year, a.month, a.day)).items()
    ]
    frame = pd.DataFrame(rows)
    frame["as_of"] = frame["as_of"].astype("datetime64[us]")
    for name, feature in definitions().items():
        frame[name] = frame[name].astype(object if feature.kind == "category" else float)
    return frame.set_index(["partner_id", "as_of"])[list(definitions())].sort_index()


def built(tables: reference.Tables, folder: Path, *, parts: int = 1) -> pd.DataFrame:
    paths = worlds.write(folder, tables, parts=parts)
    frames = build_features(paths, as_ofs=AS_OFS, settings=FeatureSettings(), threads=1)
    return worlds.wide(frames).sort_index()


@pytest.mark.parametrize("seed", range(3))
def test_build_equals_slow_reading_of_definitions(seed: int, tmp_path: Path) -> None:
    tables = worlds.random_world(seed)
    pd.testing.assert_frame_equal(built(tables, tmp_path), expected(tables), rtol=1e-12, atol=0)


@pytest.mark.parametrize("missing", [("events", "surveys"), ("deals", "certifications", "tier_history")])
def test_build_without_some_tables_equals_slow_reading(missing: tuple[str, ...], tmp_path: Path) -> None:
    tables = worlds.random_world(7, without=missing)
    pd.testing.assert_frame_equal(built(tables, tmp_path), expected(tables), rtol=1e-12, atol=0)
