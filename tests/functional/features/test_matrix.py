"""The resident matrix: the same values as offline, kept on disk, refused when damaged."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.errors import MissingDataError
from features.matrix import FeatureMatrix, load_matrix, read_matrix, save_matrix
from features.snapshot import read_snapshots
from features.store import FeatureStore

AS_OF = date(2023, 10, 1)


@pytest.fixture
def matrix(store: FeatureStore) -> FeatureMatrix:
    store.materialise(AS_OF)
    return load_matrix(store)


def test_matrix_equals_offline_snapshot(matrix: FeatureMatrix, workspace: Path) -> None:
    offline = read_snapshots(workspace / "features", as_ofs=[AS_OF]).set_index("partner_id")
    pd.testing.assert_frame_equal(matrix.frame, offline.drop(columns="as_of"), rtol=0, atol=1e-9)
    assert matrix.partner_ids == tuple(offline.index)
    assert set(matrix.features_as_of) == {np.datetime64(AS_OF, "us")}


def test_empty_online_store_is_said_to_be_empty(store: FeatureStore) -> None:
    with pytest.raises(MissingDataError, match="no features yet"):
        load_matrix(store)


def test_saved_matrix_is_read_back_as_it_was(matrix: FeatureMatrix, tmp_path: Path) -> None:
    assert read_matrix(tmp_path / "matrix") is None
    save_matrix(matrix, tmp_path / "matrix")
    again = read_matrix(tmp_path / "matrix")
    assert again is not None
    assert (again.version, again.partner_ids, again.stale_views) == (
        matrix.version,
        matrix.partner_ids,
        matrix.stale_views,
    )
    pd.testing.assert_frame_equal(again.frame, matrix.frame)
    assert (again.features_as_of == matrix.features_as_of).all()


def test_one_flipped_byte_makes_the_saved_matrix_unusable(matrix: FeatureMatrix, tmp_path: Path) -> None:
    path = save_matrix(matrix, tmp_path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    assert read_matrix(tmp_path) is None


def test_feed_silent_since_the_snapshot_makes_its_views_stale(
    matrix: FeatureMatrix, store: FeatureStore
) -> None:
    much_later = load_matrix(store, now=datetime(2030, 1, 1))
    assert much_later.stale_views == {"engagement", "deals", "enablement", "satisfaction"}
    assert "login_count_30d" in much_later.stale_features
    assert "employee_count" not in much_later.stale_features
    assert much_later.version != matrix.version
