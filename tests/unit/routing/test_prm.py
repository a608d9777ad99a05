"""What the engineer of a PRM runs into: answers that are complete, in order, and never drop what was sent."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from data.domains import bare_domain
from data.errors import InputError
from models.routing.inputs import FEATURES
from models.routing.lifecycle import StateError
from serving.routing.feed import Ready
from serving.routing.registrations import Account, Registrations, open_registrations
from serving.routing.report import LEAST_KNOWN, exposure_of
from tests.unit.routing.shop import NOW, OTHER, PRM, Shop, shop
from tests.unit.routing.test_routing import CLAIM


def test_the_partner_offered_stands_first_and_why_says_what_went_before_the_gain(tmp_path: Path) -> None:
    with shop(tmp_path, capacity=1000) as made:
        made.policy(exploration_share=0.5, exploration_most_value=1e9)
        found = [made.route(made.lead(top_k=3)) for _ in range(40)]
        explored = [f for f in found if f["explored"]]
        assert explored
        assert all(f["matches"][0]["partner_id"] == f["offered_to"] for f in found)
        for answer in explored:
            first, second = (m["expected_gain"] for m in answer["matches"][:2])
            assert answer["why"][0].startswith(f"{answer['offered_to']} before ")
            assert ("it was drawn to explore" in answer["why"][0]) is (first <= second)
            assert answer["fairness"] == {"bands": [], "cost": 0.0}
            assert made.decision(answer["decision_id"])["replayed"] == "identical"


def test_by_rules_points_are_not_called_gains(fresh: Shop) -> None:
    fresh.see(models={})
    said = fresh.route(fresh.lead(top_k=3))["why"]
    assert said
    assert all("points by the rules" in s and "expected gain" not in s for s in said)


def test_what_became_of_a_lead_is_told_in_the_order_in_which_it_happened(fresh: Shop) -> None:
    from serving import outbox

    fresh.policy(require_territory=False, most_reroutes=1)
    found = fresh.route()
    routing, lead = fresh.routing.routing, found["lead_id"]
    second = routing.respond(lead, found["offered_to"], "declined", identity=PRM)["partner_id"]
    routing.respond(lead, second, "declined", identity=PRM)
    told = [e for e in outbox.read_after(fresh.runtime.shared.database, 0, limit=500) if e.object == lead]
    assert [(e.type, e.payload["partner_id"]) for e in told] == [
        ("lead.offered", found["offered_to"]), ("lead.declined", found["offered_to"]),
        ("lead.offered", second), ("lead.declined", second), ("lead.unassigned", None),
    ]  # fmt: skip


def test_whoever_declines_again_is_told_the_next_offer_again(fresh: Shop) -> None:
    fresh.policy(require_territory=False)
    found = fresh.route()
    decline = (found["lead_id"], found["offered_to"], "declined")
    first = fresh.routing.routing.respond(*decline, identity=PRM)
    assert first["next_offer"]["outcome"] == "offered"
    assert fresh.routing.routing.respond(*decline, identity=PRM) == first


def _accepted(made: Shop) -> str:
    found = made.route()
    made.routing.routing.respond(found["lead_id"], found["offered_to"], "accepted", identity=PRM)
    return str(found["lead_id"])


def test_an_outcome_never_lies_before_the_offer(fresh: Shop) -> None:
    lead, routing = _accepted(fresh), fresh.routing.routing
    with pytest.raises(InputError, match="before the offer"):
        routing.outcome(lead, "won", occurred_at=NOW - timedelta(days=1), identity=PRM)
    day = NOW.replace(hour=0, minute=0)
    assert routing.outcome(lead, "won", occurred_at=day, identity=PRM)["state"] == "won"


def test_an_outcome_without_a_value_keeps_the_estimate(fresh: Shop) -> None:
    lead = _accepted(fresh)
    before = fresh.state(lead)["value"]
    assert before is not None
    assert fresh.routing.routing.outcome(lead, "won", identity=PRM)["value"] == before


@pytest.mark.parametrize("other", [{"value_cents": 7, "currency": "EUR"}, {"occurred_at": NOW}])
def test_another_value_or_time_for_an_outcome_on_record_is_refused_and_never_dropped(
    fresh: Shop, other: Any
) -> None:
    lead, routing = _accepted(fresh), fresh.routing.routing
    fresh.clock.advance(60)
    given = {"value_cents": 1_000, "currency": "EUR"}
    won = routing.outcome(lead, "won", **given, identity=PRM)
    assert routing.outcome(lead, "won", **given, identity=PRM) == won
    with pytest.raises(StateError, match="on record with another"):
        routing.outcome(lead, "won", **{**given, **other}, identity=PRM)
    assert fresh.state(lead) == won


def test_a_lead_of_a_batch_that_is_held_or_finds_nobody_is_kept_as_one_alone_is(tmp_path: Path) -> None:
    deals = pd.DataFrame([CLAIM])
    with shop(tmp_path, deals=deals) as made:
        held = made.lead(company="Mueller Maschinenbau", domain="mueller-maschinen.example", row=0)
        leads = [held, made.lead(row=1)]
        found = json.loads(made.routing.batch.assign(leads, key="b", request={}, errors=[], identity=PRM))
        assert [r["outcome"] for r in found["results"]] == ["conflict_hold", "offered"]
        assert made.state(held.lead.lead_id)["state"] == "conflict_hold"
        assert made.decision(found["results"][0]["decision_id"])["replayed"] == "identical"
        assert (found["assigned_count"], found["held_count"]) == (1, 1)
        twice = json.loads(made.routing.batch.assign(leads[1:], key="c", request={}, errors=[], identity=PRM))
        assert [(e["row"], e["errors"][0]["pointer"]) for e in twice["errors"]] == [(1, "/leads/1/lead_id")]


def test_a_batch_with_nothing_known_of_any_partner_answers_every_lead(tmp_path: Path) -> None:
    with shop(tmp_path, lake=False, models=False) as made:
        made.routing.feed._ready = replace(made.routing.feed.ready(), block=None)
        leads = [made.lead(), made.lead()]
        found = json.loads(made.routing.batch.assign(leads, key="b", request={}, errors=[], identity=PRM))
        assert [(r["code"], r["degraded"]) for r in found["results"]] == [("no_partners", True)] * 2
        assert made.state(leads[0].lead.lead_id)["state"] == "unassigned"


def test_a_lead_of_a_known_web_domain_is_held_without_its_name_and_whatever_else_is_said(
    tmp_path: Path,
) -> None:
    claim = {**CLAIM, "account_domain": "mueller-maschinen.de"}
    with shop(tmp_path, deals=pd.DataFrame([claim])) as made:
        found = made.route(made.lead(domain="www.mueller-maschinen.de"))
        assert (found["outcome"], found["conflict"]["owner"]) == ("conflict_hold", "P0009")
        assert found["conflict"]["claims"][0]["evidence"] == ["same web domain mueller-maschinen.de"]
        assert made.route(made.lead(domain="mueller-bau.de"))["outcome"] == "offered"
        assert made.route(made.lead(domain="gmail.com"))["outcome"] == "offered"


def _registered(*rows: dict[str, Any]) -> Registrations:
    deals = pd.DataFrame([{**CLAIM, "row_hash": str(n), **row} for n, row in enumerate(rows)])
    return open_registrations(deals, now=NOW)


def _claims(registrations: Registrations, name: str | None, domain: str | None = None) -> list[str]:
    account = Account(name, domain, "DE", None)
    return [c.registration_id for c in registrations.claims(account, least=0.8, at=NOW, days=180)]


def test_a_registration_known_by_its_web_domain_alone_claims_the_account() -> None:
    found = _registered({"account_name": None, "account_domain": "acme-werke.de", "account_city": None})
    assert _claims(found, None, "https://www.acme-werke.de/kontakt") == ["R77"]
    assert _claims(found, "Acme Werke GmbH") == []


def test_of_equal_claims_the_first_to_register_owns_the_account() -> None:
    later = {"deal_id": "A1", "partner_id": "P0001", "event_at": pd.Timestamp("2026-11-01")}
    found = _registered(later, {"deal_id": "Z9", "partner_id": "P0002"})
    assert _claims(found, "Müller Maschinenbau AG") == ["Z9", "A1"]


@pytest.mark.parametrize(
    "name",
    ["MÜLLER MASCHINENBAU Aktiengesellschaft", "Mueller Maschinenbau Gesellschaft mit beschränkter Haftung"],
)
def test_a_legal_form_written_out_is_the_short_one(name: str) -> None:
    assert _claims(_registered({}), name) == ["R77"]


@pytest.mark.parametrize("name", ["Müller Logistik GmbH", "Schmidt Maschinenbau AG", "Müllerland AG"])
def test_another_company_of_the_town_claims_nothing(name: str) -> None:
    assert _claims(_registered({}), name) == []


@pytest.mark.parametrize(
    "text", ["https://www.P0003.example/shop?x=1", "info@p0003.example", "P0003.EXAMPLE:443"]
)
def test_a_partner_never_gets_the_lead_that_is_itself_however_its_domain_is_written(
    fresh: Shop, text: str
) -> None:
    from serving.routing.parsing import wanted_of
    from serving.routing.schemas import LeadRequest

    fresh.policy(require_territory=False)
    body = LeadRequest.model_validate({"lead_id": "itself", "country": "DE", "domain": text})
    found = fresh.route(wanted_of(body, fresh.routing.settings))
    assert found["excluded_counts"] == {"conflict_of_interest": 1}


@pytest.mark.parametrize("text", ["", " ", "https://", "@", "/", "www."])
def test_what_holds_no_domain_is_none(text: str) -> None:
    assert bare_domain(text) in ("", "www")


def test_a_value_that_models_cannot_read_is_told_and_nothing_is_degraded(tmp_path: Path) -> None:
    with shop(tmp_path, partners=8) as made:
        found = made.route(made.lead(currency="EUR", value_usd=None))
        assert (found["degraded"], len(found["warnings"])) == (False, 1)
        assert "routing.usd_rates" in found["warnings"][0]
        assert made.decision(found["decision_id"])["replayed"] == "identical"


def test_what_is_not_known_is_said_in_a_sentence() -> None:
    told = [f.missing for f in FEATURES]
    assert all(t.endswith(".") and not t.endswith(": not known.") for t in told)
    assert "Whether the partner serves the lead's industry is not known." in told


def test_when_the_tables_of_partners_vanish_the_last_known_rules_hold_and_say_so(
    tmp_path: Path,
) -> None:
    def refused(made: Shop) -> Any:
        made.routing.feed.refresh()
        return made.route(made.lead(country="JP"))

    with shop(tmp_path) as made:
        before = refused(made)
        assert (before["code"], before["degraded"]) == ("no_eligible", False)
        lake = made.runtime.shared.workspace / "lake"
        lake.rename(lake.with_name("away"))
        for forget in (False, True):
            if forget:  # as a worker that starts only now
                made.routing.feed._ready, made.routing.feed._made_from = Ready(), None
            found = refused(made)
            assert (found["code"], found["degraded"]) == ("no_eligible", True)
            assert found["warnings"] == [
                "The tables of partners cannot be read; the last-known ones were used."
            ]
        lake.with_name("away").rename(lake)
        assert refused(made)["degraded"] is False


def test_the_report_counts_every_offer_once_and_its_shares_add_up(fresh: Shop) -> None:
    fresh.policy(require_territory=False)
    routing, report = fresh.routing.routing, fresh.routing.report
    assert report.make()["offers"] == 0
    leads = [fresh.route(fresh.lead(), identity=(PRM, OTHER)[n % 2]) for n in range(12)]
    for n, found in enumerate(leads[::2]):
        said = "accepted" if n else "declined"
        routing.respond(found["lead_id"], found["offered_to"], said, identity=PRM)
    made = report.make()
    assert (made["offers"], made["leads"]) == (13, 12)
    assert made["answers"]["states"] == {"accepted": 5, "declined": 1, "offered": 7}
    assert made["answers"]["in_time_share"] is None  # six answers are not enough
    for by in ("tier", "region", "size"):
        groups = made["exposure"][by]
        assert sum(g["offers"] for g in groups) == 12
        assert sum(g["share"] for g in groups) == pytest.approx(1.0)
        assert sum(g["partners"] for g in groups) == 8
        assert all(g["partners_reached"] <= g["partners"] for g in groups)
    assert [(f["objective"], f["offers"], f["moved"]) for f in made["fairness"]] == [("wins", 13, 0)]
    fresh.clock.advance(86_400 * 400)
    assert report.make()["offers"] == 0
    assert report.make(NOW - timedelta(days=1))["offers"] == 13


def test_what_fairness_gave_up_is_summed_by_policy(tmp_path: Path) -> None:
    with shop(tmp_path, capacity=1000) as made:
        made.policy(require_territory=False)
        for _ in range(25):
            made.route()
        rarest = made.routing.report.make()["exposure"]["tier"][-1]["value"]
        band = {"by": "tier", "label": rarest, "least_share": 0.9}
        version = made.policy(require_territory=False, bands=(band,), band_tolerance=0.9)
        found = [made.route() for _ in range(10)]
        costs = [f["fairness"]["cost"] for f in found]
        assert sum(costs) > 0
        told = made.routing.report.make()["fairness"][-1]
        assert told["policy_version"] == str(version)
        assert told["moved"] == sum(c > 0 for c in costs)
        assert told["gain_given_up"] == pytest.approx(sum(costs))


def test_offers_that_are_not_answered_yet_are_no_refusals() -> None:
    offer = {"turn": 0, "tier": "gold", "partner_id": "P1"}
    waiting = [{**offer, "state": "offered"}]
    assert exposure_of(waiting, "tier")[0]["accepted_share"] is None
    answered = [{**offer, "state": "accepted"}, {**offer, "state": "expired"}]
    assert exposure_of([*waiting, *answered], "tier")[0]["accepted_share"] is None  # not enough
    enough = exposure_of([*waiting, *answered * (LEAST_KNOWN // 2)], "tier")
    assert enough[0]["accepted_share"] == 0.5
