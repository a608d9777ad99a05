"""Ingest from end to end: counts that reconcile, all or nothing, twice the same."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from data.errors import DataError
from data.ingest import ingest
from data.lake import Lake
from data.mapping import DataSettings

NOW = datetime(2025, 1, 1)
PARTNERS = "Account;Firma;Mitarbeiter\nA1;Müller GmbH;1.200\nA2;NA;35,0\nA3;Łódź Sp.;\n"
DEALS = (
    "Opportunity,Account,Stage,Value,Closed\n"
    'D1,A1,Won,"1,200.50",01/31/2024\n'
    "D2,A2,won,300,02/13/2024\n"
    "D2,A2,won,300,02/13/2024\n"
    "D2,A2,won,350,02/13/2024\n"
    "D3,A9,won,300,02/13/2024\n"
    "D4,A2,won,a lot,02/13/2024\n"
    "D5,A2,won,300,02/13/2026\n"
    "D6,A2\n"
    "D7,A2,lost,,02/14/2024\n"
)
TABLES = {
    "partners": {
        "path": "partners.csv",
        "columns": {"partner_id": "Account", "name": "Firma", "employee_count": "Mitarbeiter"},
    },
    "deals": {
        "path": "deals-*.csv",
        "columns": {
            "deal_id": "Opportunity",
            "partner_id": "Account",
            "status": "Stage",
            "amount_usd": "Value",
            "event_at": "Closed",
        },
    },
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "partners.csv").write_bytes(b"\xef\xbb\xbf" + PARTNERS.encode())
    (tmp_path / "deals-1.csv").write_text(DEALS, encoding="utf-8")
    return tmp_path


def _ingest(folder, tables=TABLES, *, lake="lake", at=NOW, progress=None):
    settings = DataSettings.from_config({"tables": tables})
    target = Lake(folder / lake)
    return target, ingest(settings, base=folder, lake=target, ingested_at=at, progress=progress)


def _balanced(report):
    return report.rows_in == (
        report.rows_new + report.rows_seen + report.rows_duplicate + report.rows_quarantined
    )


def test_counts_reconcile_and_nothing_is_lost(folder):
    lake, report = _ingest(folder)
    deals = report.tables["deals"]
    assert (deals.rows_in, deals.rows_new, deals.rows_duplicate, deals.rows_quarantined) == (9, 4, 1, 4)
    assert all(_balanced(r) for r in report.tables.values())
    assert {(f.code, f.row, f.field) for f in report.findings} == {
        ("PI-D020", 9, ""),
        ("PI-D023", 7, "amount_usd"),
        ("PI-D029", 8, "event_at"),
        ("PI-D030", 6, "partner_id"),
        ("PI-D040", None, ""),
        ("PI-D041", None, "deal_id"),
    }
    read = lake.read("deals")
    assert read["deal_id"].tolist() == ["D1", "D2", "D2", "D7"]
    assert sorted(read["amount_usd"].dropna()) == [300.0, 350.0, 1200.5]
    partners = lake.read("partners")
    assert partners["name"].tolist() == ["Müller GmbH", "NA", "Łódź Sp."]
    assert partners["employee_count"].tolist() == [1200, 35, pd.NA]


def test_a_second_ingest_sees_every_row_again_and_changes_no_byte(folder):
    _, first = _ingest(folder)
    before = {p: p.read_bytes() for p in (folder / "lake").rglob("*.parquet")}
    before[folder / "lake" / "manifest.json"] = (folder / "lake" / "manifest.json").read_bytes()
    _, again = _ingest(folder, at=datetime(2025, 2, 1))
    assert {p: p.read_bytes() for p in before} == before
    for table, report in again.tables.items():
        assert (report.rows_new, report.rows_seen) == (0, first.tables[table].rows_new)
        assert _balanced(report)


def test_split_and_shuffled_input_gives_the_same_lake(folder):
    # Of one deal two versions that do not say since when: which holds is the order they came in.
    once = DEALS.replace("D2,A2,won,350,02/13/2024\n", "")
    (folder / "deals-1.csv").write_text(once)
    whole, _ = _ingest(folder)
    header, *rows = once.splitlines(keepends=True)
    np.random.default_rng(7).shuffle(rows)
    (folder / "deals-1.csv").write_text(header + "".join(rows[:4]))
    _ingest(folder, lake="other", at=datetime(2025, 3, 1))
    # The second part has to say how its dates are written: on its own it might not tell.
    (folder / "deals-1.csv").write_text(header + "".join(rows[4:]))
    tables = {**TABLES, "deals": {**TABLES["deals"], "dates": ["MM/DD/YYYY"]}}
    other, _ = _ingest(folder, tables, lake="other", at=datetime(2025, 4, 1))
    assert other.version() == whole.version()
    for table in ("partners", "deals"):
        assert_frame_equal(other.read(table), whole.read(table))


def test_one_bad_table_writes_none_and_all_faults_are_named(folder):
    (folder / "surveys.csv").write_text("")
    tables = {**TABLES, "surveys": {"path": "surveys.csv"}, "costs": {"path": "costs.csv"}}
    with pytest.raises(
        DataError, match=r"(?s)2 tables cannot be used, and nothing was ingested.*PI-D002.*PI-D001"
    ):
        _ingest(folder, tables)
    lake = Lake(folder / "lake")
    assert lake.tables() == ()
    assert not list((folder / "lake").rglob("*.csv"))
    assert not list((folder / "lake").rglob("*.parquet"))


def test_several_origins_feed_one_table(folder):
    (folder / "more.csv").write_text("deal_id,partner_id,event_at\nD8,A1,2024-05-01\n")
    deals = [TABLES["deals"], {"path": "more.csv", "constants": {"status": "registered"}}]
    lake, report = _ingest(folder, {**TABLES, "deals": deals})
    assert report.tables["deals"].rows_in == 10
    assert lake.read("deals").set_index("deal_id")["status"]["D8"] == "registered"
    assert _balanced(report.tables["deals"])


def test_progress_rises_to_one_and_names_the_tables(folder):
    seen = []
    _ingest(folder, progress=lambda label, share: seen.append((label, share)))
    shares = [share for _, share in seen]
    assert shares == sorted(shares)
    assert seen[-1] == ("done", 1.0)
    assert {label.split(":")[0] for label, _ in seen} == {"partners", "deals", "done"}


_INGEST = """
import datetime, json, pathlib, sys
from data.ingest import ingest
from data.lake import Lake
from data.mapping import DataSettings
base = pathlib.Path(sys.argv[1])
lake = Lake(base / "far")
settings = DataSettings.from_config({"tables": json.loads(sys.argv[2])})
ingest(settings, base=base, lake=lake, ingested_at=datetime.datetime(2025, 1, 1))
print(lake.version())
"""


def test_the_time_zone_of_the_host_changes_no_byte(folder):
    lake, _ = _ingest(folder)
    done = subprocess.run(
        [sys.executable, "-c", _INGEST, str(folder), json.dumps(TABLES)],
        env={**os.environ, "TZ": "Pacific/Kiritimati"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == lake.version()


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=9))])
def test_time_of_ingest_may_carry_a_zone(folder, zone):
    lake, _ = _ingest(folder, at=NOW.replace(tzinfo=UTC).astimezone(zone))
    assert '"ingested_at": "2025-01-01T00:00:00Z"' in (folder / "lake" / "manifest.json").read_text()
    assert lake.has("deals")


_CELL = st.sampled_from(
    ["A1", "A2", "A9", "", "x y", '"', "7", "2024-01-02", "02.01.2024", "NA", "'", "=1", "won"]
)


@settings(max_examples=15, deadline=None)
@given(rows=st.lists(st.lists(_CELL, min_size=1, max_size=7), min_size=1, max_size=8))
def test_whatever_the_rows_hold_the_counts_reconcile(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("any")
    (folder / "partners.csv").write_text(PARTNERS, encoding="utf-8")
    lines = [",".join('"' + c.replace('"', '""') + '"' for c in row) for row in rows]
    text = "Opportunity,Account,Stage,Value,Closed\n" + "\n".join(lines) + "\n"
    (folder / "deals-1.csv").write_text(text)
    real = sum(len(row) > 1 or bool(row[0].strip()) for row in rows)
    tables = {**TABLES, "deals": {**TABLES["deals"], "decimal": "."}}
    if not real:
        return
    _, report = _ingest(folder, tables)
    deals = report.tables["deals"]
    assert deals.rows_in == real
    assert _balanced(deals)
