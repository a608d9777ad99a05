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
    # Rows that say since when they are known; without, what differs from a row held is a correction.
    frame["known_at"] = frame["event_at"] + pd.to_timedelta(frame["quantity"].fillna(0), unit="h")
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


def _names(lake):
    read = lake.read("partners")
    return list(zip(read["tier"], read["known_at"], strict=True))


def test_what_changed_at_its_source_is_known_from_its_ingest_on(tmp_path):
    lake, epoch = Lake(tmp_path), pd.Timestamp("1970-01-01")
    days = [datetime(2025, 1, day) for day in range(1, 7)]
    said = []
    for day, tier in zip(days, ["gold", "silver", "silver", "gold", "gold", "silver"], strict=True):
        frame = pd.DataFrame({"partner_id": ["p", "q"], "tier": [tier, "gold"]})
        said.append(lake.append("partners", frame, ingested_at=day).rows_corrected)
    assert said == [0, 1, 0, 1, 0, 1]
    assert _names(lake) == [
        ("gold", epoch), ("silver", days[1]), ("gold", days[3]), ("silver", days[5]), ("gold", epoch),
    ]  # fmt: skip


@pytest.mark.parametrize("amounts", [(300.0, 301.0), (301.0, 300.0), (300.0, None), (None, 300.0)])
def test_the_later_of_two_deliveries_holds_whatever_their_hashes(tmp_path, amounts):
    lake = Lake(tmp_path)
    deal = {"deal_id": ["d"], "partner_id": "p", "status": "won", "event_at": pd.Timestamp("2024-01-01")}
    for day, amount in enumerate(amounts, 1):
        frame = pd.DataFrame({**deal, "amount_usd": [amount]}).astype({"amount_usd": float})
        lake.append("deals", frame, ingested_at=datetime(2025, 1, day))
        again = lake.append("deals", frame, ingested_at=datetime(2025, 1, day, 12))
        assert (again.rows_new, again.rows_seen) == (0, 1)
    read = lake.read("deals")
    assert read["known_at"].tolist() == [pd.Timestamp("2024-01-01"), pd.Timestamp("2025-01-02")]
    assert read["amount_usd"].fillna(-1).tolist() == [-1 if a is None else a for a in amounts]


def test_exports_of_every_day_read_again_together_change_nothing(tmp_path):
    lake = Lake(tmp_path)
    both = pd.concat([_events(2), _events(2, quantity=2.0)])
    lake.append("events", _events(2), ingested_at=NOW)
    assert lake.append("events", both, ingested_at=datetime(2025, 1, 2)).rows_corrected == 2
    for frame in (both, _events(2), _events(2, quantity=2.0)):
        assert lake.append("events", frame, ingested_at=datetime(2025, 1, 3)).rows_new == 0


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
