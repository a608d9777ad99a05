"""From an event to the served score: a running service takes 1,000 events a second, on SQLite and on Redis.

Every second one request brings 1,000 events for partners drawn at random. Every other second some of them are
logins of a partner that is watched: how long after the answer does its served score change? Polling ten times
a second limits how exactly that is seen. Processor seconds are those of the service's processes alone;
asking for the scores that are watched is part of them.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from bench.serving import Server, _bundle, _port, _started, _wait

POLL_SECONDS = 0.1
LOST_SECONDS = 30.0
PROBE_EVENTS = 40


@dataclass
class Seen:
    """What one run saw.

    Attributes:
        delays: Seconds from the answer to the changed score; infinite when it never changed.
        posts: Seconds each request took.
        late: Seconds by which requests were sent after their time.
        cpu: Processor seconds of the service for each 1,000 events.
    """

    delays: list[float] = field(default_factory=list)
    posts: list[float] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    cpu: float = 0.0


def main(argv: Sequence[str]) -> None:
    """Print the table. `--seconds` sets how long events arrive."""
    parser = argparse.ArgumentParser(prog="python -m bench freshness")
    parser.add_argument("--seconds", type=int, default=40)
    parser.add_argument("--partners", type=int, default=1_000)
    args = parser.parse_args(list(argv))
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    print(f"{args.partners:,} partners, 1,000 events a second for {args.seconds} s")
    for store in ("sqlite", "redis"):
        if store == "redis" and shutil.which("redis-server") is None:
            print("redis     not measured: there is no redis-server here")
            continue
        with tempfile.TemporaryDirectory(prefix="bench-freshness-") as folder, _online(store) as online:
            _report(store, _measured(Path(folder), online, args.partners, args.seconds))


def _report(store: str, seen: Seen) -> None:
    delays = sorted(seen.delays)
    p95 = delays[min(len(delays) - 1, int(0.95 * len(delays)))]
    print(
        f"{store:<7} delay of {len(delays)} watched scores: median {statistics.median(delays):.2f} s, "
        f"p95 {p95:.2f} s, greatest {delays[-1]:.2f} s; {seen.cpu:.2f} s of one processor a 1,000 events; "
        f"a request took {statistics.median(seen.posts):.3f} s, {max(seen.posts):.3f} s at most, "
        f"sent at most {max(seen.late):.2f} s late",
        flush=True,
    )


def _measured(root: Path, online: str, partners: int, seconds: int) -> Seen:
    from serving.server import launch, stop
    from serving.settings import ServingSettings

    key, movable = _workspace(root, online, partners)
    port = _port()
    plan = launch(root, ServingSettings(port=port))
    process = _started(plan.command, plan.environment)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(f"{url}/readyz")
        server = Server("ours", process, url, {"authorization": f"Bearer {key}"})
        return asyncio.run(_drive(server, movable, seconds))
    finally:
        stop(process, root, drain_seconds=0)


async def _drive(server: Server, movable: Sequence[str], seconds: int) -> Seen:
    seen = Seen()
    watched, others = movable[: seconds // 2 + 2], movable[seconds // 2 + 2 :]
    limits = httpx.Limits(max_connections=50)
    async with httpx.AsyncClient(
        base_url=server.url, headers=dict(server.headers), timeout=60, limits=limits
    ) as client:
        # The first event of a day makes the service sum up the lake; that is seen apart.
        await _one(client, -1, watched[-1], others, seen)
        print(f"        the first event of the day: {seen.delays.pop():.2f} s", flush=True)
        seen.posts.clear()
        before, begun, tasks = server.cpu(), time.perf_counter(), []
        for second in range(seconds):
            await asyncio.sleep(max(0.0, begun + second - time.perf_counter()))
            seen.late.append(time.perf_counter() - begun - second)
            probe = watched[second // 2] if second % 2 == 0 else None
            tasks.append(asyncio.create_task(_one(client, second, probe, others, seen)))
        await asyncio.sleep(max(0.0, begun + seconds - time.perf_counter()))
        seen.cpu = (server.cpu() - before) / seconds
        await asyncio.gather(*tasks)
    return seen


async def _one(client: Any, second: int, probe: str | None, others: Sequence[str], seen: Seen) -> None:
    """One second's events; with a probe, until its score has changed."""
    rng = np.random.default_rng(second + 1)
    at = (datetime.now(UTC) - timedelta(seconds=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
    count = PROBE_EVENTS if probe else 0
    targets = [probe] * count + [others[i] for i in rng.integers(0, len(others), 1_000 - count)]
    events = [
        {"event_id": f"bench-{second}-{i}", "partner_id": p, "event_type": "portal_login", "event_at": at,
         "user_id": f"{p}-{i % 4}", "source": "portal"}
        for i, p in enumerate(targets)
    ]  # fmt: skip
    old = await _score(client, probe) if probe else None
    begun = time.perf_counter()
    answer = await client.post("/v1/events", json={"events": events})
    answer.raise_for_status()
    answered = time.perf_counter()
    if answer.json()["accepted"] != 1_000:
        raise SystemExit(f"not all events were taken: {answer.text[:300]}")
    seen.posts.append(answered - begun)
    if probe is None:
        return
    while time.perf_counter() - answered < LOST_SECONDS:
        if await _score(client, probe) != old:
            seen.delays.append(time.perf_counter() - answered)
            return
        await asyncio.sleep(POLL_SECONDS)
    seen.delays.append(float("inf"))


async def _score(client: Any, partner: str) -> float:
    answer = await client.get(f"/v1/partners/{partner}/churn?horizons_days=90&max_reasons=1")
    answer.raise_for_status()
    return float(answer.json()["churn_probability"]["90"]["value"])


@contextmanager
def _online(store: str) -> Iterator[str]:
    """The `features:` section for a store, while it runs."""
    if store == "sqlite":
        yield ""
        return
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        port = _port()
        command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--save", ""]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603 - from the path
        try:
            _listening(port)
            yield f"features:\n  online:\n    type: redis\n    connection_string: 127.0.0.1:{port}\n"
        finally:
            process.terminate()
            process.wait()


def _listening(port: int) -> None:
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit("redis-server did not start")


def _workspace(root: Path, online: str, partners: int) -> tuple[str, list[str]]:
    """A simulated lake, its features of today in the online store, and a model of them.

    Returns:
        A key, and the partners: first those whose score the logins of a probe will change.
    """
    import secrets

    from data.lake import Lake
    from data.mapping import read_config
    from data.simulate import simulate
    from features.matrix import load_matrix
    from features.settings import FeatureSettings
    from features.snapshot import build_and_save
    from features.store import FeatureStore
    from models.bundle import save_bundle
    from models.churn import SPEC
    from models.ledger import Ledger, Version
    from models.registry import Registry, RegistrySettings
    from serving.auth import create_key
    from serving.state import Database

    now = datetime.now(UTC).replace(tzinfo=None)
    (root / "partnerintel.yaml").write_text(f"config_version: 1\n{online}")
    settings = FeatureSettings.from_config(read_config(root))
    lake = Lake(root / "lake")
    world = simulate("demo", partners=partners, seed=7, end=now.date())
    for name, rows in world.tables.items():
        lake.append(name, rows, ingested_at=now)
    build_and_save(root / "features", lake=lake, as_ofs=[now.date()], settings=settings, threads=1)
    store = FeatureStore(settings, root)
    store.apply()
    store.materialise(now.date(), now=now)
    frame = load_matrix(store).frame[list(SPEC.names)]
    bundle = _bundle(frame, trees=100)
    saved = save_bundle(bundle, root / "mlflow" / "artifacts" / "1")
    Ledger(root / "registry.db").add(
        Version("churn", 1, saved.manifest_sha256, "bench", "mlflow/artifacts/1", {})
    )
    registry = Registry(RegistrySettings(root=root))
    registry.promote("churn", 1, expected=None, by="bench", reason="bench", at=now, mirror=False)
    database = Database(f"sqlite:///{root / 'state.db'}")
    database.migrate()
    key = create_key(database, owner="bench", role="prm", now=now, random=secrets.token_bytes)
    database.close()
    return key, _movable(bundle, frame)


def _movable(bundle: Any, frame: Any) -> list[str]:
    more = frame.copy()
    counts = [c for c in frame.columns if c.startswith(("login_count_", "event_count_"))]
    more[counts] += PROBE_EVENTS
    before, after = (
        1 - np.exp(-np.exp(bundle.eta(bundle.encode(rows), horizon=90))) for rows in (frame, more)
    )
    return [str(frame.index[i]) for i in np.argsort(-np.abs(after - before), kind="stable")]


if __name__ == "__main__":
    main(sys.argv[1:])
