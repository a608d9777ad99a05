"""Tiers in service: answers that replay, a review list people decide on, overrides, other rules tried."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.serving.tiers_world import PARTNERS, POLICY, members, nightly, open_tiers_world
from tests.unit.serving.world import World

RECOMMEND = "/v1/tiers/recommend"
IDS = [f"T{i:02}" for i in range(PARTNERS)]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    found = open_tiers_world(tmp_path_factory.mktemp("tiers"))
    nightly(found)
    yield found
    found.runtime.stop()


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[World]:
    found = open_tiers_world(tmp_path)
    yield found
    found.runtime.stop()


def recommended(world: World, *partner_ids: str, **more: Any) -> Any:
    answer = world.call("POST", RECOMMEND, json={"partner_ids": list(partner_ids)}, **more)
    assert answer.status_code == 200, answer.text
    return answer.json()


def changes(world: World, query: str = "", **more: Any) -> Any:
    answer = world.call("GET", f"/v1/tiers/changes{query}", **more)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_an_answer_says_tier_points_gap_and_what_would_keep_it(world: World) -> None:
    (found,) = recommended(world, "T22")["results"]
    assert found["current_tier"] in POLICY.names
    assert sum(c["points"] for c in found["categories"]) == pytest.approx(found["points"]["now"], abs=1e-3)
    assert {c["category"] for c in found["categories"]} == set(POLICY.categories)
    assert found["next_tier"] is not None
    missing = [r for r in recommended(world, *IDS)["results"] if r["gap_to_next"]]
    assert missing
    assert {"kind", "requirement", "have", "need"} <= set(missing[0]["gap_to_next"][0])
    assert found["potential"]["scale"] == "log_amount"
    assert found["potential"]["interval"][0] < found["potential"]["value"]
    assert found["decision_id"] == found["potential"]["decision_id"]


def test_reasons_of_the_potential_add_up_to_its_logarithm(world: World) -> None:
    import math

    (found,) = recommended(world, "T20")["results"]
    score = found["potential"]
    whole = score["baseline"] + sum(r["contribution"] for r in score["reasons"]) + score["other_factors"]
    assert math.exp(whole) == pytest.approx(score["value"], rel=1e-6)


@pytest.mark.parametrize("partner", ["T00", "T13", "T39"])
def test_a_recommendation_replays_bit_for_bit(world: World, partner: str) -> None:
    found = recommended(world, partner, "T01")["results"][0]
    kept = world.call("GET", f"/v1/decisions/{found['decision_id']}").json()
    assert kept["kind"] == "tier"
    assert kept["replayed"] == "identical", kept["differences"]


def test_a_recommendation_replays_after_the_rules_changed(fresh: World) -> None:
    found = recommended(fresh, "T30")["results"][0]
    tiers = fresh.runtime.use_cases.tiers
    harder = POLICY.model_copy(
        update={"tiers": tuple(t.model_copy(update={"cut": t.cut * 1.2}) for t in POLICY.tiers)}
    )
    assert tiers.rules.put(harder, author="Kim", reason="test", at=fresh.clock.at) == 2
    assert recommended(fresh, "T30")["results"][0]["policy_version"] == 2
    kept = fresh.call("GET", f"/v1/decisions/{found['decision_id']}").json()
    assert kept["replayed"] == "identical"


def test_unknown_partners_and_those_of_others_cannot_be_told_apart(world: World) -> None:
    own = recommended(world, "T00", "T01", "T99", role="channel_manager")
    assert [r["partner_id"] for r in own["results"]] == ["T00"]
    details = [e["errors"][0]["detail"] for e in own["errors"]]
    assert [e["row"] for e in own["errors"]] == [1, 2]
    assert len(set(details)) == 1
    bodies = [
        world.call("GET", f"/v1/partners/{p}/tier", role="channel_manager").json() for p in ("T01", "T99")
    ]
    assert bodies[0]["detail"] == bodies[1]["detail"]


def test_one_partner_is_read_like_many(world: World) -> None:
    one = world.call("GET", "/v1/partners/T10/tier").json()
    (many,) = recommended(world, "T10")["results"]
    apart = {"decision_id", "potential"}
    assert {k: v for k, v in one.items() if k not in apart} == {
        k: v for k, v in many.items() if k not in apart
    }


def test_to_look_again_is_no_new_decision_until_something_changes(fresh: World) -> None:
    path = "/v1/partners/T00/tier"
    first, again = (fresh.call("GET", path).json() for _ in range(2))
    assert again == first
    nightly(fresh)
    assert fresh.call("GET", path).json()["decision_id"] != first["decision_id"]


def test_without_a_model_the_policy_still_answers_and_says_so(tmp_path: Path) -> None:
    world = open_tiers_world(tmp_path, model=False)
    (found,) = recommended(world, "T10")["results"]
    assert found["potential"] is None
    assert any("potential" in w for w in found["warnings"])
    kept = world.call("GET", f"/v1/decisions/{found['decision_id']}").json()
    assert kept["replayed"] == "identical"
    world.runtime.stop()


def test_the_nightly_review_opens_changes_and_a_second_one_keeps_them(fresh: World) -> None:
    first = nightly(fresh)
    assert first.opened > 0
    ids = [c["change_id"] for c in changes(fresh)["changes"]]
    second = nightly(fresh)
    assert (second.opened, second.kept, second.lapsed) == (0, first.opened, 0)
    assert [c["change_id"] for c in changes(fresh)["changes"]] == ids


def test_a_change_no_longer_recommended_lapses(fresh: World) -> None:
    first = nightly(fresh)
    assert nightly(fresh, []).lapsed == first.opened
    assert changes(fresh)["changes"] == []
    assert len(changes(fresh, "?state=lapsed&limit=200")["changes"]) == first.opened


def pick(world: World, kind: str, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = changes(world, f"?change={kind}&limit=200", **more)["changes"][0]
    return found


def test_an_adverse_change_needs_a_person_and_a_reason(fresh: World) -> None:
    nightly(fresh)
    change = pick(fresh, "demote")
    assert change["needs_human_decision"]
    path = f"/v1/tiers/changes/{change['change_id']}/approve"
    refused = fresh.call("POST", path, json={})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/reason"
    done = fresh.call("POST", path, json={"reason": "Two weak years; agreed in the QBR."})
    assert done.status_code == 200, done.text
    assert (done.json()["state"], done.json()["decided_by"]) == ("approved", "admin-owner")
    again = fresh.call("POST", path, json={"reason": "twice"}).json()
    assert again["reason"] == "Two weak years; agreed in the QBR."
    other = fresh.call("POST", path.replace("approve", "reject"), json={"reason": "no"})
    assert other.status_code == 409


def test_an_approved_tier_is_held_from_then_on_until_the_data_show_another(fresh: World) -> None:
    nightly(fresh)
    change = pick(fresh, "promote")
    path = f"/v1/tiers/changes/{change['change_id']}/approve"
    assert fresh.call("POST", path, json={}).status_code == 200
    partner = change["partner_id"]
    assert recommended(fresh, partner)["results"][0]["current_tier"] == change["to_tier"]
    nightly(fresh)
    assert recommended(fresh, partner)["results"][0]["current_tier"] == change["to_tier"]


def test_after_an_approved_demotion_the_next_one_is_not_due_at_once(fresh: World) -> None:
    nightly(fresh)
    change = pick(fresh, "demote")
    path = f"/v1/tiers/changes/{change['change_id']}/approve"
    fresh.call("POST", path, json={"reason": "agreed"})
    for _ in range(2):
        found = recommended(fresh, change["partner_id"])["results"][0]
        assert found["current_tier"] == change["to_tier"]
        assert found["change"] != "demote"
        nightly(fresh)


def test_an_approved_promotion_protects(fresh: World) -> None:
    nightly(fresh)
    change = pick(fresh, "promote")
    fresh.call("POST", f"/v1/tiers/changes/{change['change_id']}/approve", json={})
    standing = fresh.runtime.use_cases.tiers.store.standings([change["partner_id"]])
    assert standing[change["partner_id"]].memory.since_promotion == 0
    assert recommended(fresh, change["partner_id"])["results"][0]["protected"]


def test_a_rejected_change_is_not_opened_again_for_the_same_review(fresh: World) -> None:
    first = nightly(fresh)
    change = pick(fresh, "promote")
    path = f"/v1/tiers/changes/{change['change_id']}/reject"
    for empty in ({}, {"reason": ""}, {"reason": "  "}):
        assert fresh.call("POST", path, json=empty).status_code == 422
    assert fresh.call("POST", path, json={"reason": "strategic pause"}).status_code == 200
    again = nightly(fresh)
    assert (again.opened, again.kept) == (0, first.opened - 1)


def test_a_manager_sees_and_decides_only_on_its_own_partners(fresh: World) -> None:
    nightly(fresh)
    own = changes(fresh, "?limit=200", role="channel_manager")["changes"]
    everyone = changes(fresh, "?limit=200")["changes"]
    assert 0 < len(own) < len(everyone)
    assert all(int(c["partner_id"][1:]) % 2 == 0 for c in own)
    other = next(c for c in everyone if c not in own)
    path = f"/v1/tiers/changes/{other['change_id']}/approve"
    refused = fresh.call("POST", path, json={"reason": "x"}, role="channel_manager")
    unknown = fresh.call(
        "POST", "/v1/tiers/changes/tch_none/approve", json={"reason": "x"}, role="channel_manager"
    )
    assert refused.status_code == unknown.status_code == 404
    assert refused.json()["detail"] == unknown.json()["detail"]


def test_pages_of_the_review_list_join_without_gap_or_repeat(world: World) -> None:
    whole = [c["change_id"] for c in changes(world, "?limit=200")["changes"]]
    found, cursor = [], ""
    while True:
        page = changes(world, f"?limit=3{cursor}")
        found += [c["change_id"] for c in page["changes"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert found == whole
    assert world.call("GET", "/v1/tiers/changes?cursor=!!").status_code == 422


def test_an_override_stands_beside_the_recommendation_until_it_expires(fresh: World) -> None:
    body = {"tier": "platinum", "reason": "launch partner", "expires_at": "2026-12-01T00:00:00Z"}
    path = "/v1/partners/T12/tier/override"
    nightly(fresh)
    assert fresh.call("POST", path, json=body, role="channel_manager").status_code == 200
    nightly(fresh)
    found = recommended(fresh, "T12")["results"][0]
    assert found["override"]["tier"] == "platinum"
    assert found["recommended_tier"] == found["override"]["model_tier"]
    fresh.clock.advance(11 * 86_400)
    fresh.runtime.resident.refresh()
    assert fresh.runtime.shared.overrides.holding("tier", at=fresh.clock.at) == {}


def test_an_override_can_be_taken_back(fresh: World) -> None:
    body = {"tier": "gold", "reason": "x", "expires_at": "2026-12-01T00:00:00Z"}
    path = "/v1/partners/T02/tier/override"
    fresh.call("POST", path, json=body)
    assert fresh.call("POST", f"{path}/withdraw", json={}).json()["withdrawn_at"] is not None
    assert recommended(fresh, "T02")["results"][0]["override"] is None
    assert fresh.call("POST", f"{path}/withdraw", json={}).status_code == 404


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"tier": "diamond"}, "/tier"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
        ({"expires_at": "9999-12-31T23:59:59-23:59"}, "/expires_at"),
        ({"expires_at": "0001-01-01T00:00:00+23:00"}, "/expires_at"),
        ({"reason": "a\x00b"}, "/reason"),
    ],
)
def test_an_override_that_cannot_be_is_refused(world: World, change: Any, pointer: str) -> None:
    body = {"tier": "gold", "reason": "x", "expires_at": "2026-12-01T00:00:00Z", **change}
    answer = world.call("POST", "/v1/partners/T02/tier/override", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer


def test_other_rules_are_tried_without_changing_anything(world: World) -> None:
    value = POLICY.to_json()
    value["tiers"][3]["cut"] = 90
    before = world.rows_written()
    found = world.call("POST", "/v1/tiers/simulate", json={"policy": value}).json()
    assert found["up"] == 0
    assert found["down"] == len(found["moves"])
    assert found["partners"] == len(members(world))
    assert float(found["benefits_new"]["amount"]) <= float(found["benefits_now"]["amount"])
    assert {e["trait"] for e in found["effects"]} == {"region", "size", "type"}
    assert sum(e["down"] for e in found["effects"] if e["trait"] == "size") == found["down"]
    assert world.rows_written() == before
    same = world.call("POST", "/v1/tiers/simulate", json={"policy": POLICY.to_json()}).json()
    assert same["moves"] == []


@pytest.mark.parametrize("change", [{"cut": 0}, {"benefits_usd": 1e308}, {"name": "a\x00"}, {"cut": "high"}])
def test_rules_that_cannot_work_are_refused_with_a_pointer(world: World, change: Any) -> None:
    value = POLICY.to_json()
    value["tiers"][1] |= change
    answer = world.call("POST", "/v1/tiers/simulate", json={"policy": value})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"].startswith("/policy")


def test_only_administrators_try_rules(world: World) -> None:
    for role in ("channel_manager", "prm", "recruiter"):
        assert world.call("POST", "/v1/tiers/simulate", json={"policy": {}}, role=role).status_code == 403
