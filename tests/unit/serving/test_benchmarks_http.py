"""Peer benchmarks over HTTP, under attack: what two releases, few peers and moved figures give away."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from data.lake import Lake
from models.benchmarks import release
from models.tiering.peers import METRICS, WITHHELD, releases_json
from models.tiering.points import number
from partnerintel.benchmarking import peers_of
from tests.unit.serving.console_world import signed_in
from tests.unit.serving.tiers_world import PARTNERS, members, nightly, open_tiers_world
from tests.unit.serving.world import NOW, World

IDS = [f"T{i:02}" for i in range(PARTNERS)]
MONEY = "won_amount_usd_365d"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    found = open_tiers_world(tmp_path_factory.mktemp("peers"))
    yield found
    found.runtime.stop()


def publish(world: World, given: list[Any], before: Any = None, day: date = date(2026, 11, 20)) -> Any:
    """What the nightly run does, on given members; returns the releases."""
    found = {
        m.feature: release(peers_of(m, given), m.kind, before=(before or {}).get(m.feature)) for m in METRICS
    }
    path = world.workspace / "benchmarks.json"
    path.write_text(json.dumps({"as_of": str(day), "releases": releases_json(found)}))
    return found


def asked(world: World, partner_id: str, **more: Any) -> dict[str, Any]:
    answer = world.call("GET", f"/v1/partners/{partner_id}/benchmarks", **more)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def everything(world: World) -> dict[str, Any]:
    """All that a person who may see every partner can ask for, less what each partner's own row says."""
    found = {p: asked(world, p)["benchmarks"] for p in IDS}
    return {p: [{k: v for k, v in b.items() if k != "value"} for b in told] for p, told in found.items()}


def moved(given: list[Any], partner_id: str, feature: str, value: float) -> list[Any]:
    def one(m: Any) -> Any:
        (row, potential) = m.reviews[-1]
        return replace(m, reviews=((*m.reviews[:-1], ({**row, feature: value}, potential))))

    return [one(m) if m.partner_id == partner_id else m for m in given]


def test_a_partner_stands_where_its_figure_does(world: World) -> None:
    publish(world, members(world))
    low, high = (asked(world, p)["benchmarks"][0]["percentile"] for p in ("T00", "T39"))
    assert low == 0
    assert high >= 90
    shown = asked(world, "T20")
    assert shown["released_as_of"] == "2026-11-20T00:00:00Z"
    assert [b["metric"] for b in shown["benchmarks"]] == [m.feature for m in METRICS]
    assert all(b["withheld"] or b["percentile"] % 10 == 0 for b in shown["benchmarks"])


def test_before_the_first_release_and_with_a_damaged_file_nothing_is_said(world: World) -> None:
    path = world.workspace / "benchmarks.json"
    for content in (None, "{", '{"as_of": "2026-01-01", "releases": {"x": 1}}'):
        path.unlink(missing_ok=True)
        if content:
            path.write_text(content)
        told = asked(world, "T20")["benchmarks"]
        assert {b["withheld"]["code"] for b in told} == {"not_published"}


def test_the_difference_of_two_releases_tells_of_nobody(world: World) -> None:
    given = members(world)
    first = publish(world, given)
    before = everything(world)
    # One partner's figure changes beyond all measure, one joins, one leaves: each alone must not show.
    for after in (
        moved(given, "T20", MONEY, 90_000_000.0),
        [*given, replace(given[0], partner_id="new")],
        [m for m in given if m.partner_id != "T31"],
    ):
        publish(world, after, before=first)
        assert everything(world) == before


def test_enough_changes_are_published(world: World) -> None:
    given = members(world)
    first = publish(world, given)
    before = everything(world)
    after = given
    for k in range(PARTNERS):
        after = moved(after, f"T{k:02}", MONEY, 700_000.0 + k)
    publish(world, after, before=first)
    assert everything(world) != before


def test_all_but_one_who_collude_learn_no_more_than_a_band(world: World) -> None:
    """Whatever the victim's figure within its band is, every answer to everybody else stays the same."""
    from models.benchmarks import band, edges

    given = members(world)
    victim = next(m for m in given if m.partner_id == "T27")
    own = number(victim.reviews[-1][0][MONEY])
    assert own is not None
    low, high = edges(band(own, "money"), "money")
    seen = []
    for value in (low * 1.0001, (low + high) / 2, high * 0.9999):
        publish(world, moved(given, "T27", MONEY, value))
        seen.append(everything(world))
    assert seen[0] == seen[1] == seen[2]


def test_few_peers_are_no_peers(world: World) -> None:
    publish(world, members(world)[:4])
    codes = {b["withheld"]["code"] for b in asked(world, "T00")["benchmarks"] if b["withheld"]}
    assert "too_few_peers" in codes
    assert all(b["percentile"] is None for b in asked(world, "T00")["benchmarks"])
    assert codes <= set(WITHHELD)


def test_no_answer_holds_the_private_basis_or_another_partner(world: World) -> None:
    publish(world, members(world))
    text = json.dumps(asked(world, "T20"))
    assert not any(f'"{p}"' in text for p in IDS if p != "T20")
    assert "bands" not in text
    assert "basis" not in text


def test_the_partner_of_another_manager_does_not_exist(world: World) -> None:
    publish(world, members(world))
    mine = asked(world, "T20", role="channel_manager")
    assert mine["partner_id"] == "T20"
    theirs, nobody = (
        world.call("GET", f"/v1/partners/{p}/benchmarks", role="channel_manager") for p in ("T21", "nobody")
    )
    assert theirs.status_code == nobody.status_code == 404
    assert world.call("GET", "/v1/partners/T20/benchmarks", role="recruiter").status_code == 403


def test_the_pages_of_the_console_show_the_same(world: World) -> None:
    publish(world, members(world))
    browser = signed_in(world, "admin")
    for path in ("/console/partners/T20", "/console/partners/T20/qbr"):
        page = browser.get(path)
        assert page.status_code == 200, path
        if "qbr" in path:
            assert "Among its peers" in page.text
            assert "Value won in a year" in page.text
            # Equals count one half: who has nothing, as half of the others, has nobody below.
            assert "Peers below" not in page.text
            assert "Percentile</th>" in page.text


def test_the_review_list_says_where_a_partner_stands(own: World) -> None:
    nightly(own)
    assert "Percentile among peers:" not in signed_in(own, "admin").get("/console/tiers").text
    publish(own, members(own))
    text = signed_in(own, "admin").get("/console/tiers").text
    assert re.search(r"Percentile among peers:</strong> value won in a year \d+", text)


def ended(world: World, partner_id: str, *, days: int) -> None:
    at = pd.Timestamp(NOW) + pd.Timedelta(days=days)
    known = min(at, pd.Timestamp(NOW))
    rows = pd.DataFrame({"partner_id": [partner_id], "event_at": [at], "known_at": [known]})
    Lake(world.workspace / "lake").append("terminations", rows, ingested_at=NOW)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[World]:
    found = open_tiers_world(tmp_path)
    yield found
    found.runtime.stop()


def recommended(world: World, partner_id: str) -> dict[str, Any]:
    answer = world.call("GET", f"/v1/partners/{partner_id}/tier")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_partner_that_left_is_recommended_nothing_and_told_why(own: World) -> None:
    before = recommended(own, "T30")
    assert (before["withheld"], before["recommended_tier"] is None) == (None, False)
    ended(own, "T30", days=-10)
    ended(own, "T32", days=30)
    after = recommended(own, "T30")
    assert after["withheld"]["code"] == "agreement_ended"
    assert "10 November 2026" in after["withheld"]["reason"]
    assert (after["recommended_tier"], after["change"], after["potential"]) == (None, "none", None)
    assert (after["gap_to_next"], after["to_keep"], after["needs_human_decision"]) == ([], [], False)
    assert recommended(own, "T32")["withheld"] is None, "its end has not come yet"
    replayed = own.call("GET", f"/v1/decisions/{after['decision_id']}").json()
    assert replayed["replayed"] == "identical"
    assert own.call("GET", f"/v1/decisions/{before['decision_id']}").json()["replayed"] == "identical"


def test_a_partner_that_left_can_be_given_no_tier_and_is_compared_with_nobody(own: World) -> None:
    ended(own, "T30", days=-10)
    body = {"tier": "gold", "reason": "a favour", "expires_at": "2027-01-01T00:00:00Z"}
    assert own.call("POST", "/v1/partners/T30/tier/override", json=body).status_code == 422
    publish(own, members(own))
    told = asked(own, "T30")
    assert told["benchmarks"] == []
    assert "has ended" in told["warnings"][0]


def test_a_partner_that_left_moves_in_no_simulation(own: World) -> None:
    policy = own.runtime.use_cases.tiers.rules.current(at=NOW)[1].to_json()
    count = own.call("POST", "/v1/tiers/simulate", json={"policy": policy}).json()["partners"]
    ended(own, "T30", days=-10)
    assert own.call("POST", "/v1/tiers/simulate", json={"policy": policy}).json()["partners"] == count - 1


def test_the_console_says_of_a_partner_that_left_that_nothing_is_recommended(own: World) -> None:
    ended(own, "T30", days=-10)
    page = signed_in(own, "admin").get("/console/partners/T30/qbr").text
    assert "no tier is recommended" in page
    assert "To reach" not in page
