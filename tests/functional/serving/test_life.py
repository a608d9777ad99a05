"""The life of a served process: parity, native verbs, replay, hot swap, drain."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from models.bundle import save_bundle
from serving.server import stop
from tests.functional.serving.conftest import Served, make_workspace, start
from tests.unit.serving.world import good_row, small_bundle

SCORE = "/v1/churn/score"


def values(answer: httpx.Response) -> list[dict[str, Any]]:
    return [{h: s["value"] for h, s in r["churn_probability"].items()} for r in answer.json()["results"]]


def test_the_api_scores_as_the_model_does_offline(served: Served) -> None:
    from serving.scores import frame_of

    rows = [good_row(f"P{i}", seed=i) for i in range(200)]
    bundle = small_bundle(1)
    direct = bundle.score(bundle.encode(frame_of(bundle.spec, [r["features"] for r in rows]))).probability
    answered = values(served.call("POST", SCORE, json={"rows": rows}))
    for i, by_horizon in enumerate(answered):
        for horizon, value in by_horizon.items():
            assert value == pytest.approx(direct[int(horizon)][i], abs=1e-9)


def test_the_native_verb_answers_as_the_public_call(served: Served) -> None:
    body = {"rows": [good_row(), {"partner_id": "B"}], "horizons_days": [90]}
    public, native = (served.call("POST", p, json=body) for p in (SCORE, "/churn_score"))
    assert values(public) == values(native)
    assert public.json()["errors"] == native.json()["errors"]
    refused = [served.call("POST", p, json={"partner_ids": ["A"]}) for p in (SCORE, "/churn_score")]
    assert {r.status_code for r in refused} == {503}
    assert len({r.json()["detail"] for r in refused}) == 1


# Importing BentoML uses a name that pathspec has deprecated; ends with a BentoML that does not.
@pytest.mark.filterwarnings("ignore::DeprecationWarning:pathspec")
@pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")
def test_bentomls_own_client_works_with_a_key(served: Served) -> None:
    import bentoml

    with bentoml.SyncHTTPClient(served.url, token=served.keys["prm"]) as client:
        answer = client.churn_score({"rows": [good_row("A7")]})
    assert answer["results"][0]["partner_id"] == "A7"


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
        from serving.scores import frame_of

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
    current = 1
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
    assert pids <= {p.pid for p in psutil.Process(served.process.pid).children(recursive=True)} | pids
    save_bundle(small_bundle(4), served.workspace / "mlflow/artifacts/9")


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
    server.database.close()
    assert answers
    assert set(answers) == {200}
    assert not [p for p in family if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
    assert not list((tmp_path / "w" / "serving").glob("draining-*"))
