"""Templates to HTML, with the headers every page carries."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from serving.asgi import IDENTITY, Page
from serving.auth import Identity
from serving.console import charts, words
from serving.console.navigation import current, may_open, may_send, menu
from serving.console.waterfall import waterfall
from serving.problems import TITLES, Problem

FOLDER = Path(__file__).parent
SESSION = "partnerintel.session"
PAGE_HEADERS = {
    "content-type": "text/html; charset=utf-8",
    # Nothing from elsewhere, nothing inline: what a partner's name holds can never run.
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    # With no-referrer browsers send `Origin: null`, and forms could not be told from foreign ones.
    "referrer-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
ADVICE = {
    403: "Your role does not include this page. Ask an administrator if it should.",
    404: "It may have been removed, or it belongs to another manager. Check the address, or start over.",
    413: "Send a smaller file, or use the command line for large ones.",
    422: "Go back, correct what is named above and send it again.",
    429: "Wait a minute, then try again.",
    500: "Try again. If it stays, give the administrator the request id below; the log has the details.",
    503: "Wait a moment and load the page again. The overview says what is missing.",
}

SAID = {
    401: "Please sign in",
    403: "Your role may not do that",
    405: "This page cannot do that",
    413: "That is too large",
    415: "That form cannot be read",
    422: "This cannot be used as it is",
}
"""Titles for people, where those of the contract speak to programs."""


@cache
def version_of(name: str) -> str:
    """A mark that changes with a static file, so that browsers may keep it for ever."""
    return hashlib.sha256((FOLDER / "static" / name).read_bytes()).hexdigest()[:10]


def static(name: str) -> str:
    """Address of a static file."""
    return f"/console/static/{name}?v={version_of(name)}"


@cache
def environment() -> Environment:
    """The templates; everything is escaped unless a template's own text."""
    made = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shown = (
        words.pct, words.number, words.amount, words.figure, words.signed, words.money, words.moment,
        words.day, words.age, words.words, words.sentence, words.risk, words.silence, words.money_text,
        words.kind, words.told,
    )  # fmt: skip
    made.filters |= {function.__name__: function for function in shown}
    made.globals |= {
        "static": static,
        "evidence_words": words.EVIDENCE,
        "evidence_means": words.EVIDENCE_MEANS,
        "role_words": words.ROLE,
        "group_words": words.GROUP,
        "may_open": may_open,
        "may_send": may_send,
        "current": current,
        "waterfall": waterfall,
        "charts": charts,
    }
    return made


def page(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """A page for whoever is signed in.

    Args:
        request: The request; holds identity and session.
        template: File under `templates/`.
        status: HTTP status.
        values: What the template shows.
    """
    session = request.scope.get(SESSION)
    given = {
        **_shell(request.scope.get(IDENTITY), session),
        "path": request.url.path,
        "query": request.query_params,
        **values,
    }
    return HTMLResponse(
        environment().get_template(template).render(given), status_code=status, headers=PAGE_HEADERS
    )


def _shell(identity: Identity | None, session: Any) -> Mapping[str, Any]:
    return {
        "identity": identity,
        "csrf": session.csrf if session else "",
        "signed_in": session is not None,
        "menu": menu(identity),
        "path": "",
        "query": {},
        "note": "",
    }


def error_page(
    problem: Problem,
    *,
    request_id: str = "",
    session: Any = None,
    identity: Identity | None = None,
    back: str = "",
) -> Page:
    """An error that says what to do next, and leads back to the page one came from."""
    _, title = TITLES.get(problem.status, TITLES[500 if problem.status >= 500 else 400])
    title = SAID.get(problem.status, title)
    if problem.status == 403 and "form" in problem.detail:
        advice = "Nothing was changed."
    else:
        advice = ADVICE.get(problem.status, "Go back and try again.")
    body = (
        environment()
        .get_template("error.html")
        .render(
            **_shell(identity, session),
            problem=problem,
            title=title,
            advice=advice,
            back=back,
            request_id=request_id if problem.status >= 500 else "",
        )
    )
    kept = {k: v for k, v in problem.headers.items() if k.lower() != "content-type"}
    return Page(problem.status, body.encode(), {**kept, **PAGE_HEADERS})
