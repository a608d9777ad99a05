"""The guard in front of applications that misbehave."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from serving.asgi import IDENTITY, App, Message, Receive, Scope, Send
from serving.auth import Identity
from serving.guard import Gatekeeping, Guard
from serving.limiter import DenialLimiter
from serving.logs import EventLog
from serving.metrics import Metrics
from serving.routes import Route, RouteTable
from serving.settings import ServingSettings
from tests.unit.serving.world import NOW, Clock

CANARY = "canary-7f3a@example.com"
ROUTES = (
    Route("POST", "/in", frozenset({"admin"}), body=True),
    Route("GET", "/out", frozenset({"admin"})),
    Route("GET", "/open"),
)
JSON_HEADERS = [(b"content-type", b"application/json"), (b"authorization", b"Bearer good")]


class Desk:
    """A guard with everything it needs, and what it did."""

    def __init__(self, app: App, **settings: Any) -> None:
        self.log, self.clock = io.StringIO(), Clock()
        self.denials: list[tuple[str | None, str, int]] = []
        self.keep = Gatekeeping(
            settings=ServingSettings(**settings),
            table=RouteTable(ROUTES),
            verify=lambda h: Identity("k", "o", "admin" if h == "Bearer good" else "prm") if h else None,
            verify_blocks=lambda _: True,
            denied=lambda i, r, s: self.denials.append((i.owner if i else None, r.path, s)),
            limiter=DenialLimiter(2, clock=lambda: self.clock.ticks),
            metrics=Metrics(),
            log=EventLog(clock=lambda: NOW, stream=self.log),
            new_request_id=lambda: "r1",
        )
        self.guard = Guard(app, keep=lambda: self.keep)

    def ask(
        self,
        method: str,
        path: str,
        headers: list[tuple[bytes, bytes]] | None = None,
        messages: list[Message | float] | None = None,
    ) -> tuple[int, dict[str, str], bytes]:
        """Send messages (a float is a pause) and return status, headers and body."""
        return asyncio.run(self.asked(method, path, headers, messages))

    async def asked(
        self,
        method: str,
        path: str,
        headers: list[tuple[bytes, bytes]] | None = None,
        messages: list[Message | float] | None = None,
    ) -> tuple[int, dict[str, str], bytes]:
        pending = list(messages if messages is not None else [part(b"{}")])
        sent: list[Message] = []

        async def receive() -> Message:
            while pending:
                message = pending.pop(0)
                if not isinstance(message, float):
                    return message
                await asyncio.sleep(message)
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            sent.append(message)

        scope: Scope = {
            "type": "http",
            "method": method,
            "path": path,
            "headers": JSON_HEADERS if headers is None else headers,
            "client": ("10.0.0.1", 5),
        }
        await self.guard(scope, receive, send)
        start = next((m for m in sent if m["type"] == "http.response.start"), None)
        if start is None:
            return 0, {}, b""
        found = {k.decode(): v.decode() for k, v in start["headers"]}
        return start["status"], found, b"".join(m.get("body", b"") for m in sent[1:])


def part(body: bytes, *, more: bool = False) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


def answering(status: int, body: bytes, kind: bytes = b"application/json") -> App:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", kind), (b"server", b"BentoML"), (b"x-bentoml-request-id", b"9")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body[:3], "more_body": True})
        await send({"type": "http.response.body", "body": body[3:]})

    return app


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    message = await receive()
    body = json.dumps({"owner": scope[IDENTITY].owner, "size": len(message["body"])}).encode()
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]}
    )
    await send({"type": "http.response.body", "body": body})


def untouchable() -> App:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        pytest.fail("the request reached the application")

    return app


def is_problem(answer: tuple[int, dict[str, str], bytes], status: int) -> dict[str, Any]:
    assert answer[0] == status
    assert answer[1]["content-type"] == "application/problem+json"
    found: dict[str, Any] = json.loads(answer[2])
    assert found["status"] == status
    assert found["type"].startswith("urn:partnerintel:problem:")
    assert found["instance"] == "urn:partnerintel:request:r1"
    return found


def test_a_good_request_reaches_the_application_with_its_caller() -> None:
    status, headers, body = Desk(echo).ask("POST", "/in", messages=[part(b'{"a"', more=True), part(b":1}")])
    assert (status, json.loads(body)) == (200, {"owner": "o", "size": 7})
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert headers["x-request-id"] == "r1"


@pytest.mark.parametrize("error", [ValueError, RecursionError, MemoryError, asyncio.TimeoutError])
def test_an_exception_behind_becomes_a_bare_500_and_a_log_line_without_its_words(
    error: type[Exception],
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise error(CANARY)

    desk = Desk(app)
    found = is_problem(desk.ask("GET", "/out"), 500)
    assert CANARY not in json.dumps(found)
    assert CANARY not in desk.log.getvalue()
    assert '"error": "' in desk.log.getvalue()
    assert "test_guard.py" in desk.log.getvalue()


def test_an_exception_after_the_status_line_is_logged_and_the_answer_left_unfinished() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ValueError(CANARY)

    desk = Desk(app)
    assert desk.ask("GET", "/out")[0] == 200
    assert "failed" in desk.log.getvalue()


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, b'[{"error": "bad"}]', b"application/json"),
        (404, b"Not Found", b"text/plain"),
        (429, b'{"error": "Too many requests"}', b"application/json"),
        (500, b"<html>" + CANARY.encode(), b"text/html"),
        (504, b'{"error": "Not able"}', b"application/json"),
        (418, b"", b"text/plain"),
    ],
)
def test_foreign_errors_become_problems_and_lose_their_words(status: int, body: bytes, kind: bytes) -> None:
    found = is_problem(Desk(answering(status, body, kind)).ask("GET", "/out"), status)
    assert CANARY not in json.dumps(found)


def test_validation_errors_of_bentoml_become_422_with_pointers() -> None:
    body = json.dumps(
        {"error": "1 error", "detail": [{"loc": ["rows", 3, "a/b"], "msg": "bad", "type": "x"}]}
    )
    found = is_problem(Desk(answering(400, body.encode())).ask("GET", "/out"), 422)
    assert found["errors"] == [{"pointer": "/rows/3/a~1b", "detail": "bad"}]


def test_the_server_does_not_introduce_itself() -> None:
    headers = Desk(answering(200, b"{}")).ask("GET", "/out")[1]
    assert not {"server", "x-bentoml-request-id"} & set(headers)


@pytest.mark.parametrize(
    ("kind", "ok"),
    [
        (b"application/json", True),
        (b"application/json; charset=utf-8", True),
        (b"application/json;charset=UTF-8", True),
        (b"APPLICATION/JSON", True),
        (b"application/json; charset=utf-16", False),
        (b"application/vnd.bentoml+pickle", False),
        (b"application/octet-stream", False),
        (b"text/plain", False),
        (b"multipart/form-data; boundary=x", False),
        (b"application/json, application/vnd.bentoml+pickle", False),
        (b"application/x-www-form-urlencoded", False),
        (b"", False),
    ],
)
def test_only_plain_json_is_read(kind: bytes, ok: bool) -> None:
    headers = [(b"content-type", kind), (b"authorization", b"Bearer good")]
    answer = Desk(echo if ok else untouchable()).ask("POST", "/in", headers)
    if ok:
        assert answer[0] == 200
    else:
        is_problem(answer, 415)


def test_a_compressed_body_is_refused() -> None:
    headers = [*JSON_HEADERS, (b"content-encoding", b"gzip")]
    is_problem(Desk(untouchable()).ask("POST", "/in", headers), 415)


def test_the_cap_is_counted_in_bytes_whatever_the_length_header_says() -> None:
    chunk = b'"' + b"x" * 400
    parts: list[Message | float] = [part(chunk, more=True) for _ in range(10)]
    desk = Desk(untouchable(), max_body_bytes=1024)
    assert is_problem(desk.ask("POST", "/in", messages=parts), 413)["errors"]
    declared = [*JSON_HEADERS, (b"content-length", b"999999")]
    assert desk.ask("POST", "/in", declared, [])[0] == 413
    assert desk.guard._budget is not None
    assert desk.guard._budget.held == 0


def test_a_slow_body_is_given_up() -> None:
    desk = Desk(untouchable(), body_timeout_seconds=0.05)
    is_problem(desk.ask("POST", "/in", messages=[part(b"{", more=True), 1.0, part(b"}")]), 408)


def test_a_client_that_hangs_up_is_not_answered() -> None:
    assert Desk(untouchable()).ask("POST", "/in", messages=[part(b"{", more=True)])[0] == 0


def test_bodies_held_at_once_are_limited() -> None:
    mib = 1024 * 1024
    desk = Desk(echo, max_body_bytes=mib, body_budget_bytes=mib)
    body = b'"' + b"x" * 600_000 + b'"'
    wrapped = b'{"a":' + body + b"}"
    slow: list[Message | float] = [part(wrapped[:-1], more=True), 0.2, part(wrapped[-1:])]

    async def both() -> list[int]:
        first = asyncio.create_task(desk.asked("POST", "/in", None, slow))
        await asyncio.sleep(0.05)
        second = await desk.asked("POST", "/in", None, [part(wrapped)])
        return [(await first)[0], second[0]]

    assert asyncio.run(both()) == [200, 429]


@pytest.mark.parametrize("length", [b"5", b"x"])
def test_a_call_without_a_body_takes_none(length: bytes) -> None:
    headers = [(b"authorization", b"Bearer good"), (b"content-length", length)]
    is_problem(Desk(untouchable()).ask("GET", "/out", headers), 400)


def test_a_header_given_twice_is_refused() -> None:
    headers = [*JSON_HEADERS, (b"Content-Type", b"text/plain")]
    is_problem(Desk(untouchable()).ask("POST", "/in", headers), 400)


def test_unknown_paths_and_methods_never_reach_the_application() -> None:
    desk = Desk(untouchable())
    for path in ("/", "/docs.json", "/schema.json", "/static_content/index.html", "/in/", "/%69n"):
        is_problem(desk.ask("GET", path), 404)
    assert desk.ask("DELETE", "/in")[1]["allow"] == "POST"


def test_who_is_nobody_gets_401_then_429_and_who_may_not_gets_403() -> None:
    desk = Desk(untouchable())
    nobody: list[tuple[bytes, bytes]] = []
    assert desk.ask("GET", "/out", nobody)[1]["www-authenticate"].startswith("Bearer")
    is_problem(desk.ask("GET", "/out", nobody), 401)
    answer = desk.ask("GET", "/out", nobody)
    is_problem(answer, 429)
    assert int(answer[1]["retry-after"]) <= 60
    is_problem(desk.ask("GET", "/out", [(b"authorization", b"Bearer other")]), 403)
    assert desk.denials == [(None, "/out", 401), (None, "/out", 401), ("o", "/out", 403)]


def test_a_valid_key_is_let_in_while_others_guess_from_its_address() -> None:
    desk = Desk(answering(200, b"{}"))
    for _ in range(5):
        desk.ask("GET", "/out", [])
    assert desk.ask("GET", "/out")[0] == 200


def test_before_the_service_is_up_everything_is_503() -> None:
    desk = Desk(untouchable())
    desk.guard = Guard(untouchable(), keep=lambda: None)
    assert desk.ask("GET", "/open")[0] == 503


def test_web_sockets_are_closed() -> None:
    sent: list[Message] = []

    async def run() -> None:
        async def send(message: Message) -> None:
            sent.append(message)

        receive: Callable[[], Awaitable[Message]] = asyncio.Queue[Message]().get
        await Desk(untouchable()).guard({"type": "websocket", "path": "/in"}, receive, send)

    asyncio.run(run())
    assert sent == [{"type": "websocket.close", "code": 1008}]


def test_what_clients_send_makes_no_metric_series() -> None:
    desk = Desk(answering(200, b"{}"))
    for i in range(50):
        desk.ask(f"M{i}", f"/path{i}")
        desk.ask(f"M{i}", "/out")
    page = desk.keep.metrics.page().decode()
    assert page.count("partnerintel_requests_total{") == 2
    assert "path1" not in page


def test_settings_of_the_guard_are_checked() -> None:
    with pytest.raises(ValueError, match="max_body_bytes"):
        replace(Desk(echo).keep, settings=ServingSettings(max_body_bytes=1))
