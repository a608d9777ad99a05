"""Churn scores over HTTP beside a hand-written FastAPI + LightGBM + `pred_contrib`: same model, same rows.

Both run as one worker on loopback, asked in turn by the same callers. Ours also checks keys and strict JSON,
gives intervals, grades and sentences, and records every score so that it can be replayed bit for bit; the
peer does nothing but score. Figures are processor seconds of the server a request, and requests a second;
what counts are the ratios.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np

PARTNERS = 2_000
HORIZONS = {30: -1.0, 90: 0.2, 180: 0.8}


@dataclass(frozen=True)
class Server:
    """A running server, and how to ask it."""

    name: str
    process: subprocess.Popen[bytes]
    url: str
    headers: Mapping[str, str]

    def cpu(self) -> float:
        """Processor seconds of all its processes so far."""
        import psutil

        parent = psutil.Process(self.process.pid)
        times = [p.cpu_times() for p in (parent, *parent.children(recursive=True))]
        return float(sum(t.user + t.system for t in times))


def main(argv: Sequence[str]) -> None:
    """Print the table. `--rounds` sets the number of interleaved rounds."""
    parser = argparse.ArgumentParser(prog="python -m bench serving")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--callers", type=int, default=8)
    parser.add_argument("--trees", type=int, default=300)
    args = parser.parse_args(list(argv))
    with tempfile.TemporaryDirectory(prefix="bench-serving-") as folder:
        root = Path(folder)
        key = _workspace(root, trees=args.trees)
        ours, peer = _ours(root, key), _peer(root)
        try:
            for size, count in ((1, 150), (20, 60), (200, 12), (1_000, 6)):
                _compare(ours, peer, size=size, count=count, rounds=args.rounds, callers=args.callers)
        finally:
            from serving.server import stop

            stop(ours.process, root, drain_seconds=0)
            peer.process.terminate()
            peer.process.wait()


def _compare(ours: Server, peer: Server, *, size: int, count: int, rounds: int, callers: int) -> None:
    figures: dict[str, list[tuple[float, float]]] = {ours.name: [], peer.name: []}
    for server in (ours, peer):
        asyncio.run(_ask(server, size=size, count=callers, callers=callers))
    for _ in range(rounds):
        for server in (ours, peer):
            before, begun = server.cpu(), time.perf_counter()
            asyncio.run(_ask(server, size=size, count=count, callers=callers))
            wall = time.perf_counter() - begun
            figures[server.name].append(((server.cpu() - before) / count, count / wall))
    cpu, rate = (
        {name: statistics.median(f[i] for f in found) for name, found in figures.items()} for i in (0, 1)
    )
    print(
        f"{size:>5} partners a request: processor {1000 * cpu[ours.name]:8.1f} ms against "
        f"{1000 * cpu[peer.name]:8.1f} ms: {cpu[ours.name] / cpu[peer.name]:5.2f} x;  requests a second "
        f"{rate[ours.name]:7.1f} against {rate[peer.name]:7.1f}: {rate[ours.name] / rate[peer.name]:5.2f} x"
    )


async def _ask(server: Server, *, size: int, count: int, callers: int) -> None:
    """`count` requests of `size` partners, `callers` at a time; anything but 200 is a failure."""
    rng = np.random.default_rng(size)
    waiting = [[f"P{i}" for i in rng.choice(PARTNERS, size, replace=False)] for _ in range(count)]

    async def caller(client: httpx.AsyncClient) -> None:
        while waiting:
            body = {"partner_ids": waiting.pop(), "horizons_days": [90], "max_reasons": 5}
            answer = await client.post(server.url, json=body, headers=server.headers)
            answer.raise_for_status()

    async with httpx.AsyncClient(timeout=300) as client:
        await asyncio.gather(*(caller(client) for _ in range(callers)))


def _workspace(root: Path, *, trees: int) -> str:
    """A registry with one champion, last-known features of every partner, and a key."""
    from models.bundle import save_bundle
    from models.ledger import Ledger, Version
    from models.registry import Registry, RegistrySettings
    from serving.auth import create_key
    from serving.partners import Partners, Shelter
    from serving.state import Database

    now = datetime.now(UTC).replace(tzinfo=None)
    frame = _frame(PARTNERS)
    saved = save_bundle(_bundle(frame, trees=trees), root / "mlflow" / "artifacts" / "1")
    source = "mlflow/artifacts/1"
    Ledger(root / "registry.db").add(Version("churn", 1, saved.manifest_sha256, "bench", source, {}))
    registry = Registry(RegistrySettings(root=root))
    registry.promote("churn", 1, expected=None, by="bench", reason="bench", at=now, mirror=False)
    Shelter(root / "matrix", root / "serving" / "partners.json").write(
        Partners(_matrix(frame, now), {}, now), with_matrix=True
    )
    (root / "partnerintel.yaml").write_text("config_version: 1\n")
    database = Database(f"sqlite:///{root / 'state.db'}")
    database.migrate()
    key = create_key(database, owner="bench", role="prm", now=now, random=secrets.token_bytes)
    database.close()
    return key


def _frame(count: int) -> Any:
    import pandas as pd

    from models.churn import SPEC

    rng = np.random.default_rng(0)
    numbers = [f.name for f in SPEC.features if f.kind != "category"]
    frame = pd.DataFrame(rng.exponential(10, (count, len(numbers))).round(2), columns=numbers)
    for feature in SPEC.features:
        if feature.kind == "category":
            frame[feature.name] = rng.choice(["A", "B", "C", "D"], count)
    return frame[list(SPEC.names)]


def _bundle(frame: Any, *, trees: int) -> Any:
    import lightgbm

    from models.assembly import example_rows
    from models.bundle import Bundle
    from models.calibration import Affine
    from models.churn import SPEC
    from models.encoding import Encoder
    from models.peers import fit_peers
    from models.spread import Spread
    from models.terms import BoostTerm, Terms

    encoder = Encoder.fit(frame, SPEC)
    filled = encoder.filled(encoder.encode(frame))
    y = np.random.default_rng(1).random(len(frame)) < 1 / (1 + filled[:, 0] / 5)
    options = {"objective": "binary", "num_leaves": 31, "max_depth": 6, "num_threads": 1, "verbose": -1}
    booster = lightgbm.train(options, lightgbm.Dataset(filled, y.astype(float)), num_boost_round=trees)
    terms = Terms(encoder, boosted=BoostTerm(booster, 1.0, timed=False))
    return Bundle(
        "churn", "boosted", SPEC, terms, Affine(), HORIZONS, "log_cumulative_hazard", Spread(0.3, 0.6),
        fit_peers(frame, SPEC), {"n": len(frame), "positives": 200}, examples=example_rows(encoder, frame),
    )  # fmt: skip


def _matrix(frame: Any, now: datetime) -> Any:
    from features.matrix import FeatureMatrix

    named = frame.set_axis([f"P{i}" for i in range(len(frame))], axis=0).rename_axis("partner_id")
    return FeatureMatrix.of(named, features_as_of=np.full(len(frame), np.datetime64(now, "us")))


def _port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _ours(root: Path, key: str) -> Server:
    from serving.server import launch
    from serving.settings import ServingSettings

    port = _port()
    plan = launch(root, ServingSettings(port=port))
    process = _started(plan.command, plan.environment)
    _wait(f"http://127.0.0.1:{port}/readyz")
    headers = {"authorization": f"Bearer {key}"}
    return Server("ours", process, f"http://127.0.0.1:{port}/v1/churn/score", headers)


def _peer(root: Path) -> Server:
    port = _port()
    process = _started((sys.executable, "-m", "bench.serving", "--peer", str(port), str(root)), {})
    _wait(f"http://127.0.0.1:{port}/readyz")
    return Server("peer", process, f"http://127.0.0.1:{port}/score", {})


def _started(command: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    quiet = {"OMP_NUM_THREADS": "1", **environment}
    return subprocess.Popen(  # noqa: S603 - our own servers
        command, env={**os.environ, **quiet}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip


def _wait(url: str, *, seconds: float = 180) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if httpx.get(url, timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise SystemExit(f"{url} did not get ready")


def _serve_peer(port: int, root: Path) -> None:
    """What one writes by hand: FastAPI, LightGBM, `pred_contrib`, the five largest of each sign."""
    import lightgbm
    import uvicorn
    from fastapi import Body, FastAPI

    from models.bundle import load_bundle

    bundle = load_bundle(root / "bundles" / "churn" / "1")
    matrix = bundle.encoder.filled(bundle.encode(_frame(PARTNERS)))
    booster = lightgbm.Booster(model_str=bundle.booster.model_to_string())
    place = {f"P{i}": i for i in range(PARTNERS)}
    names = bundle.encoder.columns
    app = FastAPI()

    @app.get("/readyz")
    def ready() -> str:
        return "ok"

    @app.post("/score")
    def score(body: dict[str, Any] = Body()) -> dict[str, Any]:  # noqa: B008
        rows = matrix[[place[p] for p in body["partner_ids"]]]
        scores = booster.predict(rows, num_threads=1)
        parts = booster.predict(rows, pred_contrib=True, num_threads=1)[:, :-1]
        results = []
        for i, partner_id in enumerate(body["partner_ids"]):
            order = np.argsort(parts[i])
            chosen = [*order[:5], *order[::-1][:5]]
            reasons = [{"feature": names[k], "contribution": float(parts[i, k])} for k in chosen]
            results.append({"partner_id": partner_id, "score": float(scores[i]), "reasons": reasons})
        return {"results": results}

    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--peer"]:
        _serve_peer(int(sys.argv[2]), Path(sys.argv[3]))
    else:
        main(sys.argv[1:])
