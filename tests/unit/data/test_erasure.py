"""Forgetting a person: every version, every table, and for good."""

from datetime import datetime

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.erasure import erase_person, find_person
from data.errors import DataError
from data.lake import Lake
from data.manifest import ERASED as FORGOTTEN
from data.quarantine import ERASED, HEADER

NOW = datetime(2025, 1, 1)
DAY = pd.Timestamp("2024-01-01")


def contacts(*rows):
    names = ["contact_id", "partner_id", "full_name", "email", "role"]
    return pd.DataFrame(rows, columns=names).assign(event_at=DAY)


ANN = ("c1", "p1", "Ann Lee", "Ann@Lee.example", "sales")
MOVED = ("c1", "p1", "Ann Lee-Roth", "ann@roth.example", "sales")
TWIN = ("c2", "p2", "Ann L.", "ann@lee.example", "owner")
BOB = ("c3", "p2", "Bob", "bob@x.example", "sales")


@pytest.fixture
def lake(tmp_path):
    found = Lake(tmp_path)
    found.append("contacts", contacts(ANN, BOB), ingested_at=NOW)
    found.append("contacts", contacts(MOVED, TWIN).assign(known_at=DAY), ingested_at=NOW)
    leads = pd.DataFrame(
        {"lead_id": ["l1", "l2"], "contact_email": ["ANN@roth.example", "carl@y.example"], "event_at": DAY}
    )
    found.append("leads", leads, ingested_at=NOW)
    return found


def everything(lake):
    return b"".join(p.read_bytes() for p in lake.root.rglob("*") if p.is_file() and p.name != FORGOTTEN)


def test_a_contact_is_found_by_key_and_by_any_address_in_all_tables(lake):
    assert find_person(lake, "c1").keys == {"contacts": ["c1", "c2"], "leads": ["l1"]}
    assert find_person(lake, "ANN@ROTH.example").keys == {"contacts": ["c1"], "leads": ["l1"]}
    assert find_person(lake, "nobody@x.example").keys == {}


def test_erasing_empties_every_version_and_leaves_the_rest(lake):
    before = lake.read("contacts")
    erase_person(lake, find_person(lake, "c1"), at=NOW)
    after = lake.read("contacts")
    kept = ["contact_id", "partner_id", "role"]
    assert after[kept].values.tolist() == before[kept].drop_duplicates().values.tolist()
    assert set(after["email"].dropna()) == {"bob@x.example"}
    assert set(lake.read("leads")["contact_email"].dropna()) == {"carl@y.example"}
    assert not any(name in everything(lake).lower() for name in (b"ann@lee", b"ann lee", b"ann@roth"))


def test_the_same_source_brings_nothing_back_and_counts_as_seen(lake):
    erase_person(lake, find_person(lake, "c1"), at=NOW)
    version = lake.version()
    again = lake.append("contacts", contacts(ANN, BOB, MOVED, TWIN), ingested_at=NOW)
    assert again.rows_new == 0
    assert lake.version() == version


def test_a_second_erasure_changes_no_byte(lake):
    erase_person(lake, find_person(lake, "c1"), at=NOW)
    before = everything(lake)
    erase_person(lake, find_person(lake, "c1"), at=datetime(2026, 1, 1))
    assert everything(lake) == before


def test_quarantined_cells_are_emptied_and_others_kept(lake):
    folder = lake.root / "quarantine"
    folder.mkdir()
    header = ",".join(HEADER)
    (folder / "contacts-1.csv").write_text(
        f"{header}\nc.csv,2,event_at,PI-D020,is no date,c1;ann@lee.example\nc.csv,3,email,PI-D020,x,bob\n"
    )
    erase_person(lake, find_person(lake, "c1"), at=NOW)
    text = (folder / "contacts-1.csv").read_text()
    assert text == f"{header}\nc.csv,2,event_at,PI-D020,is no date,{ERASED}\nc.csv,3,email,PI-D020,x,bob\n"


def test_a_death_after_the_record_is_ended_by_the_next_call(lake, monkeypatch):
    person = find_person(lake, "c1")
    monkeypatch.setattr(
        "data.lake.Transaction.rewrite", lambda *_a, **_k: (_ for _ in ()).throw(OSError("died"))
    )
    with pytest.raises(OSError, match="died"):
        erase_person(lake, person, at=NOW)
    monkeypatch.undo()
    assert b"ann@lee" in everything(Lake(lake.root)).lower()
    erase_person(lake, find_person(lake, "c1"), at=NOW)
    assert b"ann@lee" not in everything(lake).lower()


def test_a_damaged_list_of_the_forgotten_stops_every_write(lake):
    (lake.root / FORGOTTEN).write_text("{")
    with pytest.raises(DataError, match="whom to forget"):
        lake.append("contacts", contacts(ANN), ingested_at=NOW)


@settings(max_examples=5, deadline=None)
@given(order=st.permutations([ANN, MOVED, TWIN, BOB]), cut=st.integers(1, 3))
def test_erasing_before_or_after_the_rows_come_is_the_same(tmp_path_factory, order, cut):
    early, late = Lake(tmp_path_factory.mktemp("early")), Lake(tmp_path_factory.mktemp("late"))
    for lake in (early, late):
        lake.append("contacts", contacts(ANN, MOVED, TWIN), ingested_at=NOW)
    erase_person(early, find_person(early, "c1"), at=NOW)
    for piece in (order[:cut], order[cut:]):
        early.append("contacts", contacts(*piece), ingested_at=NOW)
        late.append("contacts", contacts(*piece), ingested_at=NOW)
    erase_person(late, find_person(late, "c1"), at=NOW)
    assert early.version() == late.version()
