"""F3: a feature store that is down, resets, swallows everything or is slow: routing answers all the same."""

from __future__ import annotations

import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from serving.partners import LivePartners, Shelter
from serving.resident import Resident
from tests.faults.harness import Outcome, judged
from tests.unit.routing.shop import NOW, Shop, shop

TITLE = "a feature store down, reset, swallowing or slow: all leads answered, degraded, in the same time"
SLOW = True
QUICK, FULL = 60, 400
KINDS = ("refused", "reset", "black hole", "300 ms")
ALLOWED_SECONDS = 0.060


def run(size: int) -> Outcome:
    """Leads while the store has each kind of trouble; the store is a real socket."""
    faults: list[str] = []
    with tempfile.TemporaryDirectory(prefix="f3-") as folder, shop(Path(folder), capacity=10**6) as made:
        healthy = timed(made, size, degraded=False, kind="healthy", faults=faults)
        worst = 0.0
        for kind in KINDS:
            with trouble(made, kind):
                slow = kind == "300 ms"
                took = timed(made, size, degraded=not slow, kind=kind, faults=faults)
            worst = max(worst, took - healthy)
            if took > healthy + ALLOWED_SECONDS:
                faults.append(f"{kind}: p99 {1000 * took:.0f} ms against {1000 * healthy:.0f} ms healthy")
    return judged(size * (len(KINDS) + 1), faults, f"p99 {1000 * worst:+.0f} ms at worst")


def planted() -> Outcome:
    """A service that asks the store within the request."""
    faults: list[str] = []
    with tempfile.TemporaryDirectory(prefix="f3-") as folder, shop(Path(folder), capacity=10**6) as made:
        healthy = timed(made, 10, degraded=False, kind="healthy", faults=faults)
        with trouble(made, "300 ms") as store:
            inner = made.routing.routing.ready

            def asking() -> Any:
                store.load_now()
                return inner()

            with patch.object(made.routing.routing, "ready", asking):
                took = timed(made, 10, degraded=False, kind="300 ms", faults=faults)
        if took > healthy + ALLOWED_SECONDS:
            faults.append("slow")
    return judged(1, faults, "")


def timed(made: Shop, size: int, *, degraded: bool, kind: str, faults: list[str]) -> float:
    """Greatest but one in a hundred of the answering times; faulty answers are noted."""
    made.routing.feed.refresh()
    took = []
    for _ in range(size):
        begun = time.perf_counter()
        found = made.route()
        took.append(time.perf_counter() - begun)
        if found["outcome"] != "offered" or found["degraded"] != degraded or found["by"] != "model":
            faults.append(f"{kind}: {found['outcome']}, degraded {found['degraded']}, by {found['by']}")
    return statistics.quantiles(took, n=100)[98] if size >= 100 else sorted(took)[-2]


class Store:
    """The far side of the feature store: a socket, and a source that reads from it."""

    def __init__(self, kind: str, frame: Any) -> None:
        self.kind, self.frame, self.asked = kind, frame, 0
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        if kind == "refused":
            self.server.close()
        else:
            threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self.server.accept()
            except OSError:
                return
            if self.kind == "reset":
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
                peer.close()
            elif self.kind == "300 ms":
                time.sleep(0.3)
                peer.sendall(b"ok")
                peer.close()
            else:
                self.held = peer  # neither answers nor closes

    def load_now(self) -> None:
        """One read, as a request would wait for it."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=2.0) as peer:
            if peer.recv(2) != b"ok":
                raise ConnectionError("the store hung up")

    def version(self) -> str:
        """Asked in the background."""
        self.asked += 1
        self.load_now()
        return "1"

    def load(self) -> Any:
        """The features."""
        return self.frame

    def managers(self, *, now: Any) -> Any:
        """Nobody manages anybody."""
        del now
        return {}


@contextmanager
def trouble(made: Shop, kind: str) -> Iterator[Store]:
    """The service's own background refresh against a store in trouble."""
    partners = made.view.partners
    assert partners is not None
    folder = made.runtime.shared.workspace
    store = Store(kind, partners.matrix)
    shelter = Shelter(folder / "matrix", folder / "serving" / "partners.json")
    shelter.write(partners, with_matrix=True)
    source = LivePartners(store, shelter=shelter, seed=None, clock=lambda: NOW)
    resident = Resident.quiet(_Models(), source)
    stop = threading.Event()

    def keep() -> None:
        while not stop.is_set():
            resident.refresh_partners()
            stop.wait(0.02)

    thread = threading.Thread(target=keep, daemon=True)
    thread.start()
    deadline = time.monotonic() + 10
    while (resident.view().partners is None) and time.monotonic() < deadline:
        time.sleep(0.01)
    before, seen = made.view, resident.view().partners
    made.see(partners=seen)
    try:
        yield store
    finally:
        stop.set()
        thread.join(timeout=5)
        store.server.close()
        made.see(partners=before.partners)


class _Models:
    """Models are not what is in trouble."""

    def latest(self, current: Any) -> Any:
        """As before."""
        return current, {}
