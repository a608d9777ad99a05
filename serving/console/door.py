"""The console's side of the guard: cookies in, pages out."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from serving.asgi import IDENTITY, REQUEST_ID, Page, Scope
from serving.auth import Identity
from serving.console.render import SESSION, error_page
from serving.console.sessions import Sessions
from serving.problems import Problem

COOKIE = "partnerintel_session"
ROOT = "/console"
SIGN_IN = "/console/sign-in"

TOKEN_LENGTH = 64


class ConsoleDoor:
    """Sessions for the guard, and errors as pages for whoever reads HTML.

    Args:
        sessions: Who is signed in.
    """

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def minds(self, scope: Scope) -> bool:
        """Whether the request is for the console and by something that shows HTML."""
        path = str(scope["path"])
        return (path == ROOT or path.startswith(ROOT + "/")) and reads_html(scope)

    def blocks(self, headers: Mapping[bytes, bytes]) -> bool:
        """Whether looking the session up would query the database."""
        token = token_of(headers)
        return bool(token) and self._sessions.blocks(token)

    def enter(self, headers: Mapping[bytes, bytes], scope: Scope) -> Identity | None:
        """Who is signed in; the scope then holds the session."""
        token = token_of(headers)
        session = self._sessions.find(token) if token else None
        if session is None:
            return None
        scope[SESSION] = session
        return session.identity

    def page(self, problem: Problem, scope: Scope) -> Page:
        """The page for an error; who is not signed in is sent to the sign-in and back afterwards."""
        if problem.status == 401:
            back = str(scope["path"]) if scope["method"] == "GET" else ROOT
            query = scope.get("query_string", b"").decode("latin-1")
            target = quote(back + (f"?{query}" if query and scope["method"] == "GET" else ""), safe="")
            return Page(303, headers={"location": f"{SIGN_IN}?next={target}"})
        return error_page(
            problem,
            request_id=str(scope.get(REQUEST_ID, "")),
            session=scope.get(SESSION),
            identity=scope.get(IDENTITY),
        )


def reads_html(scope: Scope) -> bool:
    """Whether the caller asked for HTML, as browsers do."""
    accepted = b",".join(bytes(v) for k, v in scope["headers"] if bytes(k).lower() == b"accept")
    return b"text/html" in accepted.lower()


def token_of(headers: Mapping[bytes, bytes]) -> str:
    """The session token of a request; '' when there is none, or several that differ."""
    pairs = (p.strip().partition("=") for p in headers.get(b"cookie", b"").decode("latin-1").split(";"))
    found = {value for name, _, value in pairs if name == COOKIE}
    token = found.pop() if len(found) == 1 else ""
    return token if len(token) == TOKEN_LENGTH and token.isalnum() else ""
