"""L3: workers replaced one after the other, and a stop, while scores are asked for."""

from __future__ import annotations

import signal
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil

from serving.server import stop
from tests.faults.harness import Outcome, judged
from tests.faults.load import Heard, Load, failures
from tests.faults.target import HOUSE
from tests.functional.serving.conftest import CONFIG, Served, start
from tests.unit.serving.world import good_row

TITLE = "Replacing the workers and stopping, both under load, fail no request and leave no process behind"
SLOW = True  # starts several servers
QUICK, FULL = 1, 5  # servers, each reloaded twice and then stopped
EACH_SECOND = 20.0
DRAIN_SECONDS = 5.0  # for a machine that others use too
SCORE = "/v1/churn/score"


def run(size: int) -> Outcome:
    """Reload (SIGHUP) twice, then drain and stop; clients leave when they are told not ready."""
    faults, answers = [], 0
    for _ in range(size):
        with product() as served:
            told, heard = _life(served)
            faults += told
            answers += len(heard)
    told = f"{size} × 2 reloads and a stop under {answers} requests, 0 failed, 0 processes left"
    return judged(3 * size, faults, told)


def planted() -> Outcome:
    """The same load while the server is killed instead of drained."""
    with product() as served:
        workers, load = _workers(served), _load(served)
        with load.running():
            time.sleep(1)
            served.process.kill()
            served.process.wait()
            _, alive = psutil.wait_procs(workers, timeout=30)
            time.sleep(1)
        # Killed workers would be no finding here: they must have followed their server by themselves.
        return judged(1, [] if alive else failures(load.heard), "")


@contextmanager
def product() -> Iterator[Served]:
    """Two workers, so that one answers while the other is replaced."""
    with tempfile.TemporaryDirectory(prefix="rolling-") as folder:
        root = Path(folder) / "workspace"
        served = start(root, HOUSE.workspace(root, config=CONFIG), workers=2)
        try:
            served.wait_for()
            yield served
        finally:
            if served.process.poll() is None:
                stop(served.process, root, drain_seconds=0)
            served.close()


def _load(served: Served) -> Load:
    body, headers = {"rows": [good_row()] * 5}, served.headers()

    def ask(client: httpx.Client, _: int) -> httpx.Response:
        return client.post(served.url + SCORE, json=body, headers=headers)

    return Load(ask, EACH_SECOND)


def _life(served: Served) -> tuple[list[str], Sequence[Heard]]:
    faults, seen = [], set[psutil.Process]()
    load = _load(served)
    with load.running():
        for _ in range(2):
            before = _workers(served)
            seen |= before
            served.process.send_signal(signal.SIGHUP)
            deadline = time.monotonic() + 90
            while _workers(served) & before or not _workers(served):
                if time.monotonic() > deadline:
                    faults.append("the workers were not replaced")
                    break
                time.sleep(0.2)
            # New workers load their models first; until then requests wait on the socket they share.
            while not _says(served, 200) and time.monotonic() < deadline:
                time.sleep(0.2)
            seen |= _workers(served)
        seen |= {psutil.Process(served.process.pid), *_workers(served)}
        # A load balancer that sees 503 sends nobody any more; here at once, in life within its interval.
        left = _leaves_when_told(served, load)
        if left:
            faults.append(left)
        code = served.process.wait(timeout=60)
        if code not in (0, -signal.SIGTERM):
            faults.append(f"the server ended with {code}")
    faults += failures(load.heard)
    alive = [p for p in seen if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
    return faults + [f"process {p.pid} is left: {p.name()}" for p in alive], load.heard


def _leaves_when_told(served: Served, load: Load) -> str:
    """Stop the server in the product's own way, and the clients once it says that it is not ready."""
    stopping = threading.Thread(
        target=stop, args=(served.process, served.workspace), kwargs={"drain_seconds": DRAIN_SECONDS}
    )
    stopping.start()
    told = ""
    deadline = time.monotonic() + DRAIN_SECONDS
    while not _says(served, 503):
        if time.monotonic() > deadline:
            told = "it never said that it was not ready"
            break
        time.sleep(0.05)
    load.stop()
    stopping.join(timeout=60)
    return told


def _says(served: Served, status: int) -> bool:
    with httpx.Client(verify=False, timeout=5) as client:  # a new connection: it may reach either worker
        try:
            return client.get(f"{served.url}/readyz").status_code == status
        except httpx.TransportError:
            return False


def _workers(served: Served) -> set[psutil.Process]:
    """The processes that answer."""
    every = psutil.Process(served.process.pid).children(recursive=True)
    return {p for p in every if _answers(p)}


def _answers(process: psutil.Process) -> bool:
    try:
        return "worker" in " ".join(process.cmdline())
    except psutil.NoSuchProcess:  # or a zombie, which psutil counts among them
        return False
