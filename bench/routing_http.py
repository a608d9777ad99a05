"""Routing over HTTP with eight callers: the service, a handler written by hand, and two servers of MLflow.

Each contender is one process with one worker under uvicorn, all with the same two models of the reference
size. MLflow's scoring server once gets a lead and routes it like the handler, and once gets the finished
matrix and only scores. Requests a second tell of a machine that does nothing else; processor time a request
is what counts on a busy one.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.routing import SHAPES, bundle, by_hand, handler, headers, lead, mlflow_scorer, serve
from bench.serving import Server, _port, _wait

CANDIDATES = (200, 1_000, 5_000)
KINDS = ("ours", "by hand", "pyfunc that routes", "mlflow models serve")
CALLERS = 8
ROUTES: dict[str, Any] = {}


def main(argv: Sequence[str]) -> None:
    """Print the table. `--seconds` is the time each is asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench routing_http")
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--most", type=int, default=CANDIDATES[-1])
    args = parser.parse_args(list(argv))
    print("      N                 contender   requests/s   cpu ms   ours: requests/s   ours: cpu")
    for count in (n for n in CANDIDATES if n <= args.most):
        found = {kind: _measured(kind, count, seconds=args.seconds) for kind in KINDS}
        rate, spent = found["ours"]
        for kind, (requests, cpu) in found.items():
            print(
                f"{count:>7,} {kind:>25} {requests:>12.1f} {1e3 * cpu:>8.1f} {rate / requests:>17.2f}x"
                f" {spent / cpu:>10.2f}x",
                flush=True,
            )


def _measured(kind: str, count: int, *, seconds: float) -> tuple[float, float]:
    """(requests a second, processor seconds a request) of one contender, alone on the machine."""
    port, code = _port(), "import sys; from bench.routing_http import run; run(*sys.argv[1:])"
    with tempfile.TemporaryDirectory(prefix="bench-http-") as folder:
        told = Path(folder) / "told"
        process = subprocess.Popen(  # noqa: S603 - our own server
            (sys.executable, "-W", "ignore", "-c", code, kind, str(port), str(count), folder),
            env={**os.environ, "OMP_NUM_THREADS": "1"}, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            while not told.is_file():
                time.sleep(0.2)
                if process.poll() is not None:
                    raise SystemExit(f"{kind} did not start")
            _wait(f"http://127.0.0.1:{port}/ping")
            path, key = told.read_text().split("\n")
            body = Path(folder, "body.json").read_bytes() if Path(folder, "body.json").is_file() else None
            held = {"authorization": f"Bearer {key}"} if key else {}
            server = Server(kind, process, f"http://127.0.0.1:{port}{path}", held)
            asyncio.run(_ask(server, body, seconds=1.0))
            before, begun = server.cpu(), time.perf_counter()
            done = asyncio.run(_ask(server, body, seconds=seconds))
            return done / (time.perf_counter() - begun), (server.cpu() - before) / done
        finally:
            process.terminate()
            process.wait()


async def _ask(server: Server, body: bytes | None, *, seconds: float) -> int:
    """Eight callers for some seconds; returns the requests answered. Anything but 200 is a failure."""
    import json

    import httpx

    end, done = time.perf_counter() + seconds, 0

    async def caller(client: httpx.AsyncClient) -> None:
        nonlocal done
        while time.perf_counter() < end:
            content = body or json.dumps(_sent(server.name)).encode()
            given = {**server.headers, "content-type": "application/json",
                     "idempotency-key": secrets.token_hex(8)}  # fmt: skip
            answer = await client.post(server.url, content=content, headers=given)
            answer.raise_for_status()
            done += 1

    async with httpx.AsyncClient(timeout=120) as client:
        await asyncio.gather(*(caller(client) for _ in range(CALLERS)))
    return done


def _sent(kind: str) -> dict[str, Any]:
    """A new lead as a contender takes it."""
    one = lead(secrets.randbelow(900))
    if kind != "pyfunc that routes":
        return one
    return {"inputs": [{**one, "estimated_value_usd": float(one["estimated_value"]["amount"])}]}


def run(kind: str, port: str, count: str, folder: str) -> None:
    """Be one contender until told to stop."""
    import uvicorn

    from serving.api import create_app
    from serving.guard import Guard
    from tests.unit.routing.shop import shop

    shape = next(iter(SHAPES.values()))
    bundles = {n: bundle(n, **shape) for n in ("routing_accept", "routing_win")}
    with shop(Path(folder) / "shop", partners=int(count), capacity=10**6) as made:
        serve(made, bundles)
        path, key, app = "/invocations", "", None
        if kind == "ours":
            runtime = made.runtime
            app = Guard(create_app(lambda: runtime.use_cases), keep=lambda: runtime.keep)
            path, key = "/v1/leads/route", headers(made, 0)["authorization"].removeprefix("Bearer ")
        elif kind == "by hand":
            path, app = "/route", handler(made, bundles)[0]
        elif kind == "pyfunc that routes":
            ROUTES["answer"] = by_hand(made, bundles)[0]
            app = _pyfunc(folder)
        else:
            import json

            app, body = mlflow_scorer(bundles["routing_win"], handler(made, bundles)[1])
            Path(folder, "body.json").write_text(json.dumps(body))
        Path(folder, "told").write_text(f"{path}\n{key}")
        uvicorn.run(_with_ping(app), host="127.0.0.1", port=int(port), log_level="error")


def _with_ping(app: Any) -> Any:
    """The application, and a path that says it is up."""

    async def asked(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"] == "/ping":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"ok"})
            return
        await app(scope, receive, send)

    return asked


def _pyfunc(folder: str) -> Any:
    import mlflow.pyfunc
    from mlflow.pyfunc import scoring_server

    class Router(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
        def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
            from bench.routing_http import ROUTES

            del context, params
            rows = model_input.to_dict("records") if hasattr(model_input, "to_dict") else list(model_input)
            return [ROUTES["answer"](row) for row in rows]

    mlflow.pyfunc.save_model(f"{folder}/model", python_model=Router(), pip_requirements=[])
    return scoring_server.init(mlflow.pyfunc.load_model(f"{folder}/model"))
