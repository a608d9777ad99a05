"""Somebody asks what is kept, and then to be forgotten."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.functional.cli.conftest import run

CONFIG = "config_version: 1\ntables:\n  contacts: {path: contacts.csv}\n  leads: {path: leads.csv}\n"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "partnerintel.yaml").write_text(CONFIG)
    (tmp_path / "contacts.csv").write_text(
        "contact_id,partner_id,full_name,email,role,event_at\n"
        "c1,P1,Zoë Hart,zoe@hart.example,sales,2025-03-01\nc2,P1,Bob,bob@x.example,sales,2025-03-01\n"
    )
    (tmp_path / "leads.csv").write_text(
        "lead_id,company,contact_email,event_at\nl1,A GmbH,ZOE@hart.example,2025-03-02\n"
    )
    run("ingest", "-w", tmp_path)
    return tmp_path


def test_everything_kept_of_a_person_is_shown_from_any_of_its_keys(shop: Path) -> None:
    for who in ("c1", "l1", "zoe@hart.example"):
        tables = json.loads(run("person", "show", who, "-w", shop).stdout)["tables"]
        assert tables["contacts"][0]["full_name"] == "Zoë Hart"
        assert tables["leads"][0]["company"] == "A GmbH"


def test_an_erased_person_stays_erased_and_others_stay(shop: Path) -> None:
    told = run("person", "erase", "c1", "-w", shop).stdout
    assert "contacts           1 erased" in told
    run("ingest", "-w", shop)
    run("person", "show", "zoe@hart.example", "-w", shop, code=5)
    assert (
        json.loads(run("person", "show", "c1", "-w", shop).stdout)["tables"]["contacts"][0]["email"] is None
    )
    assert "bob@x.example" in run("person", "show", "c2", "-w", shop).stdout
    assert "contacts           0 erased" in run("person", "erase", "c1", "-w", shop).stdout


def test_nobody_is_an_error_that_says_what_to_give(shop: Path) -> None:
    assert "Give the contact_id" in run("person", "erase", "zoe", "-w", shop, code=5).stderr
