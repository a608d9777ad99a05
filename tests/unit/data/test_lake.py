"""The lake: idempotent, order-free, whole."""

import json
from datetime import datetime

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from data.errors import DataError
from data.lake import Lake
from data.tables import TABLES

NOW = datetime(2025, 1, 1)


def _events(count=6, **values):
    frame = pd.DataFrame(
        {
            "event_id": [f"e{i}" for i in range(count)],
            "partner_id": [f"p{i % 2}" for i in range(count)],
            "event_type": "portal_login",
            "event_at": pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(count), unit="D"),
        }
    )
    return frame.assign(**values)


def test_a_second_append_adds_nothing_and_changes_no_byte(tmp_path):
    lake = Lake(tmp_path)
    first = lake.append("events", _events(), ingested_at=NOW)
    before = {p: p.read_bytes() for p in [*lake.paths("events"), tmp_path / "manifest.json"]}
    again = lake.append("events", _events(), ingested_at=datetime(2025, 2, 1))
    assert (first.rows_new, again.rows_new, again.rows_seen) == (6, 0, 6)
    assert {p: p.read_bytes() for p in [*lake.paths("events"), tmp_path / "manifest.json"]} == before


_ROWS = st.lists(
    st.tuples(
        st.integers(0, 4), st.integers(0, 3), st.sampled_from(["a", "b"]), st.none() | st.integers(0, 2)
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=12, deadline=None)
@given(rows=_ROWS, seed=st.integers(0, 99), cuts=st.integers(1, 3))
def test_order_repetition_and_batches_do_not_matter(tmp_path_factory, rows, seed, cuts):
    frame = pd.DataFrame(rows, columns=["event_id", "day", "event_type", "quantity"])
    frame["event_id"] = "e" + frame["event_id"].astype(str)
    frame["partner_id"] = "p"
    frame["event_at"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(frame.pop("day"), unit="D")
    frame["quantity"] = frame["quantity"].astype(float)
    whole = Lake(tmp_path_factory.mktemp("whole"))
    whole.append("events", frame, ingested_at=NOW)
    split = Lake(tmp_path_factory.mktemp("split"))
    shuffled = pd.concat([frame, frame.head(2)]).sample(frac=1, random_state=seed)
    for piece in np.array_split(np.arange(len(shuffled)), cuts):
        split.append("events", shuffled.iloc[piece], ingested_at=datetime(2025, 3, 1))
    assert_frame_equal(split.read("events"), whole.read("events"))
    assert split.version() == whole.version()
    assert whole.rows("events") == len(frame.drop_duplicates())


def test_every_version_of_a_record_is_kept(tmp_path):
    lake = Lake(tmp_path)
    lake.append("events", _events(1), ingested_at=NOW)
    corrected = _events(1, quantity=3.0, known_at=pd.Timestamp("2024-06-01"))
    assert lake.append("events", corrected, ingested_at=NOW).rows_new == 1
    read = lake.read("events")
    assert read["event_id"].tolist() == ["e0", "e0"]
    assert read["known_at"].tolist() == [pd.Timestamp("2024-01-01"), pd.Timestamp("2024-06-01")]


def test_missing_known_at_is_when_it_happened_or_the_epoch(tmp_path):
    lake = Lake(tmp_path)
    lake.append("events", _events(1), ingested_at=NOW)
    lake.append("partners", pd.DataFrame({"partner_id": ["p"]}), ingested_at=NOW)
    assert lake.read("events")["known_at"].tolist() == [pd.Timestamp("2024-01-01")]
    assert lake.read("partners")["known_at"].tolist() == [pd.Timestamp("1970-01-01")]


def test_frames_have_the_contract_columns_and_types(tmp_path):
    lake = Lake(tmp_path)
    empty = lake.read("partners")
    lake.append("partners", pd.DataFrame({"partner_id": ["p"], "employee_count": [12]}), ingested_at=NOW)
    read = lake.read("partners")
    assert list(read.columns) == [*TABLES["partners"].names, "row_hash"]
    assert read.dtypes.equals(empty.dtypes)
    assert read.dtypes[["partner_id", "employee_count", "annual_revenue_usd", "signed_at"]].astype(
        str
    ).tolist() == [
        "object",
        "Int64",
        "float64",
        "datetime64[us]",
    ]


def test_files_are_parquet_in_microseconds(tmp_path):
    lake = Lake(tmp_path)
    lake.append("events", _events(), ingested_at=NOW)
    (path,) = lake.paths("events")
    assert str(pq.read_schema(path).field("event_at").type) == "timestamp[us]"
    assert path.parent.name == "events"


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_time_units_and_zones_do_not_matter(tmp_path, unit):
    lake = Lake(tmp_path)
    frame = _events()
    lake.append("events", frame, ingested_at=NOW)
    zoned = frame.assign(event_at=frame["event_at"].astype(f"datetime64[{unit}]").dt.tz_localize("UTC"))
    zoned["event_at"] = zoned["event_at"].dt.tz_convert("America/New_York")
    assert lake.append("events", zoned.astype({"event_type": "category"}), ingested_at=NOW).rows_seen == 6


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"event_type": None}, "events.event_type breaks the contract"),
        ({"quantity": -1.0}, "events.quantity breaks the contract.*-1"),
        ({"quantity": np.inf}, "events.quantity breaks the contract"),
        ({"quantity": "many"}, "events.quantity cannot become a number"),
        ({"event_at": "soon"}, "events.event_at cannot become a timestamp"),
        ({"partner_id": 7}, "events.partner_id cannot become a string"),
        ({"colour": "red"}, "events has no column 'colour'"),
    ],
)
def test_a_frame_that_breaks_the_contract_is_refused_whole(tmp_path, values, said):
    lake = Lake(tmp_path)
    with pytest.raises(DataError, match=said):
        lake.append("events", _events(**values), ingested_at=NOW)
    assert not lake.has("events")
    assert not list(tmp_path.rglob("*part-*"))


def test_a_required_column_that_is_absent_is_refused(tmp_path):
    with pytest.raises(DataError, match="lacks the column partner_id"):
        Lake(tmp_path).append("events", _events().drop(columns="partner_id"), ingested_at=NOW)


def test_an_unknown_table_names_the_nearest(tmp_path):
    with pytest.raises(DataError, match=r"no table 'event'.*Did you mean 'events'\?"):
        Lake(tmp_path).paths("event")


def test_an_error_inside_a_transaction_leaves_no_trace(tmp_path):
    lake = Lake(tmp_path)
    lake.append("events", _events(2), ingested_at=NOW)
    before = sorted(p.name for p in tmp_path.rglob("*") if p.is_file())
    version = lake.version()

    def _fail():
        from data.lake import connect
        from data.schemas import to_arrow

        with lake.transaction(ingested_at=NOW) as work, connect() as connection:
            connection.register("rows", to_arrow("events", _events(5)))
            assert work.add("events", connection, "rows").rows_new == 3
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _fail()
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == before
    assert (lake.version(), lake.rows("events")) == (version, 2)


def test_leftovers_of_a_killed_writer_are_not_read_and_are_swept(tmp_path):
    lake = Lake(tmp_path)
    lake.append("events", _events(2), ingested_at=NOW)
    (path,) = lake.paths("events")
    stray, torn = path.with_name("part-dead.parquet"), path.with_name(".part-x.parquet.tmp")
    stray.write_bytes(path.read_bytes())
    torn.write_bytes(b"PAR1")
    assert len(lake.read("events")) == 2
    lake.append("events", _events(3), ingested_at=NOW)
    assert not stray.exists()
    assert not torn.exists()
    assert lake.rows("events") == 3


def test_a_damaged_manifest_is_refused_in_words(tmp_path):
    lake = Lake(tmp_path)
    lake.append("events", _events(2), ingested_at=NOW)
    manifest = tmp_path / "manifest.json"
    manifest.write_text(manifest.read_text()[:-20])
    with pytest.raises(DataError, match="is damaged"):
        lake.read("events")
    manifest.write_text(json.dumps({"format": 99, "tables": {}}))
    with pytest.raises(DataError, match="has format 99"):
        lake.read("events")


def test_the_version_follows_the_content(tmp_path):
    lake = Lake(tmp_path)
    versions = [lake.version()]
    lake.append("events", _events(2), ingested_at=NOW)
    versions.append(lake.version())
    lake.append("partners", pd.DataFrame({"partner_id": ["p"]}), ingested_at=NOW)
    versions.append(lake.version())
    assert len(set(versions)) == 3
    assert lake.tables() == ("partners", "events")


def test_rows_written_before_a_column_existed_are_read_with_nothing_in_it(tmp_path):
    lake = Lake(tmp_path)
    lake.append("events", _events(2), ingested_at=NOW)
    (path,) = lake.paths("events")
    pq.write_table(pq.read_table(path).drop_columns(["quantity"]), path)
    assert lake.read("events")["quantity"].isna().all()
    assert lake.append("events", _events(2), ingested_at=NOW).rows_seen == 2
