"""B2: sizes, methods, content types, broken HTTP and slow clients."""

from __future__ import annotations

import gzip
import json
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import httpx
import psutil

from serving.guard import Guard
from serving.routes import ROUTES
from serving.settings import ServingSettings
from tests.faults.harness import Outcome, judged
from tests.faults.target import broken_worker, guarded, served_product
from tests.functional.serving.conftest import Served
from tests.functional.serving.test_hostile import JSON, filled
from tests.unit.serving.world import good_row

TITLE = "Too much, too slow, or not HTTP as we speak it is a 4xx, holds no memory, and keeps nobody waiting"
QUICK, FULL = 8, 64  # MiB of the largest body, and tens of slow clients
SHARES_PRODUCT = True
LIMIT = ServingSettings().max_body_bytes
MEMORY = 50 * 1024 * 1024
SCORE = "/v1/churn/score"
METHODS = ("PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "HEAD", "PROPFIND", "LOCK")
KINDS = (
    "", "text/plain", "text/json", "application/xml", "application/json; charset=latin-1",
    "application/json5", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "*/*",
    "application/json, text/plain", "application/json;boundary=x", "application/octet-stream", "x" * 5_000,
)  # fmt: skip
GARBAGE = (
    b"\x16\x03\x01\x02\x00\x01\x00", b"GET / HTTP/9.9\r\n\r\n", b"GET  /  HTTP/1.1\r\n\r\n", b"\r\n" * 9,
    b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"x" * 100_000,
)  # fmt: skip
ENCODINGS = ("gzip", "deflate", "br", "x", "identity, gzip")


def run(size: int) -> Outcome:
    """Everything in turn against one worker, whose memory is looked at after each kind."""
    with served_product() as served:
        workers = psutil.Process(served.process.pid).children(recursive=True)
        before = sum(p.memory_info().rss for p in workers)
        faults, tried, most = [], 0, 0
        for kind in (_large, _methods, _types, _broken, _slow):
            for fault in kind(served, size):
                tried += 1
                faults += [f"{kind.__name__[1:]}: {fault}"] if fault else []
            most = max(most, sum(p.memory_info().rss for p in workers if p.is_running()) - before)
        if most > MEMORY:
            faults.append(f"{most / 2**20:.0f} MB more memory")
        if served.call("POST", SCORE, json={"rows": [good_row()]}).status_code != 200:
            faults.append("a good request is no longer answered")
    return judged(tried, faults, f"{tried} tried, all 4xx; at most {max(most, 0) / 2**20:.0f} MB more memory")


def planted() -> Outcome:
    """The same check of types against a guard that takes every body for JSON."""
    with broken_worker(lambda world: guarded(world, by=Credulous)) as target:
        faults = [f for f in _typed(target.call, KINDS[:2]) if f]
        return judged(2, faults, "")


def _fault(answer: httpx.Response, *expected: int) -> str:
    if answer.status_code not in expected:
        return f"{answer.request.method} was answered {answer.status_code}, not {expected}"
    kind = answer.headers.get("content-type", "")
    problem = kind == "application/problem+json" or answer.request.method == "HEAD"
    return "" if problem else f"{answer.status_code} is {kind}"


def _large(served: Served, size: int) -> Iterator[str]:
    """Bodies around the limit, far above it, sent in pieces, and announced but not sent."""
    huge = b'{"rows": ["' + b"x" * (size * 2**20) + b'"]}'
    edge = b'{"rows": ["' + b"x" * (LIMIT - 15) + b'"]}'
    for content, status in ((edge, 422), (edge + b"  ", 413), (huge, 413), (_pieces(huge), 413)):
        with suppress(httpx.WriteError):  # it was answered and closed while we were still sending
            answer = served.call("POST", SCORE, content=content, headers=JSON)
            # At the limit it is read and refused row by row.
            ok = status == 422 and answer.status_code == 200 and not answer.json()["results"]
            yield "" if ok else _fault(answer, status)
    for length in ("99999999999", "1" + "0" * 30):
        yield _said(served, f"Content-Length: {length}\r\nContent-Type: application/json\r\n", b"{", 400, 413)
    for extra in ("x" * 70_000, "x" * 300_000):
        yield _said(served, f"X-Long: {extra}\r\n", b"", 400, 413, 415, 431)
        line = f"GET /v1/models?{extra} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        yield _heard(served, line, 400, 401, 404, 414, 431)
    many = "".join(f"X-{i}: 1\r\n" for i in range(5_000))
    yield _said(served, many, b"", 400, 413, 415, 431)


def _pieces(content: bytes) -> Iterator[bytes]:
    for start in range(0, len(content), 65_536):
        yield content[start : start + 65_536]


def _in(status: int, *expected: int) -> str:
    return "" if status in expected else f"{status}, not {expected}"


def _methods(served: Served, _: int) -> Iterator[str]:
    for path in sorted({r.path for r in ROUTES}):
        known = {r.method for r in ROUTES if r.path == path}
        for method in METHODS:
            if method not in known:
                yield _fault(served.call(method, filled(path)), 400, 405)


def _types(served: Served, size: int) -> Iterator[str]:
    yield from _typed(served.call, KINDS if size == FULL else KINDS[:8])
    bomb = gzip.compress(b'{"rows": ["' + b" " * (size * 2**20) + b'"]}')
    for encoding in ENCODINGS:
        headers = {**JSON, "content-encoding": encoding}
        yield _fault(served.call("POST", SCORE, content=bomb, headers=headers), 415)


def _typed(call: Callable[..., httpx.Response], kinds: Sequence[str]) -> Iterator[str]:
    body = json.dumps({"rows": [good_row()]}).encode()
    for path in (SCORE, "/churn_score", "/v1/models/churn/score"):
        for kind in kinds:
            yield _fault(call("POST", path, content=body, headers={"content-type": kind}), 415)


def _broken(served: Served, _: int) -> Iterator[str]:
    """What is not HTTP, or two readers would read in two ways."""
    body = b'{"rows": []}'
    json_head = "Content-Type: application/json\r\n"
    yield _said(served, f"{json_head}Content-Length: 12\r\nContent-Length: 3\r\n", body, 400)
    yield _said(served, f"{json_head}Content-Length: -1\r\n", body, 400)
    yield _said(served, f"{json_head}Content-Length: 0x0c\r\n", body, 400)
    yield _said(served, f"{json_head}Content-Length: 12\r\nTransfer-Encoding: chunked\r\n", body, 400)
    yield _said(served, f"{json_head}Transfer-Encoding: chunked, chunked\r\n", b"c\r\n", 400, 501)
    yield _said(served, f"{json_head}Transfer-Encoding: chunked\r\n", b"zz\r\n{}\r\n0\r\n\r\n", 400)
    yield _said(served, f"{json_head}{json_head}Content-Length: 12\r\n", body, 400)
    yield _said(served, "Host: y\r\nBad Header: 1\r\n", b"", 400)
    yield _said(served, "X\x00Y: 1\r\n", b"", 400)
    for raw in GARBAGE:
        yield _heard(served, raw, 400, 404, 405, 414, 431, 505)
    for path in (
        "/v1/../livez",
        "/%00",
        "/v1/models/%2e%2e",
        "/v1/models/%ff",
        "/v1//models",
        "/v1/models;x",
    ):
        yield _heard(served, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode(), 400, 401, 404)


def _said(served: Served, headers: str, body: bytes, *expected: int) -> str:
    head = (
        f"POST {SCORE} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {served.keys['admin']}\r\n{headers}\r\n"
    )
    return _heard(served, head.encode("latin-1") + body, *expected)


def _heard(served: Served, raw: bytes, *expected: int) -> str:
    """What came back for raw bytes: one of the statuses, or the end of the connection."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=20) as connection:
        with suppress(OSError):
            connection.sendall(raw)
            connection.shutdown(socket.SHUT_WR)
        try:
            line = connection.recv(4096).split(b"\r\n")[0]
        except OSError:
            return ""
    status = int(line.split()[1]) if line.startswith(b"HTTP/1.1 ") else 0
    return "" if not line or status in expected else f"{raw[:60]!r}…: {line.decode()}, not {expected}"


def _slow(served: Served, size: int) -> Iterator[str]:
    """Bodies and headers that never end; the others are served meanwhile, and soon."""
    head = f"POST {SCORE} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {served.keys['admin']}\r\n"
    body = f"{head}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{"
    waiting = [(_held(served, body), True) for _ in range(10 * size)]
    waiting += [(_held(served, head), False) for _ in range(10 * size)]
    for _ in range(5):
        answer: Any = served.call("POST", SCORE, json={"rows": [good_row()]}, timeout=10)
        yield _in(answer.status_code, 200)
    for connection, has_body in waiting:
        # A head without its end may go on waiting: it holds a socket and no memory to speak of.
        if has_body:
            line = connection.recv(4096).split(b"\r\n")[0]
            yield "" if line.startswith(b"HTTP/1.1 408") else f"a slow body was answered {line!r}"
        connection.close()


def _held(served: Served, said: str) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", served.port), timeout=20)
    connection.sendall(said.encode())
    return connection


class Credulous(Guard):
    """Takes whatever comes for JSON."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        others = [(k, v) for k, v in scope["headers"] if k != b"content-type"]
        scope = {**scope, "headers": [*others, (b"content-type", b"application/json")]}
        await super().__call__(scope, receive, send)
