"""Offers the service made, as rows that judge a policy and train a model."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from features.leadhistory import offers_of
from partnerintel.service_log import service_tables, with_service
from partnerintel.settings import Project, open_project
from serving.routing.lead import Lead
from serving.routing.store import LeadRow, OfferRow, add_offer, put_lead
from serving.state import Database, iso
from training.routing_rows import RoutingTables

AT = datetime(2026, 5, 4, 9)


def offer(lead: str, turn: int, partner: str, state: str, **more: Any) -> OfferRow:
    given = {"answered_at": None if state == "offered" else iso(AT.replace(hour=10)), **more}
    return OfferRow("prm", lead, turn, partner, state, "dec_1", 0.25, 2, "gold", "DE/BY", "small", 0.0,
                    iso(AT.replace(minute=turn)), iso(AT.replace(day=6)), **given)  # fmt: skip


def lead_row(lead: Lead) -> LeadRow:
    kept = {"lead": lead.to_json(), "top_k": 3, "max_reasons": 5}
    return LeadRow("prm", lead.lead_id, "won", "", "B", None, 1, "dec_1", kept, {}, 4_000_000, "USD",
                   None, iso(AT), iso(AT))  # fmt: skip


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "partnerintel.yaml").write_text("config_version: 1\n")
    found = open_project(tmp_path)
    database = Database(found.serving.database(tmp_path))
    database.migrate()
    with database.write() as connection:
        lead = Lead("L1", country="DE", products=("cloud", "backup"), value_cents=4_000_000, currency="USD",
                    value_usd=40_000.0)  # fmt: skip
        put_lead(connection, lead_row(lead), new=True)
        put_lead(connection, lead_row(Lead("L2", country="FR")), new=True)
        add_offer(connection, offer("L1", 0, "A", "declined", reason="too small"))
        won = {"closed_at": iso(AT.replace(month=6)), "value_cents": 3_900_000}
        add_offer(connection, offer("L1", 1, "B", "won", **won))
        add_offer(connection, offer("L2", 0, "A", "offered"))
    database.close()
    return found


def test_each_offer_is_there_once_with_its_course_and_its_propensity(project: Project) -> None:
    _, assignments = service_tables(project)
    found = offers_of(assignments, leads=None).set_index(["lead_id", "partner_id"])
    assert found.loc[("L1", "A"), ["answer", "reason"]].tolist() == ["declined", "too small"]
    won = found.loc[("L1", "B")]
    assert [won["answer"], won["outcome"], won["value_usd"], won["propensity"]] == [
        "accepted",
        "won",
        39_000.0,
        0.25,
    ]
    assert won["closed_at"] == pd.Timestamp("2026-06-04 09:00")
    assert pd.isna(found.loc[("L2", "A"), "answer"])


def test_leads_have_what_pairs_are_made_of(project: Project) -> None:
    leads = service_tables(project)[0].set_index("lead_id")
    assert leads.loc["L1", ["country", "products", "estimated_value_usd"]].tolist() == [
        "DE", "cloud|backup", 40_000.0,
    ]  # fmt: skip
    assert leads.loc["L2", "products"] is None
    assert json.dumps(leads.index.tolist()) == '["L1", "L2"]'


def test_one_id_of_two_owners_is_two_leads(project: Project) -> None:
    database = Database(project.serving.database(project.workspace.root))
    with database.write() as connection:
        put_lead(connection, replace(lead_row(Lead("L2", country="IT")), owner="other"), new=True)
    database.close()
    leads, assignments = service_tables(project)
    assert sorted(leads["lead_id"]) == ["L1", "other/L2", "prm/L2"]
    assert set(assignments["lead_id"]) == {"L1", "prm/L2"}


def test_leads_that_the_lake_knows_count_once(project: Project) -> None:
    leads, assignments = service_tables(project)
    lake = RoutingTables(leads.head(1), assignments[assignments["lead_id"] == "L1"], None, {})
    both = with_service(lake, project)
    assert len(both.assignments) == len(assignments)
    assert sorted(both.leads["lead_id"]) == ["L1", "L2"]
    again = with_service(both, project)
    assert len(again.assignments) == len(assignments)
