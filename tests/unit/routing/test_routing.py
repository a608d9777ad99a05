"""The routing use cases on a real state database: offers, answers, capacity, conflicts, replay."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.errors import InputError, NotFoundError
from data.lake import Lake
from features.pairing import lead_block, lead_columns, pair_columns
from serving.errors import ConflictError
from serving.routing.registrations import Account
from serving.view import View
from tests.unit.routing.shop import NOW, PRM, Shop, pair_bundle, shop

CLAIM = {
    "deal_id": "R77", "partner_id": "P0009", "status": "registered", "account_name": "Müller Maschinenbau AG",
    "account_domain": "mueller-maschinen.example", "account_country": "DE", "account_city": "Köln",
    "event_at": pd.Timestamp("2026-10-01"), "known_at": pd.Timestamp("2026-10-01"),
}  # fmt: skip


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A shop whose state the tests only add to."""
    deals = pd.DataFrame([CLAIM])
    with shop(tmp_path_factory.mktemp("shop"), deals=deals, capacity=1000) as made:
        yield made


def test_scores_over_the_block_are_the_models_own(quiet: Shop) -> None:
    ready = quiet.routing.feed.ready()
    assert ready.block is not None
    rng = np.random.default_rng(5)
    for model in (ready.accept, ready.win):
        assert model is not None
        for n in range(40):
            lead = {
                "country": rng.choice(["DE", "FR", "US", None]), "region": rng.choice(["BY", "HE", None]),
                "industry": rng.choice(["retail", "mining", None]),
                "products": list(rng.choice(["cloud", "new"], 2)),
                "employee_count": None if n % 5 == 0 else float(rng.lognormal(4, 2)),
                "estimated_value_usd": None if n % 7 == 0 else float(rng.lognormal(8, 2)),
            }  # fmt: skip
            rows = rng.permutation(len(ready.block.roster))[: 5 + n]
            pair = pair_columns(lead_block([lead], ready.block.pairs), 0, ready.block.pairs, rows)
            of_lead = lead_columns(lead)
            fast = model.eta(of_lead, pair, rows)
            full = model.matrix(of_lead, pair, rows)
            bundle = pair_bundle(model.served.bundle.model)
            assert np.abs(fast - bundle.eta(full, horizon=0)).max() <= 1e-12
            told, oracle = model.served.bundle.explain(full), bundle.explain(full)
            assert np.abs(told.contributions - oracle.contributions).max() <= 1e-5


def test_a_lead_is_offered_to_the_best_with_chances_reasons_and_a_deadline(quiet: Shop) -> None:
    found = quiet.route(quiet.lead(top_k=3))
    assert found["outcome"] == "offered"
    assert [m["rank"] for m in found["matches"]] == [1, 2, 3]
    best = found["matches"][0]
    assert best["partner_id"] == found["offered_to"]
    score = best["win_probability"]
    total = score["baseline"] + sum(r["contribution"] for r in score["reasons"]) + score["other_factors"]
    assert 1 / (1 + np.exp(-total)) == pytest.approx(score["value"], abs=1e-9)
    assert best["expected_gain"] == pytest.approx(best["accept_probability"] * score["value"])
    amount = best["expected_value"]["amount"]
    assert float(amount) == pytest.approx(best["expected_gain"] * 20_000, abs=0.01)
    gains = [m["expected_gain"] for m in found["matches"]]
    assert gains == sorted(gains, reverse=True)
    assert found["respond_by"] == "2026-11-24T09:30:00Z"  # Friday 09:30 and sixteen business hours
    assert found["propensity"] == 1.0
    assert len(found["why"]) == 2
    assert found["offered_to"] in found["why"][0]
    assert found["degraded"] is False


def test_every_candidate_has_a_code_or_a_score(quiet: Shop) -> None:
    found = quiet.route()
    shown = quiet.decision(found["decision_id"])["details"]["candidates"]
    assert len(shown) == found["candidate_count"] == 60
    codes = Counter(c["excluded"] for c in shown if c["excluded"])
    assert dict(codes) == found["excluded_counts"]
    assert codes["territory"] > 0
    assert all(0 < c["win_probability"] < 1 for c in shown if not c["excluded"])


def test_a_decision_is_made_again_bit_for_bit_after_everything_changed(tmp_path: Path) -> None:
    with shop(tmp_path) as made:
        made.policy(exploration_share=0.4, exploration_most_value=1e9, sla_hours={"gold": 4})
        found = [made.route(made.lead(products=("cloud", "edge")))["decision_id"] for _ in range(6)]
        made.clock.advance(86_400 * 40)
        partners = made.view.partners
        assert partners is not None
        matrix = partners.matrix
        changed = type(matrix).of(matrix.frame.iloc[:30] * 1, features_as_of=matrix.features_as_of[:30])
        made.see(partners=replace(partners, matrix=changed, confirmed_at=made.clock.at))
        made.policy(sla_default_hours=2)
        for decision_id in found:
            shown = made.decision(decision_id)
            assert shown["replayed"] == "identical", shown["differences"]
            assert shown["details"]["partner_features"]


def test_a_changed_record_is_told(quiet: Shop) -> None:
    from sqlalchemy import text

    found = quiet.route()
    with quiet.runtime.shared.database.write() as connection:
        change = "UPDATE decisions SET request = replace(request, 'retail', 'finance') WHERE decision_id = :d"
        connection.execute(text(change), {"d": found["decision_id"]})
    shown = quiet.decision(found["decision_id"])
    assert shown["replayed"] == "different"
    assert "/candidates_sha256" in [d["pointer"] for d in shown["differences"]]


def test_decline_and_expiry_go_on_to_others_and_count_apart(fresh: Shop) -> None:
    fresh.policy(require_territory=False)
    routing = fresh.routing.routing
    first = fresh.route()
    lead, partner = first["lead_id"], first["offered_to"]
    after = routing.respond(lead, partner, "declined", reason="unable to support", identity=PRM)
    second = after["next_offer"]["offered_to"]
    assert after["state"] == "offered"
    assert after["partner_id"] == second != partner
    fresh.clock.advance(86_400 * 7)
    assert routing.sweep() == 1
    third = fresh.state(lead)["partner_id"]
    assert len({partner, second, third}) == 3
    ended = routing.respond(lead, third, "declined", identity=PRM)
    assert (ended["state"], ended["next_offer"], ended["reroutes"]) == ("unassigned", None, 2)
    assert [h["state"] for h in ended["history"]] == ["declined", "expired", "declined"]
    assert ended["history"][0]["reason"] == "unable to support"
    assert fresh.loads() == {}


def test_an_answer_after_the_deadline_is_too_late(fresh: Shop) -> None:
    found = fresh.route()
    fresh.clock.advance(86_400 * 7)
    with pytest.raises(InputError, match="expired"):
        fresh.routing.routing.respond(found["lead_id"], found["offered_to"], "accepted", identity=PRM)


def test_an_accepted_lead_keeps_its_capacity_until_it_is_won_or_lost(fresh: Shop) -> None:
    routing = fresh.routing.routing
    found = fresh.route()
    lead, partner = found["lead_id"], found["offered_to"]
    for _ in range(2):
        assert routing.respond(lead, partner, "accepted", identity=PRM)["state"] == "accepted"
        assert fresh.loads() == {partner: 1}
    for _ in range(2):
        won = routing.outcome(lead, "won", value_cents=1_250_000, currency="EUR", identity=PRM)
        assert (won["state"], won["value"]) == ("won", {"amount": "12500.00", "currency": "EUR"})
        assert fresh.loads() == {}
    with pytest.raises(InputError, match="only an accepted lead"):
        routing.outcome(lead, "lost", identity=PRM)
    with pytest.raises(InputError):
        routing.respond(lead, "P9999", "accepted", identity=PRM)


def test_when_everybody_is_busy_the_code_says_so_and_the_lead_may_be_sent_again(fresh: Shop) -> None:
    found = [fresh.route() for _ in range(20)]
    offered = [f for f in found if f["outcome"] == "offered"]
    assert set(Counter(f["offered_to"] for f in offered).values()) == {2}
    rest = [f for f in found if f["outcome"] != "offered"]
    assert {f["code"] for f in rest} == {"no_capacity"}
    fresh.routing.routing.respond(offered[0]["lead_id"], offered[0]["offered_to"], "accepted", identity=PRM)
    fresh.routing.routing.outcome(offered[0]["lead_id"], "lost", identity=PRM)
    again = fresh.lead(lead_id=rest[0]["lead_id"])
    assert fresh.route(again, key="another key")["offered_to"] == offered[0]["offered_to"]
    with pytest.raises(ConflictError, match="offered already"):
        fresh.route(again, key="a third key")


def test_what_was_routed_here_is_what_models_learn_from(fresh: Shop) -> None:
    from features.leadhistory import offers_of
    from serving.routing.export import tables_of

    fresh.policy(require_territory=False)
    routing, found = fresh.routing.routing, fresh.route()
    lead, first = found["lead_id"], found["offered_to"]
    gone_on = routing.respond(lead, first, "declined", reason="no time", identity=PRM)
    fresh.clock.advance(3600)
    routing.respond(lead, gone_on["partner_id"], "accepted", identity=PRM)
    routing.outcome(lead, "won", value_cents=500_000, currency="USD", identity=PRM)
    lake = Lake(fresh.runtime.shared.workspace / "lake")
    frames = tables_of(fresh.runtime.shared.database, fresh.routing.settings)
    tables = tuple(zip(("leads", "assignments"), frames, strict=True))
    added, again = ([lake.append(n, f, ingested_at=NOW).rows_new for n, f in tables] for _ in range(2))
    assert (added, again) == ([1, 5], [0, 0])
    offers = offers_of(lake.read("assignments"), leads=None).set_index("partner_id")
    assert offers["answer"].to_dict() == {first: "declined", gone_on["partner_id"]: "accepted"}
    won = offers.loc[gone_on["partner_id"]]
    assert (won["outcome"], won["value_usd"]) == ("won", 5000.0)
    assert offers["propensity"].between(0, 1).all()


def test_nobody_in_the_territory_is_no_eligible_and_never_a_random_partner(fresh: Shop) -> None:
    found = fresh.route(fresh.lead(country="JP"))
    assert (found["outcome"], found["code"], found["offered_to"]) == ("unassigned", "no_eligible", None)


def test_a_misspelt_account_that_is_registered_is_held_with_evidence_and_owner(quiet: Shop) -> None:
    wanted = quiet.lead(company="Mueller Maschinenbau", domain="www.mueller-maschinen.example", city="Koeln")
    held = quiet.route(wanted)
    assert (held["outcome"], held["conflict"]["owner"]) == ("conflict_hold", "P0009")
    claim = held["conflict"]["claims"][0]
    assert claim["registration_id"] == "R77"
    assert claim["probability"] >= 0.8
    assert any("Müller" in e or "mueller" in e for e in claim["evidence"])
    assert quiet.state(wanted.lead.lead_id)["state"] == "conflict_hold"
    assert quiet.decision(held["decision_id"])["replayed"] == "identical"
    settled = replace(wanted, resolved=True)
    assert quiet.route(settled, key="settled")["outcome"] == "offered"


def test_a_partners_own_registration_is_no_conflict_for_it(quiet: Shop) -> None:
    check, account = (
        quiet.routing.routing.check_registration,
        Account("Müller Maschinenbau", None, "DE", None),
    )
    assert check(account)["conflict"] is True
    assert check(account, partner_id="P0009")["conflict"] is False
    assert check(Account("Something else entirely", None, "DE", None))["claims"] == []


def test_what_names_a_person_can_be_erased_and_the_decision_still_verifies(quiet: Shop) -> None:
    wanted = quiet.lead()
    text = quiet.routing.routing.route(
        wanted, key="personal", request={}, personal={"email": "canary@person.example"}, identity=PRM
    )
    decision_id = json.loads(text)["decision_id"]
    shown = json.dumps(quiet.decision(decision_id))
    assert "canary" not in shown
    for _ in range(2):
        quiet.routing.wishes.erase(wanted.lead.lead_id, identity=PRM)
    assert quiet.decision(decision_id)["replayed"] == "identical"
    path = quiet.runtime.shared.workspace / "state.db"
    with quiet.runtime.shared.database.read() as connection:
        from sqlalchemy import select

        from serving.routing.tables import PERSONAL

        rows = connection.execute(select(PERSONAL.c.content, PERSONAL.c.salt)).all()
    assert path.is_file()
    assert {tuple(r) for r in rows} == {(None, None)}


def test_a_paused_partner_gets_nothing_until_its_pause_ends(fresh: Shop) -> None:
    first = fresh.route()["offered_to"]
    until = NOW + timedelta(days=1)
    fresh.routing.wishes.set_partner(first, paused_until=until, identity=PRM)
    found = [fresh.route() for _ in range(12)]
    assert first not in {f["offered_to"] for f in found}
    assert all(f["excluded_counts"].get("paused") == 1 for f in found)
    fresh.clock.advance(86_400 * 2)
    assert fresh.route()["offered_to"] == first
    with pytest.raises(NotFoundError):
        fresh.routing.wishes.set_partner("P9999", identity=PRM)


def test_without_a_model_the_rules_decide_and_say_so(fresh: Shop) -> None:
    found = fresh.route()
    assert (found["by"], found["degraded"]) == ("rules", True)
    assert found["matches"][0]["win_probability"] is None
    assert fresh.decision(found["decision_id"])["replayed"] == "identical"


def test_a_dead_store_means_last_known_features_and_when_they_expire_rules(tmp_path: Path) -> None:
    with shop(tmp_path) as made:
        partners = made.view.partners
        assert partners is not None
        made.see(partners=replace(partners, degraded=True))
        found = made.route()
        assert (found["by"], found["degraded"]) == ("model", True)
        made.clock.advance(3600 * 169)
        found = made.route()
        assert (found["by"], found["degraded"]) == ("rules", True)
        assert "expired" in found["warnings"][0]
        assert made.decision(found["decision_id"])["replayed"] == "identical"


def test_a_worker_that_boots_without_features_takes_the_last_known_from_disk(tmp_path: Path) -> None:
    with shop(tmp_path) as made:
        best = made.route()
    with shop(tmp_path / ".", lake=False) as made:
        made.routing.feed._ready = type(made.routing.feed.ready())()
        made.see(partners=None)
        found = made.route(made.lead(lead_id="again"))
        assert found["degraded"] is True
        assert found["outcome"] == "offered"
        assert found["candidate_count"] == best["candidate_count"]


def test_with_nothing_known_at_all_nobody_is_chosen_and_the_answer_says_so(tmp_path: Path) -> None:
    with shop(tmp_path, lake=False, models=False) as made:
        made.routing.feed._ready = type(made.routing.feed.ready())()
        for path in (made.runtime.shared.workspace / "serving/routing/blocks").glob("*"):
            path.unlink()
        made.view = View()
        made.routing.feed.refresh()
        found = made.route()
        assert (found["outcome"], found["code"], found["degraded"]) == ("unassigned", "no_partners", True)


def test_thirty_equal_leads_spread_over_equal_partners(tmp_path: Path) -> None:
    with shop(tmp_path, partners=7, equal=True) as made:
        made.policy(require_territory=False)
        got = Counter(made.route()["offered_to"] for _ in range(30))
        assert max(got.values()) - min(got.values()) <= 1
        assert len(got) == 7


def test_a_canary_decides_about_its_share_of_leads_and_the_same_ones_again(tmp_path: Path) -> None:
    from serving.policies import InForce

    with shop(tmp_path, models=False, capacity=1000) as made:
        policies, before = made.runtime.shared.policies, made.policy()
        after = made.policy(sla_default_hours=1)
        policies.put_in_force(
            "routing", InForce(before, after, 0.25), expected=policies.in_force("routing"), author="t",
            reason="t", at=NOW,
        )  # fmt: skip
        made.routing.feed.refresh()
        used = Counter(made.route()["policy_version"] for _ in range(120))
        assert 12 <= used[str(after)] <= 50
        assert set(used) == {str(before), str(after)}


def test_a_batch_is_assigned_within_capacity_and_each_lead_replays(tmp_path: Path) -> None:
    with shop(tmp_path, partners=20, capacity=1) as made:
        leads = [made.lead(country=("DE", "FR")[n % 2]) for n in range(30)]
        text = made.routing.batch.assign(leads, key="b", request={}, errors=[], identity=PRM)
        again = made.routing.batch.assign(leads, key="b", request={}, errors=[], identity=PRM)
        assert again == text
        found = json.loads(text)
        got = Counter(r["offered_to"] for r in found["results"] if r["offered_to"])
        assert set(got.values()) == {1}
        assert found["assigned_count"] == len(got) == sum(made.loads().values())
        assert len(got) < 30
        assert {r["code"] for r in found["results"] if not r["offered_to"]} == {"no_capacity"}
        for result in found["results"]:
            assert made.decision(result["decision_id"])["replayed"] == "identical"
