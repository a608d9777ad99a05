"""What a hostile or broken client may send, against the running product."""

from __future__ import annotations

import os
import pickle
import re
import socket
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psutil
import pytest

from serving.auth import create_key, revoke_key
from serving.routes import ROUTES
from tests.functional.serving.bodies import bad_bodies
from tests.functional.serving.conftest import Served
from tests.unit.serving.world import good_row

POSTS = tuple(r.path.replace("{name}", "churn") for r in ROUTES if r.body)
JSON = {"content-type": "application/json"}
PICKLE_TYPES = (
    "application/vnd.bentoml+pickle",
    "application/vnd.bentoml+pickle; charset=utf-8",
    "Application/Vnd.BentoML+Pickle",
    "application/x-pickle",
    "application/octet-stream",
    "application/python-pickle",
)
FOREIGN = (
    "/", "/healthz", "/docs.json", "/static_content/index.html", "/assets/x", "/redoc", "/churn_score/submit",
    "/docs/oauth2-redirect", "/fit_score", "/v1", "/v1/", "/v1/churn", "/metrics/", "/openapi.json/",
    "/favicon.ico", "/.env", "/v1/models/churn/", "/schema", "/predict", "/invocations",

    "/index.html", "/v1/partners/A1", "/server-status", "//metrics", "/METRICS",
)  # fmt: skip


# What the guard says of a path that is in no row.
NO_ROW = "See /openapi.json for the paths there are."


def filled(path: str) -> str:
    return re.sub(r"\{\w+\}", "churn", path)


class Bomb:
    """Unpickling this writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return (os.system, (f"touch {self.path}",))


@pytest.mark.parametrize("kind", PICKLE_TYPES)
def test_pickles_are_refused_on_every_route_and_nothing_runs(
    served: Served, kind: str, tmp_path: Path
) -> None:
    mark = tmp_path / "ran"
    body = pickle.dumps(Bomb(mark))
    for route in ROUTES:
        for method in ("POST", "GET", "PUT"):
            answer = served.call(method, filled(route.path), content=body, headers={"content-type": kind})
            assert 400 <= answer.status_code < 500, (method, route.path, answer.status_code)
            assert answer.headers["content-type"] == "application/problem+json"
    assert not mark.exists()


def committed_routes() -> set[tuple[str, str, str]]:
    """(method, path, roles) as committed beside this file."""
    lines = (Path(__file__).parent / "routes.txt").read_text().splitlines()
    found = [line.split(maxsplit=2) for line in lines if line and not line.startswith("#")]
    return {(method, path, roles) for method, path, roles in found}


def answering(
    call: Callable[[str, str], httpx.Response], *, foreign: Sequence[str] = FOREIGN
) -> set[tuple[str, str]]:
    """(method, path) pairs that something answers, among the committed and the foreign paths.

    A decision or a partner that is not there is 404 as well, but in words of its own.
    """
    methods = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
    found = set()
    for path in sorted({p for _, p, _ in committed_routes()} | set(foreign)):
        for method in methods:
            answer = call(method, filled(path) if "{" in path else path)
            if answer.headers.get("allow"):
                assert answer.status_code == 405
            elif not _nobody_there(answer):
                found.add((method, path))
    return found


def _nobody_there(answer: httpx.Response) -> bool:
    """Whether this is the guard's word that there is no such path, or the framework's, which has none."""
    if answer.status_code != 404 or answer.headers["content-type"] != "application/problem+json":
        return False
    return answer.request.method == "HEAD" or answer.json().get("detail") in (None, NO_ROW)


def test_routes_of_the_running_product_are_the_committed_ones(served: Served) -> None:
    table = {(r.method, r.path, " ".join(sorted(r.roles)) if r.roles else "anyone") for r in ROUTES}
    assert table == committed_routes()
    assert answering(served.call) == {(m, p) for m, p, _ in committed_routes()}


def listening(pid: int) -> set[tuple[str, int]]:
    """Addresses a process and its children listen on."""
    parent = psutil.Process(pid)
    return {
        (c.laddr.ip, c.laddr.port)
        for p in (parent, *parent.children(recursive=True))
        for c in p.net_connections(kind="inet")
        if c.status == psutil.CONN_LISTEN
    }


def speaks_http(port: int) -> bool:
    try:
        httpx.get(f"http://127.0.0.1:{port}/livez", timeout=2)
    except httpx.HTTPError:
        return False
    return True


def test_every_listening_socket_is_on_loopback_and_http_is_on_one_port(served: Served) -> None:
    found = listening(served.process.pid)
    assert {ip for ip, _ in found} == {"127.0.0.1"}
    assert {port for _, port in found if speaks_http(port)} == {served.port}


def loads_from_outside(page: str) -> bool:
    """Whether a page holds a script of its own, or an address with a scheme or another host."""
    foreign = re.search(r"""(?:src|href|action|hx-[a-z]+)\s*=\s*["']?(?:[a-z]+:|//)""", page)
    inline = re.search(r"<script(?![^>]*\ssrc=)", page)
    return bool(foreign or inline)


def test_no_page_loads_anything_from_outside(served: Served) -> None:
    for path in ("/docs", "/openapi.json"):
        page = served.call("GET", path, role=None).text
        assert "<script" not in page
        assert not re.findall(r"(?:src|href)\s*=", page)
    for path in (r.path for r in ROUTES if r.page and r.method == "GET" and "{" not in r.path):
        answer = served.call("GET", path)
        if "content-disposition" in answer.headers:
            continue
        assert answer.text.startswith("<!doctype html>"), path
        assert not loads_from_outside(answer.text), path


def fault_of_refusal(answer: httpx.Response) -> str:
    """What is wrong with how a bad body was answered; empty when it was refused with a pointer."""
    if answer.status_code == 200:
        found = answer.json()
        pointed = all(e["errors"][0]["pointer"].startswith("/rows/") for e in found["errors"])
        return "" if found["results"] == [] and found["errors"] and pointed else "accepted"
    if not 400 <= answer.status_code < 500:
        return f"status {answer.status_code}"
    if answer.status_code == 404:
        return ""  # a good envelope, about a thing that is not there
    if answer.headers["content-type"] != "application/problem+json":
        return f"content type {answer.headers['content-type']}"
    pointers = [e["pointer"] for e in answer.json()["errors"]]
    return "" if all(p.startswith("/") or p == "" for p in pointers) else f"pointers {pointers}"


@pytest.mark.parametrize("path", POSTS)
def test_bad_bodies_are_refused_with_a_pointer_and_write_nothing(served: Served, path: str) -> None:
    before = served.rows_written()
    bodies = list(bad_bodies())
    assert len(bodies) >= 300
    with httpx.Client(base_url=served.url, headers={**served.headers(), **JSON}, timeout=30) as client:
        for body in bodies:
            answer = client.post(path, content=body)
            assert fault_of_refusal(answer) == "", (body[:200], answer.status_code, answer.text[:300])
    assert served.rows_written() == before


def strange_credentials(key: str) -> list[dict[str, str]]:
    """Headers that stand for nobody, made from a good key."""
    return [
        {},
        {"authorization": ""},
        {"authorization": "Bearer"},
        {"authorization": key},
        {"authorization": f"Basic {key}"},
        {"authorization": f"Bearer {key[:-1]}"},
        {"authorization": f"Bearer {key[:-1]}{'0' if key[-1] != '0' else '1'}"},
        {"authorization": "Bearer eyJhbGciOiJub25lIn0.eyJyb2xlIjoiYWRtaW4ifQ."},
        {"cookie": f"key={key}"},
        {"x-api-key": key},
    ]


def test_headers_of_strange_credentials_are_401_everywhere(served: Served) -> None:
    strange = strange_credentials(served.keys["admin"])
    for route in ROUTES:
        if route.roles is None:
            continue
        for headers in strange:
            body = {"json": {"rows": [good_row()]}} if route.body else {}
            answer = served.call(route.method, filled(route.path), role=None, headers=headers, **body)
            assert answer.status_code == 401, (route.path, headers)


def test_a_revoked_key_is_refused_within_five_seconds(served: Served) -> None:
    import secrets

    now = datetime.now(UTC).replace(tzinfo=None)
    key = create_key(served.database, owner="Kim", role="admin", now=now, random=secrets.token_bytes)
    headers = {"authorization": f"Bearer {key}"}
    assert served.call("GET", "/v1/models", headers=headers).status_code == 200
    revoke_key(served.database, key.split("_")[1], now=now)
    begun = time.monotonic()
    while served.call("GET", "/v1/models", headers=headers).status_code != 401:
        assert time.monotonic() - begun < 5
        time.sleep(0.1)


def test_a_large_body_is_refused_without_being_held(served: Served) -> None:
    worker = max(
        psutil.Process(served.process.pid).children(recursive=True), key=lambda p: p.memory_info().rss
    )
    before = worker.memory_info().rss
    headers = {**served.headers(), **JSON}
    big = b'{"rows": ["' + b"x" * (20 * 1024 * 1024) + b'"]}'

    def chunks() -> object:
        for start in range(0, len(big), 65_536):
            yield big[start : start + 65_536]

    for content in (big, chunks()):
        try:
            answer = httpx.post(served.url + POSTS[0], content=content, headers=headers, timeout=30)  # type: ignore[arg-type]
            assert answer.status_code == 413
        except httpx.WriteError:
            pass  # the server answered and closed while we were still sending
    assert worker.memory_info().rss - before < 50 * 1024 * 1024


def test_a_slow_client_is_given_up_and_others_are_served_meanwhile(served: Served) -> None:
    head = (
        f"POST {POSTS[0]} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {served.keys['admin']}\r\n"
        "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    )
    slow = []
    for _ in range(20):
        connection = socket.create_connection(("127.0.0.1", served.port), timeout=20)
        connection.sendall(head.encode())
        slow.append(connection)
    assert served.call("GET", "/livez", role=None).status_code == 200
    for connection in slow:
        assert connection.recv(4096).startswith(b"HTTP/1.1 408")
        connection.close()


def test_input_is_in_no_log_line_of_the_server(served: Served) -> None:
    canary = "canary-5d1e@example.com"
    for path in POSTS:
        served.call("POST", path, json={"rows": [good_row(canary, country=canary)]})
        served.call("POST", path, json={"rows": canary, canary: canary})
        served.call("POST", path, content=canary.encode(), headers=JSON)
        served.call("POST", path + canary, json={})
    served.call("GET", f"/v1/partners/{canary}/churn")
    served.call("GET", f"/v1/models?{canary}={canary}", headers={"x-canary": canary})
    log = served.log.read_text()
    assert canary not in log
    assert not any(key in log for key in served.keys.values())
    assert canary not in served.call("GET", "/metrics").text
