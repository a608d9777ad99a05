"""The contract over HTTP, without BentoML: guard, application, use cases, a real bundle and database."""

from __future__ import annotations

import errno
import json
import math
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from serving.routes import ROUTES
from serving.tables import AUDIT_LOG
from tests.unit.serving.world import World, good_row, open_world, small_bundle, write_seed

SCORE = "/v1/churn/score"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return open_world(tmp_path_factory.mktemp("api"))


def scores(world: World, row: dict[str, Any], **more: Any) -> dict[str, Any]:
    answer = world.call("POST", SCORE, json={"rows": [row], **more})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["results"][0]["churn_probability"]
    return found


def on_scale(score: dict[str, Any]) -> float:
    value = score["value"]
    return (
        math.log(-math.log1p(-value))
        if score["scale"] == "log_cumulative_hazard"
        else math.log(value / (1 - value))
    )


def total(score: dict[str, Any]) -> float:
    return float(
        score["baseline"] + math.fsum(r["contribution"] for r in score["reasons"]) + score["other_factors"]
    )


@pytest.mark.parametrize("max_reasons", [1, 2, 20])
def test_reasons_add_up_to_the_score_at_every_horizon(world: World, max_reasons: int) -> None:
    for seed in range(5):
        found = scores(world, good_row(seed=seed), max_reasons=max_reasons)
        assert list(found) == ["30", "90", "180"]
        for score in found.values():
            assert total(score) == pytest.approx(on_scale(score), abs=1e-6)
            raising = [r for r in score["reasons"] if r["contribution"] > 0]
            assert max(len(raising), len(score["reasons"]) - len(raising)) <= max_reasons


def test_a_score_is_what_the_bundle_says(world: World) -> None:
    bundle = world.runtime.resident.view().models["churn"].bundle
    from serving.scores import frame_of

    row = good_row(seed=3)
    direct = bundle.score(bundle.encode(frame_of(bundle.spec, [row["features"]])))
    found = scores(world, row)
    assert {h: s["value"] for h, s in found.items()} == {str(h): v[0] for h, v in direct.probability.items()}


def test_faulty_rows_are_entries_and_good_rows_are_answered(world: World) -> None:
    rows = [good_row("A"), {"partner_id": "B"}, "x", good_row("C")]
    answer = world.call("POST", SCORE, json={"rows": rows}).json()
    assert [r["partner_id"] for r in answer["results"]] == ["A", "C"]
    assert [(e["row"], e["partner_id"]) for e in answer["errors"]] == [(1, "B"), (2, None)]


@pytest.mark.parametrize(
    ("change", "warned"),
    [
        ({"country": "ZZ"}, True),
        ({"country": None}, False),
        ({"employee_count": 1e9}, True),
        ({"login_count_30d": None, "days_since_last_login": None}, False),
        ({"login_count_30d": -5}, False),
    ],
)
def test_strange_but_possible_values_are_answered_with_reasons_that_add_up(
    world: World, change: dict[str, Any], warned: bool
) -> None:
    for score in scores(world, good_row(**change)).values():
        assert bool(score["warnings"]) >= warned
        assert 0 < score["value"] < 1
        assert total(score) == pytest.approx(on_scale(score), abs=1e-6)


def test_every_feature_missing_is_insufficient_evidence_and_says_what_is_missing(world: World) -> None:
    for score in scores(world, {"partner_id": "A", "features": {}}).values():
        assert (score["value"], score["interval"], score["evidence"]) == (None, None, "insufficient")
        assert score["warnings"]


def test_every_score_can_be_made_again_bit_for_bit_even_from_a_large_batch(world: World) -> None:
    rows = [good_row(f"P{i}", seed=i, employee_count=i * 1.1) for i in range(60)]
    rows[3]["features"] = {}
    answer = world.call("POST", SCORE, json={"rows": rows}).json()
    for result in answer["results"]:
        ids = {s["decision_id"] for s in result["churn_probability"].values()}
        assert len(ids) == 1
        shown = world.call("GET", f"/v1/decisions/{ids.pop()}").json()
        assert (shown["replayed"], shown["differences"]) == ("identical", [])
        assert shown["response"]["scores"] == result["churn_probability"]


def test_a_record_that_was_changed_does_not_replay(world: World) -> None:
    from sqlalchemy import update

    from serving.tables import DECISIONS

    decision_id = scores(world, good_row())["30"]["decision_id"]
    stored = world.call("GET", f"/v1/decisions/{decision_id}").json()["response"]
    stored["scores"]["30"]["value"] += 1e-15
    with world.runtime.shared.database.write() as connection:
        changed = update(DECISIONS).where(DECISIONS.c.decision_id == decision_id)
        connection.execute(changed.values(response=json.dumps(stored)))
    shown = world.call("GET", f"/v1/decisions/{decision_id}").json()
    assert shown["replayed"] == "different"
    assert [d["pointer"] for d in shown["differences"]] == ["/scores/30/value"]


def test_a_decision_whose_model_is_gone_says_so(tmp_path: Path) -> None:
    world = open_world(tmp_path)
    decision_id = scores(world, good_row())["30"]["decision_id"]
    write_seed(world.seed, version="8", bundle=small_bundle(2))
    world.runtime.resident.refresh()
    shown = world.call("GET", f"/v1/decisions/{decision_id}").json()
    assert (shown["model_version"], shown["replayed"]) == ("7", "impossible")
    assert "cannot be found" in shown["why"]


def test_a_decision_of_another_owner_does_not_exist(world: World) -> None:
    decision_id = scores(world, good_row())["30"]["decision_id"]
    answers = [world.call("GET", f"/v1/decisions/{i}", role="prm") for i in (decision_id, "dec_none")]
    assert [a.status_code for a in answers] == [404, 404]
    assert len({a.json()["detail"] for a in answers}) == 1


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, ""),
        ({"rows": []}, "/rows"),
        ({"partner_ids": []}, "/partner_ids"),
        ({"partner_ids": ["a"] * 1001}, "/partner_ids"),
        ({"rows": [{}] * 1001}, "/rows"),
        ({"partner_ids": "A1"}, "/partner_ids"),
        ({"partner_ids": [1]}, "/partner_ids/0"),
        ({"partner_ids": [None]}, "/partner_ids/0"),
        ({"rows": {}}, "/rows"),
        ({"partner_ids": ["A"], "rows": [{}]}, ""),
        ({"partner_ids": ["A"], "extra": 1}, "/extra"),
        ({"partner_ids": ["A"], "decision_id": "x"}, "/decision_id"),
        ({"rows": [{}], "max_reasons": 0}, "/max_reasons"),
        ({"rows": [{}], "max_reasons": 21}, "/max_reasons"),
        ({"rows": [{}], "max_reasons": "5"}, "/max_reasons"),
        ({"rows": [{}], "max_reasons": True}, "/max_reasons"),
        ({"rows": [{}], "max_reasons": None}, "/max_reasons"),
        ({"rows": [{}], "horizons_days": [45]}, "/horizons_days"),
        ({"rows": [{}], "horizons_days": []}, "/horizons_days"),
        ({"rows": [{}], "horizons_days": [-1]}, "/horizons_days/0"),
        ({"rows": [{}], "horizons_days": [30.5]}, "/horizons_days/0"),
        ({"rows": [{}], "horizons_days": 30}, "/horizons_days"),
    ],
)
def test_a_malformed_envelope_is_422_with_a_pointer_and_nothing_is_written(
    world: World, body: dict[str, Any], pointer: str
) -> None:
    before = world.rows_written()
    answer = world.call("POST", SCORE, json=body)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert pointer in [e["pointer"] for e in answer.json()["errors"]]
    assert world.rows_written() == before


def test_without_features_known_partners_cannot_be_scored_and_rows_can(world: World) -> None:
    answer = world.call("POST", SCORE, json={"partner_ids": ["A1"]})
    assert answer.status_code == 503
    assert "No partner features" in answer.json()["detail"]


def test_any_model_scores_rows_under_its_own_id_columns(world: World) -> None:
    answer = world.call("POST", "/v1/models/churn/score", json={"rows": [good_row("A9")]})
    result = answer.json()["results"][0]
    assert (result["partner_id"], list(result["scores"])) == ("A9", ["30", "90", "180"])


@pytest.mark.parametrize("path", ["/v1/models/nope", "/v1/models/../x", "/v1/decisions/x"])
def test_what_is_not_there_is_404(world: World, path: str) -> None:
    assert world.call("GET", path).status_code == 404


def test_models_say_what_serves_and_how_it_was_judged(world: World) -> None:
    report = world.workspace / "reports" / "churn" / "7.json"
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text(json.dumps({"model": "churn", "split": "purged", "metrics": {"auc": {"value": 0.8}}}))
    found = {m["name"]: m for m in world.call("GET", "/v1/models").json()["models"]}["churn"]
    assert (found["version"], found["source"], found["in_service"]) == ("7", "seed", True)
    assert found["report"] == {"split": "purged", "metrics": {"auc": {"value": 0.8}}}
    assert found == world.call("GET", "/v1/models/churn").json()


def test_unknown_query_parameters_are_refused(world: World) -> None:
    for path in ("/v1/models?x=1", "/v1/models/churn?x=1", "/v1/partners/A/churn?x=1"):
        answer = world.call("GET", path)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/x")


GATED = [r for r in ROUTES if r.roles is not None and not r.native]


@pytest.mark.parametrize("role", ["recruiter", "channel_manager", "prm", "admin"])
@pytest.mark.parametrize("route", GATED, ids=lambda r: f"{r.method} {r.path}")
def test_each_role_may_what_its_row_says_and_denials_are_on_record(
    world: World, route: Any, role: str
) -> None:
    path = route.path.replace("{partner_id}", "A1").replace("{name}", "churn").replace("{decision_id}", "d")
    before = _denials(world)
    more: dict[str, Any] = {"json": {"rows": [good_row()]}} if route.body else {}
    answer = world.call(route.method, path, role=role, **more)
    assert (answer.status_code == 403) == (role not in route.roles)
    assert _denials(world) - before == (answer.status_code == 403)


def _denials(world: World) -> int:
    with world.runtime.shared.database.read() as connection:
        query = select(func.count()).where(AUDIT_LOG.c.action == "denied")
        return int(connection.execute(query).scalar_one())


@pytest.mark.parametrize("route", GATED, ids=lambda r: f"{r.method} {r.path}")
def test_without_a_key_nothing_but_401(world: World, route: Any) -> None:
    path = route.path.replace("{partner_id}", "A1").replace("{name}", "churn").replace("{decision_id}", "d")
    world.clock.advance(120)
    assert world.call(route.method, path, role=None).status_code == 401


def test_the_document_lists_exactly_the_public_routes_and_their_roles(world: World) -> None:
    document = world.call("GET", "/openapi.json", role=None).json()
    listed = {(m.upper(), p): o for p, ops in document["paths"].items() for m, o in ops.items()}
    unlisted = ("/openapi.json", "/docs")
    shown = [r for r in ROUTES if not r.native and not r.page and r.path not in unlisted]
    assert set(listed) == {(r.method, r.path) for r in shown}
    assert all(bool(listed[r.method, r.path]["security"]) == (r.roles is not None) for r in shown)
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_the_page_for_people_loads_nothing(world: World) -> None:
    answer = world.call("GET", "/docs", role=None)
    assert "<script" not in answer.text
    assert "://" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_documents_can_be_switched_off(tmp_path: Path) -> None:
    world = open_world(tmp_path, config="config_version: 1\nserving: {docs: false}\n")
    assert world.call("GET", "/docs", role=None).status_code == 404
    assert world.call("GET", "/openapi.json", role=None).status_code == 404
    assert world.call("GET", "/livez", role=None).status_code == 200


def test_readiness_tells_the_truth(tmp_path: Path) -> None:
    world = open_world(tmp_path)
    assert world.call("GET", "/readyz", role=None).json() == {"status": "ok", "reasons": []}
    model = world.seed / "bundles" / "churn" / "8" / "model.txt"
    write_seed(world.seed, version="8", bundle=small_bundle(2))
    model.write_bytes(b"TREE" + model.read_bytes()[4:])
    world.runtime.resident.refresh()
    answer = world.call("GET", "/readyz", role=None)
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert "version 8 was refused" in answer.json()["reasons"][0]
    assert scores(world, good_row())["30"]["model_version"] == "7"
    (world.workspace / "serving").mkdir(exist_ok=True)
    (world.workspace / "serving").mkdir(exist_ok=True)
    (world.workspace / "serving" / "draining-1").touch()
    assert world.call("GET", "/readyz", role=None).status_code == 503
    assert world.call("GET", "/livez", role=None).status_code == 200


def test_with_no_model_at_all_it_is_not_ready_and_scores_are_503(tmp_path: Path) -> None:
    world = open_world(tmp_path)
    (world.seed / "champions.json").write_text("{}")
    empty = open_world(tmp_path)
    assert empty.call("GET", "/readyz", role=None).json()["detail"] == "No model is in service."
    answer = empty.call("POST", SCORE, json={"rows": [good_row()]})
    assert answer.status_code == 503
    assert "promote" in answer.json()["detail"]


def test_metrics_count_scores_by_evidence_and_routes_by_template(world: World) -> None:
    scores(world, good_row())
    page = world.call("GET", "/metrics", role="prm").text
    assert 'partnerintel_scores_total{evidence="' in page
    assert 'route="/v1/churn/score",status="200"' in page


def test_what_was_sent_is_in_no_log_line(world: World) -> None:
    canary = "canary-91c2@example.com"
    world.call("POST", SCORE, json={"rows": [good_row(canary, country=canary)]})
    world.call("POST", SCORE, json={"partner_ids": [canary], canary: canary})
    world.call(
        "POST", SCORE, content=f'{{"{canary}": NaN'.encode(), headers={"content-type": "application/json"}
    )
    world.call("GET", f"/v1/partners/{canary}/churn")
    world.call("GET", f"/v1/models?{canary}={canary}", headers={"x-canary": canary})
    world.call("GET", "/v1/models", role=None, headers={"authorization": f"Bearer {canary}"})
    assert canary not in world.log.getvalue()
    assert canary not in world.call("GET", "/metrics").text


def test_a_database_that_is_gone_is_503_and_not_500(tmp_path: Path) -> None:
    world = open_world(tmp_path)
    world.call("GET", "/v1/models")
    for file in world.workspace.glob("state.db*"):
        file.unlink()
    world.runtime.shared.database.close()
    answer = world.call("POST", SCORE, json={"rows": [good_row()]})
    assert answer.status_code == 503
    assert "nothing was recorded" in answer.json()["detail"]


def test_a_denial_that_cannot_be_recorded_is_a_denial_all_the_same(world: World) -> None:
    with world.runtime.shared.database.write() as connection:
        connection.exec_driver_sql("ALTER TABLE audit_log RENAME TO elsewhere")
    try:
        assert world.call("GET", "/metrics", role="recruiter").status_code == 403
        assert world.call("GET", "/metrics", role=None).status_code == 401
        assert "denial not recorded" in world.log.getvalue()
    finally:
        with world.runtime.shared.database.write() as connection:
            connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO audit_log")


@pytest.mark.parametrize(("number", "status"), [(errno.ENOSPC, 503), (errno.EDQUOT, 503), (errno.EIO, 500)])
def test_a_full_disk_is_told_and_every_other_failure_stays_ours(
    world: World, monkeypatch: pytest.MonkeyPatch, number: int, status: int
) -> None:
    def fails(*_: Any, **__: Any) -> Any:
        raise OSError(number, "x")

    monkeypatch.setattr(world.runtime.use_cases.scoring, "rows_of_model", fails)
    for path in ("/v1/churn/score", "/v1/models/churn/score"):
        answer = world.call("POST", path, json={"rows": [good_row()]})
        assert answer.status_code == status
        assert answer.json()["status"] == status
