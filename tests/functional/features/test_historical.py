"""Our ASOF join gives what Feast's point-in-time join gives, and late snapshots do not leak."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data.errors import InputError
from features.layout import CREATED, snapshot_path
from features.settings import FeatureSettings
from features.snapshot import read_snapshots
from features.store import FeatureStore

PARTNER = "P1"
COLUMNS = ["login_count_30d", "days_since_last_login", "won_amount_usd_365d", "tier", "country"]


def entity_rows() -> pd.DataFrame:
    ids = ["P3", "P0", "nobody", "P1", "P0", "P2", "P0"]
    times = [
        "2023-10-01",
        "2023-08-15 13:00",
        "2023-09-01",
        "2023-07-31",
        "2023-12-24",
        "2023-09-01",
        "2023-08-15 13:00",
    ]
    return pd.DataFrame(
        {"partner_id": ids, "as_of": pd.to_datetime(times, format="ISO8601"), "note": range(7)},
        index=range(10, 17),
    )


def by_feast(store: FeatureStore, frame: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    from features.catalog import view_of

    asked = frame.assign(row_id=range(len(frame)), event_timestamp=frame["as_of"].dt.tz_localize("UTC"))
    answer = store.feast.get_historical_features(
        entity_df=asked[["row_id", "partner_id", "event_timestamp"]],
        features=[f"{view_of(c)}:{c}" for c in columns],
        filter_by_created_timestamp=True,
    ).to_df()
    return answer.sort_values("row_id", ignore_index=True)[columns]


@pytest.mark.filterwarnings("ignore")
def test_historical_equals_feast(workspace: Path, tmp_path: Path) -> None:
    (tmp_path / "features").symlink_to(workspace / "features")
    store = FeatureStore(FeatureSettings(), tmp_path)
    store.apply()
    ours = store.historical(entity_rows(), columns=COLUMNS)
    pd.testing.assert_frame_equal(
        ours[COLUMNS].reset_index(drop=True), by_feast(store, entity_rows(), COLUMNS), check_dtype=False
    )


@pytest.mark.filterwarnings("ignore")
def test_snapshot_that_came_late_does_not_leak(workspace: Path, tmp_path: Path) -> None:
    late = pd.Timestamp("2023-09-20")
    for view in ("engagement", "deals", "firmographics"):
        for as_of in (date(2023, 8, 1), date(2023, 9, 1), date(2023, 10, 1)):
            table = pq.read_table(snapshot_path(workspace / "features", view, as_of))
            if as_of == date(2023, 9, 1):
                came = pa.array([late.to_pydatetime()] * len(table), pa.timestamp("us"))
                table = table.set_column(table.schema.get_field_index(CREATED), CREATED, came)
            path = snapshot_path(tmp_path / "features", view, as_of)
            path.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(table, path)
    store = FeatureStore(FeatureSettings(), tmp_path)
    store.apply()
    times = ["2023-09-01", "2023-09-19 23:59", "2023-09-20", "2023-09-30", "2023-10-01", "2023-11-01"]
    frame = pd.DataFrame({"partner_id": PARTNER, "as_of": pd.to_datetime(times, format="ISO8601")})
    ours = store.historical(frame, columns=COLUMNS)
    pd.testing.assert_frame_equal(ours[COLUMNS], by_feast(store, frame, COLUMNS), check_dtype=False)
    seen = [date(2023, 8, 1), date(2023, 8, 1), *[date(2023, 9, 1)] * 2, *[date(2023, 10, 1)] * 2]
    by_date = read_snapshots(workspace / "features").set_index(["partner_id", "as_of"])[COLUMNS]
    expected = by_date.loc[[(PARTNER, pd.Timestamp(d)) for d in seen]].reset_index(drop=True)
    assert expected.nunique().max() == 3
    pd.testing.assert_frame_equal(ours[COLUMNS], expected)


def test_rows_keep_order_index_and_other_columns(workspace: Path) -> None:
    store = FeatureStore(FeatureSettings(), workspace)
    joined = store.historical(entity_rows(), columns=COLUMNS)
    assert list(joined.columns) == ["partner_id", "as_of", "note", *COLUMNS]
    pd.testing.assert_frame_equal(joined[["partner_id", "as_of", "note"]], entity_rows())
    assert joined.loc[12, COLUMNS].isna().all()
    assert joined.loc[13, COLUMNS].isna().all()


def test_frame_without_as_of_is_refused_in_words(workspace: Path) -> None:
    store = FeatureStore(FeatureSettings(), workspace)
    with pytest.raises(InputError, match="as_of"):
        store.historical(pd.DataFrame({"partner_id": ["P0"]}))
