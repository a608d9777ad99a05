"""One contract for both online stores: which row wins, and what is read back."""

from __future__ import annotations

import random
import sqlite3
import threading
from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from features.catalog import view
from features.snapshot import read_snapshots
from features.store import FeatureStore

NOW = datetime(2023, 10, 5, 12)
VIEW = "satisfaction"


def offer(score: float, at: datetime, *, sequence: int | None = None, partner: str = "P0") -> pd.DataFrame:
    row = dict.fromkeys(view(VIEW).columns, np.nan) | {"survey_score_latest": score}
    frame = pd.DataFrame([{"partner_id": partner, "event_at": pd.Timestamp(at), **row}])
    return frame if sequence is None else frame.assign(ingest_sequence=sequence)


def stored(store: FeatureStore, partner: str = "P0") -> float:
    return float(store.online([partner], ["survey_score_latest"]).iloc[0, 0])


def test_late_row_does_not_overwrite_a_newer_one(store: FeatureStore) -> None:
    newer = store.online_store.write(VIEW, offer(9.0, NOW), now=NOW)
    late = store.online_store.write(VIEW, offer(1.0, NOW - timedelta(days=1)), now=NOW)
    assert (newer.written, late.written, late.older) == (1, 0, 1)
    assert stored(store) == 9.0


def test_correction_of_the_same_time_wins_by_ingest_sequence(store: FeatureStore) -> None:
    for score, sequence in ((5.0, 1), (6.0, 3), (4.0, 2)):
        store.online_store.write(VIEW, offer(score, NOW, sequence=sequence), now=NOW)
    assert stored(store) == 6.0


def test_pandas_writing_to_sqlite_elsewhere_in_the_process_changes_nothing(store: FeatureStore) -> None:
    store.online_store.write(VIEW, offer(5.0, NOW), now=NOW)
    with sqlite3.connect(":memory:") as elsewhere:
        pd.DataFrame({"at": [NOW]}).to_sql("t", elsewhere)
    store.online_store.write(VIEW, offer(7.0, NOW, partner="P1"), now=NOW)
    assert (stored(store), stored(store, "P1")) == (5.0, 7.0)


def test_row_from_the_future_is_refused_and_blocks_nothing(store: FeatureStore) -> None:
    report = store.online_store.write(VIEW, offer(1.0, NOW + timedelta(minutes=5, seconds=1)), now=NOW)
    assert report.refused == ("P0",)
    assert np.isnan(stored(store))
    store.online_store.write(VIEW, offer(8.0, NOW + timedelta(minutes=5)), now=NOW)
    assert stored(store) == 8.0


@pytest.mark.parametrize("seed", range(3))
def test_order_repetition_and_batches_end_in_the_same_values(store: FeatureStore, seed: int) -> None:
    rng = random.Random(seed)
    rows = [offer(float(i), NOW - timedelta(hours=i % 4), sequence=i, partner=f"P{i % 3}") for i in range(24)]
    expected = {f"P{p}": max(i for i in range(24) if i % 4 == 0 and i % 3 == p) for p in range(3)}
    shuffled = rng.sample(rows + rows[::2], len(rows) + len(rows[::2]))
    while shuffled:
        batch = [shuffled.pop() for _ in range(min(len(shuffled), rng.randrange(1, 9)))]
        store.online_store.write(VIEW, pd.concat(batch, ignore_index=True), now=NOW)
    assert {p: stored(store, p) for p in expected} == expected


def test_online_equals_offline_after_materialise(store: FeatureStore) -> None:
    store.materialise(date(2023, 10, 1))
    offline = read_snapshots(store.features_root, as_ofs=[date(2023, 10, 1)]).set_index("partner_id")
    online = store.online_rows(list(offline.index))
    assert list(online.frame.columns) == [c for c in offline.columns if c != "as_of"]
    pd.testing.assert_frame_equal(online.frame, offline.drop(columns="as_of"), rtol=0, atol=1e-9)
    assert set(online.features_as_of) == {np.datetime64("2023-10-01", "us")}


def test_older_snapshot_materialised_later_changes_nothing(store: FeatureStore) -> None:
    store.materialise(date(2023, 10, 1))
    before = store.online(["P0", "P1"])
    reports = store.materialise(date(2023, 8, 1))
    assert {r.written for r in reports.values()} == {0}
    pd.testing.assert_frame_equal(store.online(["P0", "P1"]), before)


def test_single_and_batched_reads_agree_in_rows_and_column_order(store: FeatureStore) -> None:
    store.materialise(date(2023, 9, 1))
    columns = ["won_gap_p90_days", "country", "login_count_7d", "tier"]
    ids = ["P3", "nobody", "P0"]
    batched = store.online(ids, columns)
    assert list(batched.columns) == columns
    assert list(batched.index) == ids
    assert batched.loc["nobody"].isna().all()
    for partner in ids:
        pd.testing.assert_frame_equal(store.online([partner], columns), batched.loc[[partner]])


def test_threads_read_their_own_partner_while_rows_are_written(store: FeatureStore) -> None:
    partners = [f"T{i}" for i in range(8)]
    rows = pd.concat([offer(float(i), NOW, partner=p) for i, p in enumerate(partners)], ignore_index=True)
    store.online_store.write(VIEW, rows, now=NOW)
    wrong: list[tuple[str, float]] = []

    def read(i: int) -> None:
        for _ in range(15):
            found = stored(store, partners[i])
            if found != float(i):
                wrong.append((partners[i], found))

    threads = [threading.Thread(target=read, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for step in range(5):
        store.online_store.write(VIEW, rows.assign(event_at=NOW + timedelta(seconds=step)), now=NOW)
    for thread in threads:
        thread.join()
    assert wrong == []


def test_times_read_back_are_those_written(store: FeatureStore) -> None:
    at = datetime(2023, 10, 5, 11, 59, 59, 123456)
    store.online_store.write(VIEW, offer(3.0, at), now=NOW)
    assert store.online_rows(["P0"], ["survey_score_latest"]).features_as_of[0] == np.datetime64(at, "us")
