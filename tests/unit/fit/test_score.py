"""POST /v1/fit/score: what a recruiter is told about a prospect."""

from __future__ import annotations

import math
from typing import Any

import pytest

from models.fit.settings import VettingSettings
from models.fit.vetting import vet
from tests.unit.fit.served import GOOD, open_fit_world


@pytest.fixture(scope="module")
def served(tmp_path_factory: Any, bundle: Any) -> Any:
    return open_fit_world(tmp_path_factory.mktemp("fit"), bundle)


def score(served: Any, *prospects: Any, role: str = "recruiter", **more: Any) -> Any:
    return served.call("POST", "/v1/fit/score", role=role, json={"prospects": list(prospects), **more})


def test_an_answer_has_a_score_with_reasons_that_add_up(served: Any) -> None:
    [found] = score(served, GOOD).json()["results"]
    told = found["fit_probability"]
    total = told["baseline"] + sum(r["contribution"] for r in told["reasons"]) + told["other_factors"]
    assert 1 / (1 + math.exp(-total)) == pytest.approx(told["value"], abs=1e-6)
    assert found["fit_score"] == round(100 * told["value"])
    assert told["interval"][0] < told["value"] < told["interval"][1]
    assert told["evidence"] in ("strong", "moderate", "thin")
    assert told["model"] == "fit"
    assert len(told["reasons"]) >= 3


def test_the_expected_value_is_the_chance_times_what_success_brought(served: Any, dataset: Any) -> None:
    [found] = score(served, GOOD).json()["results"]
    won = dataset.frame["margin_usd"][dataset.labels() > 0].mean()
    expected = found["expected_value"]
    assert expected["currency"] == "USD"
    assert float(expected["amount"]) == pytest.approx(found["fit_probability"]["value"] * won, rel=1e-3)


STRANGE: list[dict[str, Any]] = [
    {"industry": "alchemy", "country": "IS", "partner_type": "guild", "motion": "barter"},
    {"employee_count": 12_000, "annual_revenue_usd": 2e9},
    {"employee_count": 0, "annual_revenue_usd": 0, "founded_year": 1500},
    {name: None for name in GOOD if name not in ("prospect_id", "country")},
    {name: None for name in GOOD if name != "prospect_id"},
]


@pytest.mark.parametrize("change", STRANGE)
def test_strange_prospects_are_answered_with_warnings_and_reasons_that_add_up(
    served: Any, change: Any
) -> None:
    answer = score(served, {**GOOD, **change})
    assert answer.status_code == 200
    [found] = answer.json()["results"]
    told = found["fit_probability"]
    total = told["baseline"] + sum(r["contribution"] for r in told["reasons"]) + told["other_factors"]
    if told["value"] is not None:
        assert 1 / (1 + math.exp(-total)) == pytest.approx(told["value"], abs=1e-6)
    assert told["warnings"] or told["evidence"] == "insufficient" or found["outside_experience"]


def test_reasons_carry_value_peer_and_how_such_partners_did(served: Any) -> None:
    reasons = score(served, GOOD).json()["results"][0]["fit_probability"]["reasons"]
    by_factor = {r["factor"]: r for r in reasons}
    kind = by_factor["partner_type"]
    assert kind["value"] == "reseller"
    assert 0 < kind["peer_value"] <= 1
    assert 0 <= kind["success_rate"] <= 1
    assert kind["success_count"] >= 5


def test_three_partners_that_succeeded_and_one_that_did_not_are_shown(served: Any) -> None:
    similar = score(served, GOOD).json()["results"][0]["similar_partners"]
    assert [s["succeeded"] for s in similar] == [True, True, True, False]
    assert len({s["partner_id"] for s in similar}) == 4
    assert all(s["name"] and s["alike"] for s in similar)
    distances = [s["distance"] for s in similar[:3]]
    assert distances == sorted(distances)


def test_what_would_change_names_only_what_can_be_chosen_and_scoring_it_again_agrees(served: Any) -> None:
    poor = {**GOOD, "partner_type": "referral", "industry": "public"}
    [found] = score(served, poor).json()["results"]
    assert found["what_would_change"]
    for plan in found["what_would_change"]:
        assert {c["field"] for c in plan["changes"]} <= {"motion", "partner_type"}
        changed = {**poor, **{c["field"]: c["to"] for c in plan["changes"]}}
        again = score(served, changed).json()["results"][0]
        assert again["fit_probability"]["value"] == plan["fit_probability"]
        assert again["fit_score"] == plan["fit_score"]
        assert plan["fit_probability"] > found["fit_probability"]["value"]


def test_a_bare_prospect_has_less_evidence_and_is_told_what_would_narrow_it(served: Any) -> None:
    bare = {"prospect_id": "P2", "name": "Nobody knows", "country": "DE"}
    rich, poor = score(served, GOOD, bare).json()["results"]
    assert len(poor["most_useful_missing"]) == 3
    assert rich["most_useful_missing"] == []
    told = poor["fit_probability"]
    if told["evidence"] == "insufficient":
        # Not a guess dressed up as a probability: the scorecard's points, and said to be that.
        assert told["value"] is None
        assert poor["fit_score_is"] == "scorecard_points"
        assert told["warnings"]
    else:
        width = [
            low_high[1] - low_high[0] for low_high in (rich["fit_probability"]["interval"], told["interval"])
        ]
        assert width[1] > width[0]
    assert told["evidence"] in ("thin", "insufficient")
    assert poor["vetting"]["verdict"] == "review"
    assert "Required fields: not given: partner_type." in {c["sentence"] for c in poor["vetting"]["checks"]}


def test_a_faulty_prospect_is_an_entry_and_the_good_ones_are_answered(served: Any) -> None:
    wrong = [
        {**GOOD, "prospect_id": "A", "country": "Atlantis"},
        {**GOOD, "prospect_id": "B", "employee_count": "many"},
        {**GOOD, "prospect_id": "C", "founded_year": 1200},
        {**GOOD, "prospect_id": "D", "tier": "gold"},
        {"name": "no id"},
        "text",
        {**GOOD, "prospect_id": "E", "employee_count": 1.5},
    ]
    answer = score(served, GOOD, *wrong)
    assert answer.status_code == 200
    body = answer.json()
    assert [r["prospect_id"] for r in body["results"]] == ["P1"]
    pointers = [e["errors"][0]["pointer"] for e in body["errors"]]
    assert [e["row"] for e in body["errors"]] == list(range(1, 8))
    assert pointers == [
        "/prospects/1/country", "/prospects/2/employee_count", "/prospects/3/founded_year",
        "/prospects/4/tier",
        "/prospects/5/prospect_id", "/prospects/6", "/prospects/7/employee_count",
    ]  # fmt: skip


def test_facts_born_after_signing_cannot_be_sent(served: Any) -> None:
    for name in ("certified_users_count", "login_count_30d", "tier", "partner_id"):
        [error] = score(served, {**GOOD, name: 1}).json()["errors"]
        assert "unknown field" in error["errors"][0]["detail"]


def test_scores_do_not_depend_on_order_batches_or_spelling(served: Any) -> None:
    many = [{**GOOD, "prospect_id": f"P{i}", "employee_count": 3 + 7 * i} for i in range(12)]

    def by_id(*batches: Any) -> dict[str, Any]:
        found = [r for b in batches for r in score(served, *b).json()["results"]]
        return {
            r["prospect_id"]: {**r, "fit_probability": {**r["fit_probability"], "decision_id": ""}}
            for r in found
        }

    whole = by_id(many)
    assert by_id(many[::-1]) == whole
    assert by_id(many[:5], many[5:]) == whole
    assert by_id(*([m] for m in many)) == whole
    spelled = {**many[0], "partner_type": " RESELLER", "country": "Germany", "motion": "Resell"}
    found = by_id([spelled])["P0"]
    assert {**found, "what_would_change": []} == {**whole["P0"], "what_would_change": []}


def test_every_answer_replays_bit_for_bit(served: Any) -> None:
    [found] = score(served, {**GOOD, "industry": None, "partner_type": "referral"}).json()["results"]
    decision = found["fit_probability"]["decision_id"]
    shown = served.call("GET", f"/v1/decisions/{decision}", role="admin").json()
    assert shown["kind"] == "fit"
    assert shown["replayed"] == "identical", shown["differences"]
    assert shown["response"] == found


def test_fit_is_no_business_of_channel_managers(served: Any) -> None:
    assert score(served, GOOD, role="channel_manager").status_code == 403


def test_those_learnt_from_are_not_listed_with_the_model(served: Any) -> None:
    assert "recruited" not in served.call("GET", "/v1/models/fit").json()["trained"]


@pytest.mark.parametrize(
    ("given", "verdict"),
    [
        ({"fit_score": 60}, "accept"),
        ({"fit_score": 59}, "review"),
        ({"fit_score": 19}, "decline"),
        ({"fit_score": 60, "evidence": "insufficient"}, "review"),
        ({"fit_score": 19, "evidence": "insufficient"}, "review"),
        ({"fit_score": 90, "outside": True}, "review"),
        ({"fit_score": 10, "outside": True}, "review"),
        ({"fit_score": None}, "review"),
        ({"fit_score": 90, "row": {"country": "US", "partner_type": "x"}}, "decline"),
        ({"fit_score": 90, "row": {"partner_type": "x"}}, "review"),
    ],
)
def test_the_verdict_is_the_strictest_of_the_checks(given: dict[str, Any], verdict: str) -> None:
    policy = VettingSettings(accept=60, decline=20, countries=("DE",))
    usual = {"row": {"country": "de", "partner_type": "x"}, "evidence": "thin", "outside": False}
    asked = {**usual, **given}
    row = asked.pop("row")
    assert vet(row, policy=policy, base_rate=0.4, **asked).verdict == verdict


def test_where_there_is_no_probability_nothing_is_said_to_change_it(served: Any) -> None:
    bare = [{"prospect_id": f"N{i}", "name": f"Nobody {i}", "partner_type": "referral"} for i in range(2)]
    found = [r for r in score(served, *bare).json()["results"] if r["fit_probability"]["value"] is None]
    assert found
    assert all(r["what_would_change"] == [] for r in found)
