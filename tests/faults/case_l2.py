"""L2: models that are swapped while scores are asked for."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import httpx

from serving.scores import frame_of
from tests.faults.harness import Outcome, judged
from tests.faults.load import Heard, Load, failures, percentile
from tests.faults.target import broken_worker, guarded, served_product
from tests.functional.serving.conftest import CONFIG, Served
from tests.unit.serving.world import World, good_row, small_bundle

TITLE = "A model swapped under load fails no request, and no answer mixes two versions"
QUICK, FULL = 3, 20  # swaps
VERSIONS = (1, 2, 3)
EACH_SECOND = 20.0
SCORE = "/v1/churn/score"
ROWS = 3
FAST = CONFIG.replace("refresh_seconds: 0.3", "refresh_seconds: 0.1")
Scores = Mapping[str, Mapping[str, Any]]


def run(size: int) -> Outcome:
    """Promotions one after the other, each until the server serves it."""
    with served_product(config=FAST) as served:
        for version in VERSIONS[1:]:
            served.shop.register(version, seed=version)
        load = Load(_asking(served.url, served.headers()), EACH_SECOND, read=httpx.Response.json)
        with load.running():
            late = _swap(served, size)
        faults = [*late, *failures(load.heard), *mixed(load.heard)]
        seen = {s["model_version"] for h in load.heard for s in _scores(h)}
    if not {str(v) for v in VERSIONS} <= seen:
        faults.append(f"only versions {sorted(seen)} answered")
    p99 = percentile([h.seconds for h in load.heard], 0.99)
    told = f"{size} swaps under {len(load.heard)} requests, 0 failed, 0 mixed, p99 {p99 * 1000:.0f} ms"
    return judged(size, faults, told)


def planted() -> Outcome:
    """The same look at a worker that answers one horizon from another version."""
    with broken_worker(mixing) as target:
        answer = target.call("POST", SCORE, json={"rows": [good_row()] * ROWS})
        return judged(1, mixed([Heard(0, answer.status_code, 0.0, answer.json(), 0.0)]), "")


def _asking(url: str, headers: dict[str, str]) -> Any:
    body = {"rows": [good_row()] * ROWS}
    return lambda client, number: client.post(url + SCORE, json=body, headers=headers)


def _swap(served: Served, times: int) -> list[str]:
    faults, current, rng = [], 1, random.Random(times)
    for number in range(times):
        wanted = VERSIONS[(VERSIONS.index(current) + 1 + number // 3 % 2) % len(VERSIONS)]
        served.shop.promote(wanted, expected=current)
        current, deadline = wanted, time.monotonic() + 60
        while served.call("GET", "/v1/models/churn").json()["version"] != str(wanted):
            if time.monotonic() > deadline:
                return [*faults, f"version {wanted} was not served within a minute"]
            time.sleep(0.05)
        time.sleep(rng.uniform(0, 0.3))
    return faults


def mixed(heard: Sequence[Heard]) -> list[str]:
    """Answers whose values are not all those of one version."""
    faults = []
    for one in heard:
        scores = _scores(one)
        versions = {s["model_version"] for s in scores}
        if len(versions) > 1:
            faults.append(f"answer {one.number} mixes versions {sorted(versions)}")
        for result in one.told["results"] if isinstance(one.told, dict) else ():
            by_horizon: Scores = result["churn_probability"]
            version = next(iter(by_horizon.values()))["model_version"]
            if {h: s["value"] for h, s in by_horizon.items()} != expected(version):
                faults.append(f"answer {one.number} of version {version} has other values")
    return faults


def _scores(one: Heard) -> list[Mapping[str, Any]]:
    results = one.told["results"] if isinstance(one.told, dict) else ()
    return [s for r in results for s in r["churn_probability"].values()]


@cache
def expected(version: str) -> dict[str, float]:
    """What a version answers for the row that is sent, by horizon."""
    # The seed of a workspace's artifact is the number of its version; a bento's seed is version 7 of seed 1.
    bundle = small_bundle(1 if version == "7" else int(version))
    row = frame_of(bundle.spec, [good_row()["features"]])
    return {str(h): float(v[0]) for h, v in bundle.score(bundle.encode(row)).probability.items()}


def mixing(world: World) -> Any:
    """The application, with the last horizon of an answer taken from another version."""
    inner = guarded(world)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        async def changed(message: Any) -> None:
            if message["type"] == "http.response.start":
                kept = [(k, v) for k, v in message["headers"] if k != b"content-length"]
                message = {**message, "headers": kept}
            elif message.get("body"):
                told = json.loads(message["body"])
                told["results"][0]["churn_probability"]["180"]["model_version"] = "8"
                message = {**message, "body": json.dumps(told).encode()}
            await send(message)

        await inner(scope, receive, changed)

    return app
