"""Starting and stopping the service: BentoML's server as a child, bound to loopback unless told otherwise."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from serving.readiness import drain_mark
from serving.settings import ServingSettings

TARGET = "serving.service:PartnerIntel"
ENVIRONMENT = {
    "TZ": "UTC",
    "DO_NOT_TRACK": "true",
    "BENTOML_DO_NOT_TRACK": "True",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "OMP_NUM_THREADS": "1",
    "PYTHONUNBUFFERED": "1",
}
STOP_SECONDS = 30.0


@dataclass(frozen=True)
class Launch:
    """How to start the server.

    Attributes:
        command: Program and arguments.
        environment: Variables to add to the caller's.
    """

    command: tuple[str, ...]
    environment: Mapping[str, str]


def launch(
    workspace: Path, settings: ServingSettings, *, target: str = TARGET, python: str = sys.executable
) -> Launch:
    """The command and environment for a workspace.

    Args:
        workspace: The workspace.
        settings: Address, workers, threads, timeouts.
        target: What to serve: the service of this project, or a built bento.
        python: Interpreter to serve with.
    """
    workspace = workspace.resolve()
    name = "services.partnerintel"
    options = {
        f"{name}.workers": settings.workers,
        f"{name}.threads": settings.threads,
        f"{name}.traffic.timeout": settings.request_timeout_seconds,
    }
    environment = {
        **ENVIRONMENT,
        "PARTNERINTEL_WORKSPACE": str(workspace),
        # Its own home: BentoML keeps the metrics of all workers there, and empties that folder at start.
        "BENTOML_HOME": str(workspace / "serving" / "bentoml"),
        "BENTOML_CONFIG_OPTIONS": " ".join(f"{k}={json.dumps(v)}" for k, v in options.items()),
    }
    command = (
        python, "-m", "bentoml", "serve", target,
        "--host", settings.host, "--port", str(settings.port),
        "--timeout-keep-alive", "15", "--timeout-graceful-shutdown", "20",
    )  # fmt: skip
    return Launch(command, environment)


def serve(workspace: Path, settings: ServingSettings, *, announce: Callable[[str], None] = print) -> int:
    """Serve until SIGTERM or SIGINT, then drain and stop.

    Draining: readiness turns to 503, load balancers get `drain_seconds` to notice, then the workers finish
    what they have begun.

    Returns:
        The server's exit code; 0 after an asked-for stop.
    """
    asked: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda n, _: asked.append(n))
    plan = launch(workspace, settings)
    # A process group of its own, so that Ctrl-C reaches this process only and the drain comes first.
    child = subprocess.Popen(  # noqa: S603 - our own interpreter
        plan.command, env={**os.environ, **plan.environment}, start_new_session=True
    )
    announce(f"Serving {workspace} on http://{settings.host}:{settings.port} (docs at /docs)")
    while child.poll() is None and not asked:
        time.sleep(0.1)
    return stop(child, workspace, drain_seconds=settings.drain_seconds) if asked else child.returncode


def stop(child: subprocess.Popen[bytes], workspace: Path, *, drain_seconds: float) -> int:
    """Drain a server and stop it, with its workers.

    Returns:
        0, or the exit code of a server that had to be killed.
    """
    mark = drain_mark(workspace.resolve(), child.pid)
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.touch()
    try:
        time.sleep(drain_seconds)
        child.terminate()
        child.wait(timeout=STOP_SECONDS)
        return 0
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        return child.wait()
    finally:
        mark.unlink(missing_ok=True)
