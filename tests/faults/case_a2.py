"""A2: what the running product listens on, answers and shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.faults.harness import Outcome, judged
from tests.faults.target import Call, broken_worker, guarded, served_product
from tests.functional.serving.test_hostile import (
    FOREIGN,
    answering,
    committed_routes,
    listening,
    loads_from_outside,
    speaks_http,
)
from tests.unit.serving.world import World

TITLE = "The product answers the committed routes on loopback and nothing else; its pages load nothing"
QUICK = FULL = 1
SHARES_PRODUCT = True
COMMITTED = {(method, path) for method, path, _ in committed_routes()}
PAGES = ("/docs", "/openapi.json")


def run(size: int) -> Outcome:
    """Every committed and many foreign paths with eight methods; every listening socket; every page."""
    with served_product() as served:
        faults, tried = _routes(served.call, COMMITTED)
        sockets = listening(served.process.pid)
        faults += [f"listens on {ip}" for ip, _ in sockets if ip != "127.0.0.1"]
        others = {port for _, port in sockets if speaks_http(port)} - {served.port}
        faults += [f"also answers HTTP on port {port}" for port in others]
        return judged(
            tried + len(sockets),
            faults,
            f"{tried} calls answered as committed, {len(sockets)} sockets on loopback, 0 scripts",
        )


def planted() -> Outcome:
    """The same against a service with one page more, which takes a script from elsewhere."""
    with broken_worker(with_a_console) as target:
        # BentoML's own page is not in a bare worker.
        faults, tried = _routes(target.call, COMMITTED - {("GET", "/schema.json")}, foreign=("/index.html",))
        return judged(tried, faults, "")


def _routes(
    call: Call, expected: set[tuple[str, str]], *, foreign: Sequence[str] = FOREIGN
) -> tuple[list[str], int]:
    count = 0

    def counted(method: str, path: str) -> Any:
        nonlocal count
        count += 1
        return call(method, path)

    found = answering(counted, foreign=foreign)
    answered = {path for method, path in found if method == "GET" and "{" not in path}
    pages = {path: call("GET", path) for path in {*PAGES, *answered}}
    faults = [f"answers {m} {p}" for m, p in sorted(found - expected)]
    faults += [f"does not answer {m} {p}" for m, p in sorted(expected - found)]
    faults += [f"{p} loads from elsewhere" for p, a in sorted(pages.items()) if loads_from_outside(a.text)]
    return faults, count + len(pages)


def with_a_console(world: World) -> Any:
    """The guarded application, with a console nobody committed."""
    inner = guarded(world)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope.get("path") != "/index.html":
            await inner(scope, receive, send)
            return
        page = b'<html><script src="//cdn.example/console.js"></script></html>'
        headers = [(b"content-type", b"text/html")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": page})

    return app
