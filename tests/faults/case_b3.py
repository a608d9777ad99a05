"""B3: Schemathesis on the published contract, with all its checks."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvicorn

from tests.faults.harness import Outcome, judged
from tests.faults.target import served_product
from tests.functional.serving.conftest import CONFIG, Served, build_features, free_port
from tests.functional.serving.test_schemathesis import generated
from tests.functional.serving.test_schemathesis import run as schemathesis
from tests.unit.serving.world import Shop, open_world

TITLE = "No request that Schemathesis makes of the published contract is answered otherwise than it says"
SLOW = True
LIMIT_SECONDS = 2400
QUICK, FULL = 15, 60  # examples of each call


def run(size: int) -> Outcome:
    """All checks, fixed seed, against the served product."""

    def with_features(root: Path) -> None:
        build_features(root, now=datetime.now(UTC).replace(tzinfo=None))

    with served_product(prepare=with_features) as served:
        code, report = schemathesis(served, examples=size)
    tried = generated(report)
    faults = [] if code == 0 and tried else [_first_failure(report)]
    return judged(tried, faults, f"{tried} generated requests, all checks, 0 failures")


def planted() -> Outcome:
    """The same against a worker whose answers have a member that the contract does not name."""
    with talkative() as served:
        code, report = schemathesis(served, examples=2)
    # The contract itself must have been found broken there, not something else.
    found = code != 0 and "internal" in report
    return judged(1, [_first_failure(report)] if found else [], "")


def _first_failure(report: str) -> str:
    at = report.find("FAILURES")
    return " ".join(report[max(at, 0) :].split())[:300]


@contextmanager
def talkative() -> Iterator[Served]:
    """A worker that adds a member to the list of models."""
    with tempfile.TemporaryDirectory(prefix="b3-") as folder:
        build_features(Path(folder) / "workspace", now=datetime(2026, 11, 20, 9, 30), partners=4)
        world = open_world(Path(folder), config=CONFIG)
        inner = world.app

        async def app(scope: Any, receive: Any, send: Any) -> None:
            async def changed(message: Any) -> None:
                if message["type"] == "http.response.start":
                    kept = [(k, v) for k, v in message["headers"] if k != b"content-length"]
                    message = {**message, "headers": kept}
                elif scope["path"] == "/v1/models":
                    body = message.get("body", b"").replace(b'{"models":', b'{"internal":1,"models":')
                    message = {**message, "body": body}
                await send(message)

            await inner(scope, receive, changed)

        port = free_port()
        server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="critical", lifespan="off"))
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            while not server.started:
                time.sleep(0.05)
            made = (Shop.__new__(Shop), world.runtime.shared.database)
            yield Served(
                world.workspace, made[0], f"http://127.0.0.1:{port}", port, world.keys,
                None, world.workspace / "log", made[1],  # type: ignore[arg-type]
            )  # fmt: skip
        finally:
            server.should_exit = True
            thread.join()
            world.runtime.stop()
