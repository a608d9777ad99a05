"""ASGI in types, and the answering side of the guard."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from serving.problems import CONTENT_TYPE, FieldError, Problem, from_validation

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
IDENTITY = "partnerintel.identity"
REQUEST_ID = "partnerintel.request_id"
MAX_FOREIGN_ERROR = 65_536
SECURITY_HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"no-referrer",
    b"cache-control": b"no-store",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
}
_HTML = b"text/html"
_HIDDEN = frozenset({b"server", b"x-bentoml-request-id", b"x-bentoml-trace-id"})


@dataclass(frozen=True)
class Page:
    """An HTML answer, or a way elsewhere when it has a `location`."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class Answer:
    """Wraps `send`: adds the security headers and turns every foreign error into problem details.

    Errors that are not ours (BentoML answers with JSON arrays, plain text or an HTML page) are held back,
    and a problem of the same status takes their place.

    Args:
        send: The server's callable.
        request_id: Shown in the answer and in the log.
        as_page: Shows a problem as a page; the application's own HTML errors may then pass. None: as JSON.
    """

    def __init__(
        self, send: Send, *, request_id: str, as_page: Callable[[Problem], Page] | None = None
    ) -> None:
        self._send, self._request_id, self._as_page = send, request_id, as_page
        self.status = 0
        self._foreign: Message | None = None
        self._held = b""

    @property
    def started(self) -> bool:
        """Whether the status line is out."""
        return self.status != 0

    async def __call__(self, message: Message) -> None:
        """The `send` given to the application."""
        if message["type"] == "http.response.start":
            await self._start(message)
        elif self._foreign is None:
            await self._send(message)
        else:
            self._held = (self._held + message.get("body", b""))[:MAX_FOREIGN_ERROR]
            if not message.get("more_body", False):
                await self.problem(_translated(self._foreign["status"], self._held))

    async def problem(self, problem: Problem) -> None:
        """Answer with a problem."""
        if self._as_page is not None:
            page = self._as_page(problem)
        else:
            headers_of = {"content-type": CONTENT_TYPE, **problem.headers}
            page = Page(problem.status, problem.body(request_id=self._request_id), headers_of)
        headers = [(b"content-length", str(len(page.body)).encode())]
        headers += [(k.lower().encode(), v.encode()) for k, v in page.headers.items()]
        self._foreign = None
        await self._begin({"type": "http.response.start", "status": page.status, "headers": headers})
        await self._send({"type": "http.response.body", "body": page.body})

    async def _start(self, message: Message) -> None:
        headers = {bytes(k).lower(): bytes(v) for k, v in message.get("headers", ())}
        kind = headers.get(b"content-type", b"")
        ours = kind.startswith(CONTENT_TYPE.encode()) or (
            self._as_page is not None and kind.startswith(_HTML)
        )
        if message["status"] >= 400 and not ours:
            self._foreign = message
        else:
            await self._begin(message)

    async def _begin(self, message: Message) -> None:
        self.status = message["status"]
        headers = [(k, v) for k, v in message.get("headers", ()) if bytes(k).lower() not in _HIDDEN]
        present = {bytes(k).lower() for k, _ in headers}
        headers += [(k, v) for k, v in SECURITY_HEADERS.items() if k not in present]
        headers.append((b"x-request-id", self._request_id.encode()))
        await self._send({**message, "headers": headers})


def _translated(status: int, body: bytes) -> Problem:
    """A problem for an error of BentoML or Starlette. BentoML says 400 where the contract says 422."""
    try:
        document = json.loads(body)
        details = document["detail"]
        if status in (400, 422) and isinstance(details, list):
            return from_validation(details)
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    if status == 400:
        return Problem(400, "The request could not be read.", (FieldError("", "not readable"),))
    retry = {"Retry-After": "1"} if status in (429, 503) else {}
    return Problem(status, headers=retry)
