"""The life of a served process: parity, native verbs, replay, hot swap, drain."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from features.settings import FeatureSettings
from features.snapshot import read_snapshots
from features.store import FeatureStore
from models.bundle import Bundle
from serving.scores import frame_of
from serving.server import stop
from tests.functional.serving.conftest import STIRRED, Served, make_workspace, start
from tests.unit.serving.world import good_row, small_bundle

SCORE = "/v1/churn/score"
# Seconds are for a machine of its own; tests share theirs.
SLACK = 4


def values(answer: httpx.Response) -> list[dict[str, Any]]:
    return [{h: s["value"] for h, s in r["churn_probability"].items()} for r in answer.json()["results"]]


SEEDS = {"1": 1, "2": 2, "3": 3, "9": 4}


def serving_bundle(served: Served) -> Bundle:
    return small_bundle(SEEDS[served.call("GET", "/v1/models/churn").json()["version"]])


def test_the_api_scores_as_the_model_does_offline(served: Served) -> None:
    rows = [good_row(f"P{i}", seed=i) for i in range(200)]
    bundle = serving_bundle(served)
    direct = bundle.score(bundle.encode(frame_of(bundle.spec, [r["features"] for r in rows]))).probability
    answered = values(served.call("POST", SCORE, json={"rows": rows}))
    for i, by_horizon in enumerate(answered):
        for horizon, value in by_horizon.items():
            assert value == pytest.approx(direct[int(horizon)][i], abs=1e-9)


def test_features_offline_online_and_behind_the_api_are_the_same(served: Served) -> None:
    offline = read_snapshots(served.workspace / "features").set_index("partner_id")
    ids = [p for p in offline.index if p not in STIRRED]
    assert len(ids) == 29
    answer = served.call("POST", SCORE, json={"partner_ids": ids, "max_reasons": 20}).json()
    assert answer["errors"] == []
    bundle = serving_bundle(served)
    direct = bundle.score(bundle.encode(offline.loc[ids].reset_index())).probability
    for i, result in enumerate(answer["results"]):
        scores = result["churn_probability"]
        assert result["partner_id"] == ids[i]
        for horizon, score in scores.items():
            assert score["value"] == pytest.approx(direct[int(horizon)][i], abs=1e-9)
        used = served.call("GET", f"/v1/decisions/{scores['30']['decision_id']}").json()
        assert used["replayed"] == "identical"
        assert used["matrix_version"]
        for name, value in used["features"].items():
            known = offline.loc[ids[i], name]
            same = value == known if isinstance(value, str) else value == pytest.approx(known, abs=1e-9)
            assert same or (value is None and known != known), (ids[i], name)
        assert used["features_as_of"] == f"{offline.loc[ids[i], 'as_of']:%Y-%m-%d}T00:00:00Z"


def test_a_manager_sees_its_own_partners_and_others_do_not_exist_for_it(served: Served) -> None:
    body = {"partner_ids": ["P0", "P1", "nobody"]}
    mine = served.call("POST", SCORE, json=body, role="channel_manager").json()
    assert [r["partner_id"] for r in mine["results"]] == ["P0"]
    others, nobody = ({k: v for k, v in e.items() if k not in ("row", "partner_id")} for e in mine["errors"])
    assert others["errors"][0]["detail"] == nobody["errors"][0]["detail"]
    assert [e["row"] for e in mine["errors"]] == [1, 2]
    answers = [
        served.call("GET", f"/v1/partners/{p}/churn", role="channel_manager") for p in ("P1", "nobody")
    ]
    assert [a.status_code for a in answers] == [404, 404]
    assert len({a.json()["detail"] for a in answers}) == 1
    assert (
        served.call("GET", "/v1/partners/P1/churn?horizons_days=30&max_reasons=2", role="prm").status_code
        == 200
    )
    for path in (SCORE, "/churn_score"):
        got = served.call("POST", path, json=body, role="prm").json()
        assert [r["partner_id"] for r in got["results"]] == ["P0", "P1"]


def test_an_event_that_arrives_changes_the_served_score(served: Served) -> None:
    now = datetime.now(UTC).replace(tzinfo=None)
    partner = STIRRED[2]
    path = f"/v1/partners/{partner}/churn"
    before = served.call("GET", path).json()["churn_probability"]["90"]
    store = FeatureStore(FeatureSettings(), served.workspace)
    snapshot = read_snapshots(served.workspace / "features", views=["engagement"])
    row = snapshot[snapshot["partner_id"] == partner].drop(columns="as_of")
    changed = row.assign(login_count_30d=row["login_count_30d"] + 40, days_since_last_login=0.0, event_at=now)
    store.online_store.write("engagement", changed, now=now)
    begun = time.monotonic()
    while served.call("GET", path).json()["churn_probability"]["90"]["value"] == before["value"]:
        assert time.monotonic() - begun < 5 * SLACK
        time.sleep(0.1)


def test_a_dead_store_means_degraded_and_never_an_error(served: Served) -> None:
    online = served.workspace / "feast" / "online.db"
    aside = online.with_suffix(".aside")
    online.rename(aside)
    try:
        wait_until(lambda: served.call("GET", "/readyz", role=None).json()["status"] == "degraded")
        scores = served.call("GET", "/v1/partners/P4/churn").json()["churn_probability"]
        assert {s["degraded"] for s in scores.values()} == {True}
        assert all(any("last-known" in w for w in s["warnings"]) for s in scores.values())
    finally:
        aside.rename(online)
    wait_until(lambda: served.call("GET", "/readyz", role=None).json()["status"] == "ok")


def wait_until(true: Callable[[], bool], *, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_the_native_verb_answers_as_the_public_call(served: Served) -> None:
    body = {"rows": [good_row(), {"partner_id": "B"}], "horizons_days": [90]}
    public, native = (served.call("POST", p, json=body) for p in (SCORE, "/churn_score"))
    assert values(public) == values(native)
    assert public.json()["errors"] == native.json()["errors"]
    wrong = {"rows": [good_row()], "horizons_days": [45]}
    refused = [served.call("POST", p, json=wrong) for p in (SCORE, "/churn_score")]
    assert {r.status_code for r in refused} == {422}
    assert len({r.json()["detail"] for r in refused}) == 1


def test_bentomls_own_client_works_with_a_key(served: Served) -> None:
    code = (
        "import bentoml, json, sys\n"
        "with bentoml.SyncHTTPClient(sys.argv[1], token=sys.argv[2]) as client:\n"
        "    print(json.dumps(client.churn_score(json.loads(sys.argv[3]))))\n"
    )
    given = (served.url, served.keys["prm"], json.dumps({"rows": [good_row("A7")]}))
    done = subprocess.run([sys.executable, "-c", code, *given], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["results"][0]["partner_id"] == "A7"


def test_every_decision_replays_in_the_running_product(served: Served) -> None:
    answer = served.call("POST", SCORE, json={"rows": [good_row(f"P{i}", seed=i) for i in range(20)]}).json()
    for result in answer["results"]:
        decision_id = result["churn_probability"]["30"]["decision_id"]
        assert served.call("GET", f"/v1/decisions/{decision_id}").json()["replayed"] == "identical"


def test_models_are_swapped_under_load_without_a_failed_or_mixed_answer(served: Served) -> None:
    for version in (2, 3):
        served.shop.register(version, seed=version)
    expected = {}
    for version, seed in (("1", 1), ("2", 2), ("3", 3)):
        bundle = small_bundle(seed)
        row = frame_of(bundle.spec, [good_row()["features"]])
        expected[version] = {
            str(h): float(v[0]) for h, v in bundle.score(bundle.encode(row)).probability.items()
        }
    stop_now, bad, seen = threading.Event(), [], set()

    def load() -> None:
        with httpx.Client(headers=served.headers(), timeout=60) as client:
            while not stop_now.is_set():
                answer = client.post(served.url + SCORE, json={"rows": [good_row()]})
                if answer.status_code != 200:
                    bad.append(answer.text)
                    continue
                scores = answer.json()["results"][0]["churn_probability"]
                versions = {s["model_version"] for s in scores.values()}
                seen.update(versions)
                if (
                    len(versions) != 1
                    or {h: s["value"] for h, s in scores.items()} != expected[versions.pop()]
                ):
                    bad.append(scores)

    threads = [threading.Thread(target=load) for _ in range(3)]
    for thread in threads:
        thread.start()
    current = int(served.call("GET", "/v1/models/churn").json()["version"])
    for version in (2, 3, 1, 2, 3):
        served.shop.promote(version, expected=current)
        current = version
        wait_for_version(served, str(version))
    stop_now.set()
    for thread in threads:
        thread.join()
    assert bad == []
    assert seen == {"1", "2", "3"}


def wait_for_version(served: Served, version: str) -> None:
    deadline = time.monotonic() + 60
    while served.call("GET", "/v1/models/churn").json()["version"] != version:
        assert time.monotonic() < deadline, served.log.read_text()[-2000:]
        time.sleep(0.1)


def test_a_damaged_champion_is_refused_by_the_running_server_which_goes_on(served: Served) -> None:
    before = served.call("GET", "/v1/models/churn").json()["version"]
    pids = {p.pid for p in psutil.Process(served.process.pid).children(recursive=True)}
    served.shop.register(9, seed=4)
    served.shop.promote(9, expected=int(before))
    for folder in (served.workspace / "bundles/churn/9", served.workspace / "mlflow/artifacts/9"):
        text = (folder / "model.txt").read_bytes()
        (folder / "model.txt").write_bytes(text[: len(text) // 3])
    deadline = time.monotonic() + 60
    while (ready := served.call("GET", "/readyz", role=None)).json()["status"] == "ok":
        if served.call("GET", "/v1/models/churn").json()["version"] == "9":
            break  # it was loaded before we damaged it: promote it away and be content
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert ready.status_code == 200
    assert served.call("POST", SCORE, json={"rows": [good_row()]}).status_code == 200
    assert pids <= {p.pid for p in psutil.Process(served.process.pid).children(recursive=True)}
    served.shop.promote(int(before), expected=9)
    wait_until(lambda: served.call("GET", "/readyz", role=None).json()["status"] == "ok")
    assert served.call("GET", "/v1/models/churn").json()["version"] == before


def test_draining_says_not_ready_finishes_what_was_begun_and_leaves_no_process(tmp_path: Path) -> None:
    server = start(tmp_path / "w", make_workspace(tmp_path / "w"))
    server.wait_for()
    family = psutil.Process(server.process.pid).children(recursive=True)
    answers: list[int] = []

    def load() -> None:
        while True:
            try:
                if server.call("GET", "/readyz", role=None).status_code != 200:
                    return
            except httpx.TransportError:
                answers.append(0)
                return
            answers.append(server.call("POST", SCORE, json={"rows": [good_row()] * 20}).status_code)

    threads = [threading.Thread(target=load) for _ in range(3)]
    for thread in threads:
        thread.start()
    time.sleep(1)
    assert stop(server.process, tmp_path / "w", drain_seconds=3) == 0
    for thread in threads:
        thread.join()
    server.close()
    assert answers
    assert set(answers) == {200}
    assert not [p for p in family if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
    assert not list((tmp_path / "w" / "serving").glob("draining-*"))
