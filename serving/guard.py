"""The guard: one ASGI middleware in front of everything the service answers.

It lets only the committed routes through, knows the caller, refuses bodies that are not strict JSON, and
answers every error as problem details. Nothing leaves it unanswered: an exception behind it is logged under
the request's id and becomes a bare 500.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy.exc import OperationalError

from serving.asgi import IDENTITY, REQUEST_ID, Answer, App, Message, Page, Receive, Scope, Send
from serving.auth import Identity
from serving.body import (
    BodyBudget,
    ClientGoneError,
    check_form_headers,
    check_headers,
    check_json,
    read_body,
)
from serving.limiter import DenialLimiter
from serving.logs import EventLog
from serving.metrics import Metrics
from serving.problems import Problem, ProblemError
from serving.routes import Route, RouteTable
from serving.settings import MIB, ServingSettings

MAX_FIELDS_BYTES = 65_536
"""Forms of the console hold a few fields; lists of prospects go to the upload route."""
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="partnerintel"'}


class Door(Protocol):
    """The way in with a browser: sessions beside keys, and errors as pages."""

    def minds(self, scope: Scope) -> bool:
        """Whether an error of this request is shown as a page."""
        ...

    def blocks(self, headers: Mapping[bytes, bytes]) -> bool:
        """Whether `enter` would query the database, and so belongs on a thread."""
        ...

    def enter(self, headers: Mapping[bytes, bytes], scope: Scope) -> Identity | None:
        """Who is signed in; the scope remembers the session."""
        ...

    def page(self, problem: Problem, scope: Scope) -> Page:
        """The page for an error, or the way to the sign-in."""
        ...


@dataclass(frozen=True)
class Gatekeeping:
    """What the guard needs to know.

    Attributes:
        settings: Caps and timeouts.
        table: The allow-list.
        verify: Who an Authorization header stands for.
        verify_blocks: Whether `verify` would query the database, and so belongs on a thread.
        denied: Called with (identity or None, route, status) for the audit log; runs on a thread.
        limiter: Counts failed logins.
        metrics: Where answers are counted.
        log: Where answers are written.
        new_request_id: Source of request ids.
        door: The console's; None where there is no console.
    """

    settings: ServingSettings
    table: RouteTable
    verify: Callable[[str | None], Identity | None]
    verify_blocks: Callable[[str | None], bool]
    denied: Callable[[Identity | None, Route, int], None]
    limiter: DenialLimiter
    metrics: Metrics
    log: EventLog
    new_request_id: Callable[[], str]
    door: Door | None = None


class Guard:
    """The middleware.

    Args:
        app: Everything behind.
        keep: Gives the gatekeeping once the service is up, None before.
    """

    def __init__(self, app: App, *, keep: Callable[[], Gatekeeping | None]) -> None:
        self._app, self._keep = app, keep
        self._budget: BodyBudget | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        keep = self._keep()
        if keep is None:
            await Answer(send, request_id="boot").problem(
                Problem(503, "The service is starting.", headers={"Retry-After": "1"})
            )
            return
        await self._answer(keep, scope, receive, send)

    async def _answer(self, keep: Gatekeeping, scope: Scope, receive: Receive, send: Send) -> None:
        begun = time.perf_counter()
        request_id = keep.new_request_id()
        match = keep.table.match(scope["method"], scope["path"])
        scope[REQUEST_ID] = request_id
        answer = Answer(send, request_id=request_id, as_page=_pages(keep, scope))
        shown = match.route.path if match.route else "unmatched"
        try:
            if match.route is None:
                raise ProblemError(_unmatched(match.allowed))
            await self._let_through(keep, match.route, scope, receive, answer)
        except ProblemError as error:
            await answer.problem(error.problem)
        except ClientGoneError:
            pass
        except Exception as error:
            keep.log.exception("failed", error, request_id=request_id, route=shown)
            # Once the status line is out the server closes the connection on an unfinished answer.
            if not answer.started:
                await answer.problem(Problem(500, "The failure was logged under the id in `instance`."))
        finally:
            seconds = time.perf_counter() - begun
            status = answer.status or 499
            keep.metrics.answered(route=shown, method=scope["method"], status=status, seconds=seconds)
            keep.log.write(
                "answered",
                request_id=request_id,
                route=shown,
                method=scope["method"] if match.route else "any",
                status=status,
                ms=round(seconds * 1000, 2),
                key_id=getattr(scope.get(IDENTITY), "key_id", None),
            )

    async def _let_through(
        self, keep: Gatekeeping, route: Route, scope: Scope, receive: Receive, answer: Answer
    ) -> None:
        headers = {bytes(k).lower(): bytes(v) for k, v in scope["headers"]}
        _check_single(scope)
        if route.roles is not None:
            scope[IDENTITY] = await _authorised(keep, route, scope, headers)
        settings = keep.settings
        limit = _body_limit(route, settings)
        if route.form:
            check_form_headers(headers, form=route.form, limit=limit)
        else:
            check_headers(headers, body=route.body, limit=limit)
        if not route.body and not route.form:
            await self._app(scope, receive, answer)
            return
        budget = self._budget = self._budget or BodyBudget(settings.body_budget_bytes)
        seconds = settings.body_timeout_seconds + (limit / MIB if route.form == "upload" else 0.0)
        body = await read_body(receive, limit=limit, seconds=seconds, budget=budget)
        try:
            if route.body:
                await check_json(bytes(body))
            await self._app(scope, _replay(bytes(body), receive), answer)
        finally:
            budget.give(len(body))


def _unmatched(allowed: tuple[str, ...]) -> Problem:
    if allowed:
        return Problem(405, f"Allowed here: {', '.join(allowed)}.", headers={"Allow": ", ".join(allowed)})
    return Problem(404, "See /openapi.json for the paths there are.")


def _check_single(scope: Scope) -> None:
    """Two Content-Types, lengths or keys mean that two readers may disagree about the request."""
    single = (b"authorization", b"content-type", b"content-length", b"content-encoding", b"transfer-encoding")
    names = [bytes(k).lower() for k, _ in scope["headers"]]
    if any(names.count(n) > 1 for n in single):
        raise ProblemError(Problem(400, "A header is given twice.", headers={"Connection": "close"}))


def _body_limit(route: Route, settings: ServingSettings) -> int:
    if route.form == "upload":
        return settings.max_upload_bytes
    return min(settings.max_body_bytes, MAX_FIELDS_BYTES) if route.form else settings.max_body_bytes


def _pages(keep: Gatekeeping, scope: Scope) -> Callable[[Problem], Page] | None:
    door = keep.door
    return (lambda problem: door.page(problem, scope)) if door is not None and door.minds(scope) else None


async def _known(
    keep: Gatekeeping, route: Route, scope: Scope, headers: Mapping[bytes, bytes]
) -> Identity | None:
    """Who a key stands for or, on a page without one, a session."""
    header = headers.get(b"authorization")
    door = keep.door
    if route.page and header is None and door is not None:
        if door.blocks(headers):
            return await asyncio.to_thread(door.enter, headers, scope)
        return door.enter(headers, scope)
    given = header.decode("latin-1") if header else None
    return await asyncio.to_thread(keep.verify, given) if keep.verify_blocks(given) else keep.verify(given)


async def _authorised(
    keep: Gatekeeping, route: Route, scope: Scope, headers: Mapping[bytes, bytes]
) -> Identity:
    identity = await _known(keep, route, scope, headers)
    if identity is None and route.page and b"authorization" not in headers:
        # A sign-in that has ended is no attack: the way back in is shown, and nothing is counted.
        raise ProblemError(Problem(401, "Sign in first.", headers=CHALLENGE))
    if identity is None:
        client = scope.get("client") or ("unknown", 0)
        wait = keep.limiter.failed(str(client[0]))
        if wait:
            raise ProblemError(Problem(429, "Too many failed logins.", headers={"Retry-After": str(wait)}))
        await _denied(keep, None, route, 401)
        raise ProblemError(
            Problem(401, "Send `Authorization: Bearer <key>` with a key that is valid.", headers=CHALLENGE)
        )
    if route.roles is not None and identity.role not in route.roles:
        await _denied(keep, identity, route, 403)
        raise ProblemError(Problem(403, f"Roles that may: {', '.join(sorted(route.roles))}."))
    return identity


async def _denied(keep: Gatekeeping, identity: Identity | None, route: Route, status: int) -> None:
    """Record a denial; where that is impossible it is denied all the same, and the log says so."""
    try:
        await asyncio.to_thread(keep.denied, identity, route, status)
    except OperationalError as error:
        keep.log.exception("denial not recorded", error, route=route.path, status=status)


def _replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body once, and then whatever the client does, such as hanging up."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
