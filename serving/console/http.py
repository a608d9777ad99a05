"""Joins the console to the application: sign-in, static files, and every page."""

from __future__ import annotations

import mimetypes
from collections.abc import Callable
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter, FastAPI
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from data.errors import NotFoundError
from serving.console import (
    alerts,
    audit,
    checks,
    decisions,
    home,
    lists,
    models,
    outcomes,
    partners,
    routing,
    tiers,
)
from serving.console.door import COOKIE, ROOT
from serving.console.forms import Form, check_same_site, read_form
from serving.console.pages import PageRoute, console_of
from serving.console.render import FOLDER, SESSION, page
from serving.console.rooms import Cases, Console

PAGES = (home, lists, outcomes, alerts, partners, tiers, routing, models, decisions, checks, audit)
WRONG_KEY = (
    "This key is not valid. Check that it was copied whole, and that it has neither expired nor been revoked."
)
TOO_MANY = "Too many failed sign-ins. Wait a minute, then try again."


def mount(app: FastAPI, use_cases: Callable[[], Cases]) -> None:
    """Add every page of the console.

    Args:
        app: The application.
        use_cases: Gives the use cases, once the service is up.
    """
    router = APIRouter(route_class=PageRoute, include_in_schema=False)
    _sign_in(router, use_cases)
    _static(router)
    for module in PAGES:
        module.mount(router, use_cases)
    app.router.routes.extend(router.routes)


def _sign_in(router: APIRouter, use_cases: Callable[[], Cases]) -> None:
    @router.get("/console/sign-in")
    def form(request: Request) -> Response:
        return _form(request, console_of(use_cases), request.query_params.get("next", ""))

    @router.post("/console/sign-in")
    async def sign_in(request: Request) -> Response:
        check_same_site(request)
        return await _in_thread(_begin, request, console_of(use_cases), await read_form(request))

    @router.post("/console/sign-out")
    async def sign_out(request: Request) -> Response:
        await read_form(request)
        session = request.scope.get(SESSION)
        if session is not None:
            await _in_thread(console_of(use_cases).sessions.end, session)
        answer = RedirectResponse("/console/sign-in", status_code=303)
        answer.delete_cookie(COOKIE, path=ROOT, httponly=True, samesite="strict")
        return answer


async def _in_thread(call: Callable[..., Any], *given: Any) -> Any:
    from starlette.concurrency import run_in_threadpool

    return await run_in_threadpool(call, *given)


def _begin(request: Request, console: Console, form: Form) -> Response:
    token = console.sessions.begin(form.text("key"))
    if token is None:
        wait = console.limiter.failed(request.client.host if request.client else "unknown")
        fault, status = (TOO_MANY, 429) if wait else (WRONG_KEY, 401)
        if not wait:
            console.sessions.refused()
        return _form(request, console, form.text("next"), fault=fault, status=status)
    answer = RedirectResponse(_way_back(form.text("next")), status_code=303)
    answer.set_cookie(
        COOKIE,
        token,
        max_age=int(console.sessions.lasts.total_seconds()),
        path=ROOT,
        secure=_over_tls(request),
        httponly=True,
        samesite="strict",
    )
    return answer


def _form(request: Request, console: Console, back: str, *, fault: str = "", status: int = 200) -> Response:
    hours = f"{console.settings.console_session_hours:g}"
    return page(request, "sign_in.html", status=status, next=_way_back(back), fault=fault, hours=hours)


def _way_back(given: str) -> str:
    """Where to go after the sign-in: a page of the console, never another site."""
    parts = urlsplit(given)
    ours = parts.path == ROOT or parts.path.startswith(ROOT + "/")
    if parts.scheme or parts.netloc or not ours or "\\" in given or parts.path == "/console/sign-in":
        return ROOT
    return given


def _over_tls(request: Request) -> bool:
    """Whether the browser speaks TLS: to us, or to the proxy that says so."""
    return request.url.scheme == "https" or request.headers.get("x-forwarded-proto", "") == "https"


def _static(router: APIRouter) -> None:
    @router.get("/console/static/{name}")
    def static(name: str) -> Response:
        files = _files()
        if name not in files:
            raise NotFoundError("There is no such file.")
        kind, body = files[name]
        # The address holds a hash of the content, so it may be kept.
        kept = {"cache-control": "public, max-age=31536000, immutable"}
        return Response(body, media_type=kind, headers=kept)


@cache
def _files() -> dict[str, tuple[str, bytes]]:
    return {
        p.name: (mimetypes.guess_type(p.name)[0] or "application/octet-stream", p.read_bytes())
        for p in sorted((FOLDER / "static").iterdir())
        if p.is_file()
    }
