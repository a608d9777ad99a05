"""Parquet, DuckDB queries and databases by URL feed the same tables as CSV does."""

import sqlite3
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import duckdb
import numpy as np
import pandas as pd
import pytest

from data.connectors.sql import as_text
from data.errors import DataError

HEADER = "survey_id,partner_id,score,event_at\n"


def _frame(**values):
    frame = pd.DataFrame(
        {
            "survey_id": ["s1", "s2"],
            "partner_id": ["p1", "p2"],
            "score": [7.0, 8.0],
            "event_at": ["2024-01-02"] * 2,
        }
    )
    return frame.assign(event_at=pd.to_datetime(frame["event_at"])).assign(**values)


def _csv_version(workspace, text):
    from data.lake import Lake

    workspace.write("other.csv", text)
    lake = Lake(workspace.folder / "other")
    workspace.ingest({"surveys": {"path": "other.csv"}}, lake=lake)
    return lake.version()


def test_all_ways_in_give_the_same_rows(workspace):
    expected = _csv_version(workspace, HEADER + "s1,p1,7,2024-01-02\ns2,p2,8,2024-01-02\n")
    _frame().to_parquet(workspace.folder / "s.parquet")
    with sqlite3.connect(workspace.folder / "s.sqlite") as link:
        _frame().assign(event_at="2024-01-02 00:00:00").to_sql("s", link, index=False)
    link.close()
    with duckdb.connect(str(workspace.folder / "s.duckdb")) as duck:
        duck.execute(f"CREATE TABLE s AS FROM '{workspace.folder / 's.parquet'}'")
    sources = {"lite": {"url": "sqlite:///s.sqlite"}, "duck": {"url": "duckdb:///s.duckdb"}}
    ways = [
        {"path": "s.parquet"},
        {"query": "SELECT * FROM 's.parquet' ORDER BY 1"},
        {"query": "SELECT * FROM s", "source": "lite"},
        {"query": "SELECT * FROM s", "source": "duck"},
    ]
    for way in ways:
        workspace.ingest({"surveys": way}, sources=sources)
        assert workspace.lake.version() == expected, way
    assert workspace.lake.rows("surveys") == 2


def test_a_whole_number_stored_as_floating_point_is_an_identifier_until_it_is_not_exact(workspace):
    _frame(partner_id=[17850.0, 2.0**53]).to_parquet(workspace.folder / "s.parquet")
    report = workspace.ingest({"surveys": {"path": "s.parquet"}})
    assert workspace.lake.read("surveys")["partner_id"].tolist() == ["17850"]
    (fault,) = [f for f in report.findings if f.row]
    assert (fault.code, fault.row, fault.field) == ("PI-D031", 2, "partner_id")


def test_long_whole_numbers_stay_exact(workspace):
    _frame(partner_id=[2**53 + 1, 2**62 + 1]).to_parquet(workspace.folder / "s.parquet")
    workspace.ingest({"surveys": {"path": "s.parquet"}})
    assert workspace.lake.read("surveys")["partner_id"].tolist() == [str(2**53 + 1), str(2**62 + 1)]


def test_decimals_and_integers_become_numbers(workspace):
    workspace.ingest(
        {
            "surveys": {
                "query": "SELECT 's1' AS survey_id, 'p' AS partner_id, 7.25::DECIMAL(19,4) AS score, "
                "20240102 AS event_at UNION ALL SELECT 's2', 'p', 8, 20240103"
            }
        }
    )
    read = workspace.lake.read("surveys")
    assert read["score"].tolist() == [7.25, 8.0]
    assert read["event_at"].tolist() == [pd.Timestamp("2024-01-02"), pd.Timestamp("2024-01-03")]


def test_text_in_parquet_is_parsed_like_text_in_csv(workspace):
    _frame(score=["7,5", "NA"], event_at=["02.01.2024", "2024-01-03"]).to_parquet(
        workspace.folder / "s.parquet"
    )
    report = workspace.ingest({"surveys": {"path": "s.parquet"}})
    assert workspace.lake.read("surveys")["score"].tolist() == [7.5]
    assert [(f.code, f.given) for f in report.findings if f.row] == [("PI-D022", "NA")]


def test_nanoseconds_are_cut_and_not_a_number_is_missing(workspace):
    at = pd.to_datetime(["2024-01-02 00:00:00.000000400", "2024-01-02"], format="ISO8601")
    _frame(event_at=at, score=[7.0, np.nan]).to_parquet(workspace.folder / "s.parquet")
    report = workspace.ingest({"surveys": {"path": "s.parquet"}})
    assert workspace.lake.read("surveys")["event_at"].tolist() == [pd.Timestamp("2024-01-02")]
    assert [f.code for f in report.findings if f.row] == ["PI-D022"]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (
            {"event_at": [True, False]},
            r"surveys.event_at needs a timestamp; 'event_at' is BOOLEAN \(PI-D011\)",
        ),
        ({"event_at": [1.5, 2.5]}, "PI-D011"),
        ({"score": [date(2024, 1, 2)] * 2}, "PI-D011"),
        ({"partner_id": [[1], [2]]}, "PI-D011"),
    ],
)
def test_a_type_that_cannot_be_converted_is_refused(workspace, values, said):
    _frame(**values).to_parquet(workspace.folder / "s.parquet")
    with pytest.raises(DataError, match=said):
        workspace.ingest({"surveys": {"path": "s.parquet"}})


def test_an_empty_column_may_have_any_type(workspace):
    _frame(known_at=pd.array([None, None], dtype="Float64")).to_parquet(workspace.folder / "s.parquet")
    assert workspace.ingest({"surveys": {"path": "s.parquet"}}).tables["surveys"].rows_new == 2


@pytest.mark.parametrize(
    ("way", "said"),
    [
        ({"query": "SELEKT 1"}, "surveys: the query fails.*PI-D010"),
        ({"query": "SELECT * FROM 'none.parquet'"}, "finds no file.*PI-D001.*relative to .root:., here /"),
        ({"query": "SELECT 1 AS survey_id WHERE false"}, "the query returns no rows .PI-D002"),
        ({"query": "SELECT * FROM nothing", "source": "lite"}, "source 'lite' cannot be queried.*PI-D010"),
        ({"query": "SELECT 1", "source": "none"}, "source 'none' cannot be queried.*PI-D010"),
        ({"query": "SELECT 1", "source": "odd"}, "source 'odd' cannot be queried.*PI-D010"),
        ({"query": "SELECT 1", "source": "duck"}, "source 'duck' cannot be queried.*PI-D010"),
        ({"query": "SELECT name FROM sqlite_master", "source": "lite"}, "returns no rows .PI-D002"),
    ],
)
def test_queries_that_fail_are_refused_without_showing_passwords(workspace, way, said):
    sqlite3.connect(workspace.folder / "s.sqlite").close()
    sources = {
        "lite": {"url": "sqlite:///s.sqlite"},
        "none": {"url": "sqlite:///secret-none.sqlite"},
        "odd": {"url": "nodriver://user:secret@host/db"},
        "duck": {"url": "duckdb:///none.duckdb"},
    }
    with pytest.raises(DataError, match=said) as fault:
        workspace.ingest({"surveys": way}, sources=sources)
    assert "user:secret" not in str(fault.value)
    assert not workspace.lake.has("surveys")


def test_a_broken_parquet_file_is_refused(workspace):
    workspace.write("s.parquet", b"PAR1 not really PAR1")
    with pytest.raises(DataError, match="PI-D003"):
        workspace.ingest({"surveys": {"path": "s.parquet"}})


def test_where_is_sql_over_the_customers_names(workspace):
    workspace.write(
        "s.csv", "Survey No.;partner_id;score;event_at;Land\nA;p;7;2024-01-02;DE\nB;p;8;2024-01-02;FR\n"
    )
    columns = {
        "survey_id": "Survey No.",
        "partner_id": "partner_id",
        "score": "score",
        "event_at": "event_at",
    }
    way = {"path": "s.csv", "columns": columns, "where": "Land = 'DE' AND CAST(score AS INTEGER) > 5"}
    report = workspace.ingest({"surveys": way}).tables["surveys"]
    assert (report.rows_in, report.rows_new, report.rows_filtered) == (1, 1, 1)
    with pytest.raises(DataError, match=r"tables.surveys.where: 'Lnd = 1' fails.*PI-D010"):
        workspace.ingest({"surveys": {**way, "where": "Lnd = 1"}})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None),
        (True, "true"),
        (7, "7"),
        (17850.0, "17850"),
        (0.1, "0.1"),
        (2.0**60, "1.152921504606847e+18"),
        (Decimal("1E+2"), "100"),
        (Decimal("1.2300"), "1.2300"),
        (date(2024, 1, 2), "2024-01-02"),
        (datetime(2024, 1, 2, 3, 4, 5, 6), "2024-01-02 03:04:05.000006"),
        (datetime(2024, 1, 2, 3, tzinfo=UTC), "2024-01-02 03:00:00"),
        (b"abc", "abc"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    ],
)
def test_database_values_travel_as_exact_text(value, text):
    assert as_text(value) == text
