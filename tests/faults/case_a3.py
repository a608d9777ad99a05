"""A3: webhooks as a way into one's own network: odd addresses, names that change, redirects, many at once."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from data.errors import InputError
from serving.auth import Identity
from serving.health.sending import Place, Sent, place_of, post
from serving.health.webhooks import Webhooks
from serving.state import Database
from tests.faults.harness import Outcome, judged

TITLE = "No webhook reaches a host of one's own network: odd addresses, rebinding, redirects, many at once"
QUICK, FULL = 60, 500
PRM = Identity("k", "prm", "prm")
NOW = datetime(2026, 11, 20, 9)
BODY = b"{}"
Send = Callable[[Place, Sequence[str], Callable[[str, int], Sequence[str]]], Sent]
FORMS = (
    "https://127.0.0.1:{port}/", "https://localhost:{port}/", "https://[::1]:{port}/", "https://0.0.0.0:{port}/",
    "https://127.1:{port}/", "https://127.0.1:{port}/", "https://2130706433:{port}/",
    "https://0x7f000001:{port}/", "https://0x7f.0.0.1:{port}/", "https://0177.0.0.1:{port}/",
    "https://017700000001:{port}/", "https://[::ffff:127.0.0.1]:{port}/", "https://[::ffff:7f00:1]:{port}/",
    "https://[::127.0.0.1]:{port}/", "https://[64:ff9b::7f00:1]:{port}/", "https://[2002:7f00:1::]:{port}/",
    "https://10.0.0.1:{port}/", "https://172.16.0.1:{port}/", "https://192.168.0.1:{port}/",
    "https://169.254.169.254/latest/meta-data", "https://[fe80::1]:{port}/", "https://[fd00::1]:{port}/",
    "https://100.64.0.1:{port}/", "https://example.com@127.0.0.1:{port}/", "https://127.0.0.1:{port}\\@example.com/",
    "http://127.0.0.1:{port}/", "http://example.com/", "file:///etc/passwd", "gopher://127.0.0.1:{port}/",
    "https://127.0.0.1%2f@example.com/", "https://intranet:{port}/", "https://metadata.google.internal/",
    "https://①②⑦.0.0.1:{port}/", "https://127。0。0。1:{port}/",
)  # fmt: skip


@dataclass
class Canary:
    """A server on loopback that must not be reached."""

    port: int = 0
    hits: list[str] = field(default_factory=list)


@contextmanager
def canary() -> Iterator[Canary]:
    made = Canary()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            made.hits.append(self.path)
            if self.path == "/redirect":
                self.send_response(307)
                self.send_header("Location", f"http://127.0.0.1:{made.port}/redirected")
            else:
                self.send_response(200)
            self.end_headers()

        do_GET = do_POST

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.port = int(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()


def real(place: Place, allowed: Sequence[str], resolver: Callable[[str, int], Sequence[str]]) -> Sent:
    return post(place, BODY, {}, allowed=allowed, resolver=resolver, timeout_seconds=2.0)


def careless(place: Place, allowed: Sequence[str], resolver: Callable[[str, int], Sequence[str]]) -> Sent:
    """Checks the first answer of the resolver, and connects to the second."""
    if real(place, (), lambda host, port: ["203.0.113.1"]).status is None:
        resolver(place.host, place.port)
        pinned = list(resolver(place.host, place.port))
        return post(
            Place("http", place.host, place.port, place.target), BODY, {},
            allowed=(place.host,), resolver=lambda host, port: pinned, timeout_seconds=2.0,
        )  # fmt: skip
    return Sent(None)


def run(size: int) -> Outcome:
    """Registration of every form, sending to names that lie, and both many times at once."""
    return _tried(size, real)


def planted() -> Outcome:
    """The same where the name is resolved a second time to connect."""
    return _tried(4, careless)


def _tried(size: int, send: Send) -> Outcome:
    faults: list[str] = []
    with canary() as target, tempfile.TemporaryDirectory(prefix="a3-") as folder:
        faults += _forms(target, Path(folder))
        tried = 2 * len(FORMS)
        lying = [_rebinding(target), _inside(target), _mixed(target)]
        jobs = [lying[i % len(lying)] for i in range(size)]
        with ThreadPoolExecutor(32) as pool:
            for sent in pool.map(lambda resolver: send(_place(target), (), resolver), jobs):
                faults += [f"sent with {sent.status}"] if sent.good else []
        tried += size
        faults += [f"the canary was hit at {hit}" for hit in target.hits]
        faults += _redirects(target)
    return judged(tried + 1, faults, f"{len(FORMS)} forms, {size} lying names at once, 0 hits on the canary")


def _place(target: Canary) -> Place:
    return place_of(f"https://hooks.example.com:{target.port}/lie", allowed=())


def _forms(target: Canary, folder: Path) -> list[str]:
    """Refused at registration, and again when the row is in the database all the same."""
    database = Database(f"sqlite:///{folder / 'state.db'}")
    database.migrate()
    hooks = Webhooks(database, allowed=(), clock=lambda: NOW, random=os.urandom)
    faults = []
    for form in FORMS:
        url = form.format(port=target.port)
        for attempt in (
            lambda url=url: hooks.register(url, types=[], manager_id=None, identity=PRM),
            lambda url=url: place_of(url, allowed=("crm.internal",)),
        ):
            try:
                attempt()
                faults.append(f"{form} was taken")
            except InputError:
                pass
    database.close()
    return faults


def _rebinding(target: Canary) -> Callable[[str, int], Sequence[str]]:
    """Public first, inside from the second question on."""
    answers = iter([["203.0.113.1"]])
    lock = threading.Lock()

    def resolver(host: str, port: int) -> Sequence[str]:
        with lock:
            return next(answers, ["127.0.0.1"])

    del target
    return resolver


def _inside(target: Canary) -> Callable[[str, int], Sequence[str]]:
    del target
    return lambda host, port: ["127.0.0.1"]


def _mixed(target: Canary) -> Callable[[str, int], Sequence[str]]:
    """One public address and one inside: either could be taken."""
    del target
    return lambda host, port: ["93.184.216.34", "127.0.0.1"]


def _redirects(target: Canary) -> list[str]:
    """A host the operator named may be called, and its redirect is not followed."""
    allowed = (f"127.0.0.1:{target.port}",)
    place = place_of(f"http://127.0.0.1:{target.port}/redirect", allowed=allowed)
    sent = post(place, BODY, {}, allowed=allowed, timeout_seconds=2.0)
    faults = [] if sent.status == 307 else [f"the named host answered {sent.status} {sent.error}"]
    return faults + [f"redirect followed to {h}" for h in target.hits if h == "/redirected"]
