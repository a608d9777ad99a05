"""The HTTP contract of routing, through guard and application."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.routing.shop import fill_lake, partner_features
from tests.unit.serving.world import NOW, World, open_world

LEAD = {
    "lead_id": "L1", "company": "Acme GmbH", "domain": "acme.example", "country": "DE", "region": "BY",
    "industry": "retail", "employee_count": 300, "products": ["cloud"],
    "estimated_value": {"amount": "40000", "currency": "EUR"}, "top_k": 3,
    "contact": {"email": "canary@person.example"},
}  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A worker over partners in the lake, without models: the rules decide."""
    import numpy as np

    from features.matrix import FeatureMatrix
    from serving.partners import Shelter
    from serving.view import Partners

    folder = tmp_path_factory.mktemp("http")
    frame = partner_features(20)
    fill_lake(folder / "workspace" / "lake", frame)
    matrix = FeatureMatrix.of(frame, features_as_of=np.full(20, np.datetime64("2026-11-20", "us")))
    shelter = Shelter(folder / "workspace" / "matrix", folder / "workspace" / "serving" / "partners.json")
    shelter.write(Partners(matrix, {}, NOW), with_matrix=True)
    made = open_world(folder)
    yield made
    made.runtime.stop()


def post(world: World, path: str, body: Any, *, key: str | None = None, role: str = "prm") -> Any:
    headers = {} if key is None else {"idempotency-key": key}
    return world.call("POST", path, json=body, headers=headers, role=role)


def test_a_lead_goes_from_offer_to_outcome(world: World) -> None:
    first = post(world, "/v1/leads/route", LEAD, key="a")
    assert first.status_code == 200, first.text
    assert first.headers["content-type"] == "application/json"
    again = post(world, "/v1/leads/route", LEAD, key="a")
    assert again.content == first.content
    offered = first.json()
    assert (offered["outcome"], offered["by"], offered["degraded"]) == ("offered", "rules", True)
    path = "/v1/leads/L1"
    declined = {"partner_id": offered["offered_to"], "response": "declined", "reason": "no time"}
    gone_on = post(world, f"{path}/response", declined).json()
    assert gone_on["next_offer"]["offered_to"] == gone_on["partner_id"] != offered["offered_to"]
    accepted = {"partner_id": gone_on["partner_id"], "response": "accepted"}
    assert post(world, f"{path}/response", accepted).json()["state"] == "accepted"
    won = {
        "outcome": "won",
        "value": {"amount": "41000.50", "currency": "EUR"},
        "occurred_at": "2026-11-20T09:00:00Z",
    }
    assert post(world, f"{path}/outcome", won).json()["value"] == won["value"]
    found = world.call("GET", path, role="prm").json()
    assert [h["state"] for h in found["history"]] == ["declined", "won"]
    shown = world.call("GET", f"/v1/decisions/{offered['decision_id']}", role="prm").json()
    assert shown["replayed"] == "identical"
    assert len(shown["details"]["candidates"]) == 20
    assert "canary" not in world.log.getvalue() + str(shown) + str(found)
    assert post(world, f"{path}/erase", {}).json() == {"lead_id": "L1", "erased": True}


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"country": "Germany"}, "/country"),
        ({"favourite": True}, "/favourite"),
        ({"estimated_value": {"amount": "1e9", "currency": "EUR"}}, "/estimated_value/amount"),
        ({"products": ["x"] * 51}, "/products"),
        ({"top_k": 0}, "/top_k"),
        ({"offered_to": "P1"}, "/offered_to"),
        ({"lead_id": "2026/17"}, "/lead_id"),
        ({"lead_id": ".."}, "/lead_id"),
    ],
)
def test_a_lead_that_does_not_fit_is_refused_with_its_place(world: World, change: Any, pointer: str) -> None:
    found = post(world, "/v1/leads/route", {**LEAD, "lead_id": "bad", **change}, key=f"bad {pointer}")
    assert found.status_code == 422
    assert pointer in [e["pointer"] for e in found.json()["errors"]]
    assert world.call("GET", "/v1/leads/bad", role="prm").status_code == 404


def test_what_does_not_fit_is_told_in_words_and_at_the_place_where_it_was_sent(world: World) -> None:
    bad = {**LEAD, "country": "Germany", "estimated_value": {"amount": "1e9", "currency": "euro"}}
    told = {e["pointer"]: e["detail"] for e in post(world, "/v1/leads/route", bad, key="w").json()["errors"]}
    assert [d.rpartition("such as ")[2] for d in told.values()] == ["DE", '"40000" or "12.50"', "EUR"]
    long = post(world, "/v1/leads/route", LEAD, key="x" * 201)
    assert [e["pointer"] for e in long.json()["errors"]] == ["/Idempotency-Key"]


def test_without_a_key_nothing_is_routed_and_one_key_is_for_one_request(world: World) -> None:
    missing = post(world, "/v1/leads/route", {**LEAD, "lead_id": "L2"})
    assert (missing.status_code, missing.json()["errors"][0]["pointer"]) == (400, "/Idempotency-Key")
    assert post(world, "/v1/leads/route", {**LEAD, "lead_id": "L2"}, key="b").status_code == 200
    assert post(world, "/v1/leads/route", {**LEAD, "lead_id": "L3"}, key="b").status_code == 422
    twice = post(world, "/v1/leads/route", {**LEAD, "lead_id": "L2"}, key="c")
    assert (twice.status_code, twice.json()["type"]) == (409, "urn:partnerintel:problem:conflict")


def test_another_owners_lead_is_no_lead(world: World) -> None:
    post(world, "/v1/leads/route", {**LEAD, "lead_id": "L4"}, key="d")
    assert world.call("GET", "/v1/leads/L4", role="admin").status_code == 404
    answer = {"partner_id": "P0001", "response": "accepted"}
    assert post(world, "/v1/leads/L4/response", answer, role="admin").status_code == 404
    for role in ("recruiter", "channel_manager"):
        assert post(world, "/v1/leads/route", LEAD, key="e", role=role).status_code == 403


def test_a_batch_answers_the_good_rows_and_names_the_faults(world: World) -> None:
    rows = [{**LEAD, "lead_id": f"B{n}", "contact": None} for n in range(4)]
    rows[1]["country"] = "Germany"
    rows[2]["lead_id"] = "B0"
    found = post(world, "/v1/leads/assign", {"leads": [*rows, 7]}, key="batch")
    assert found.status_code == 200, found.text
    answer = found.json()
    assert sorted(r["lead_id"] for r in answer["results"]) == ["B0", "B3"]
    assert {e["errors"][0]["pointer"] for e in answer["errors"]} == {
        "/leads/1/country", "/leads/2/lead_id", "/leads/4",
    }  # fmt: skip
    assert post(world, "/v1/leads/assign", {"leads": [*rows, 7]}, key="batch").content == found.content


def test_an_unclaimed_account_may_be_registered(world: World) -> None:
    found = post(world, "/v1/registrations/check", {"company": "Nobody Knows AG", "country": "DE"}).json()
    assert found == {"conflict": False, "owner": None, "claims": [], "registrations_checked": 0}


def test_a_partner_is_paused_by_a_person(world: World) -> None:
    wish = {"paused_until": "2026-12-01T00:00:00Z", "capacity": 3}
    assert post(world, "/v1/partners/P0003/routing", wish).json()["capacity"] == 3
    assert post(world, "/v1/partners/nobody/routing", wish).status_code == 404


def test_a_report_is_about_the_days_asked_for(world: World) -> None:
    found = world.call("GET", "/v1/routing/report?since=2026-11-01", role="prm").json()
    assert found["since"] == "2026-11-01T00:00:00.000000Z"
    for bad in ("since=yesterday", "since=2026-02-30", "from=2026-01-01"):
        refused = world.call("GET", f"/v1/routing/report?{bad}", role="prm")
        assert refused.status_code == 422
        assert [e["pointer"] for e in refused.json()["errors"]] == ["/" + bad.split("=")[0]]


def test_answers_fit_the_published_shapes(world: World) -> None:
    from serving.routing.schemas import LeadAnswer, ReportAnswer, RouteAnswer

    ReportAnswer.model_validate_json(world.call("GET", "/v1/routing/report", role="prm").content)

    found = post(world, "/v1/leads/route", {**LEAD, "lead_id": "S1"}, key="shape")
    RouteAnswer.model_validate_json(found.content)
    LeadAnswer.model_validate_json(world.call("GET", "/v1/leads/S1", role="prm").content)


def test_what_does_not_fit_a_lead_as_it_stands_is_a_conflict_and_not_a_faulty_request(world: World) -> None:
    post(world, "/v1/leads/route", {**LEAD, "lead_id": "C1", "domain": "c1.example"}, key="c1")
    answers = (
        post(world, "/v1/leads/C1/outcome", {"outcome": "won"}),
        post(world, "/v1/leads/C1/response", {"partner_id": "nobody", "response": "accepted"}),
    )
    told = [(a.status_code, a.json()["type"]) for a in answers]
    assert told == [(409, "urn:partnerintel:problem:conflict")] * 2
