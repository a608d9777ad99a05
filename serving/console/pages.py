"""What every page of the console has in common: errors that are pages, and its parts at hand."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from sqlalchemy.exc import OperationalError
from starlette.requests import Request
from starlette.responses import Response

from data.errors import PartnerIntelError
from serving.asgi import IDENTITY, REQUEST_ID
from serving.auth import Identity
from serving.console.door import ROOT, reads_html
from serving.console.render import SESSION, error_page
from serving.console.rooms import Cases, Console
from serving.errors import UnavailableError
from serving.problems import DATABASE_DOWN, ProblemError, from_validation, problem_of


class PageRoute(APIRoute):
    """A route whose errors are pages for whoever reads HTML, and problem details for everybody else."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler with errors translated."""
        inner = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                return await inner(request)
            except (PartnerIntelError, ProblemError, OperationalError, RequestValidationError) as error:
                if not reads_html(request.scope):
                    raise
                return _as_page(error, request)

        return handler


def _as_page(error: Exception, request: Request) -> Response:
    if isinstance(error, ProblemError):
        problem = error.problem
    elif isinstance(error, PartnerIntelError):
        problem = problem_of(error)
    elif isinstance(error, RequestValidationError):
        problem = from_validation(error.errors())
    else:
        problem = DATABASE_DOWN
    scope = request.scope
    shown = error_page(
        problem,
        request_id=str(scope.get(REQUEST_ID, "")),
        session=scope.get(SESSION),
        identity=scope.get(IDENTITY),
        back=came_from(request),
    )
    return Response(shown.body, shown.status, headers=dict(shown.headers))


def came_from(request: Request) -> str:
    """Path of the page of ours that a form stood on or a link was followed from, or ''."""
    given = urlsplit(request.headers.get("referer", ""))
    own = given.netloc == request.headers.get("host", "") and given.path.startswith(ROOT)
    same = request.method == "GET" and given.path == request.url.path
    return urlunsplit(("", "", given.path, given.query, "")) if own and not same else ""


def identity_of(request: Request) -> Identity:
    """Who is looking."""
    identity: Identity = request.scope[IDENTITY]
    return identity


def console_of(use_cases: Callable[[], Cases]) -> Console:
    """The console's parts.

    Raises:
        UnavailableError: The worker was composed without them.
    """
    console = use_cases().console
    if console is None:
        raise UnavailableError("This service has no console.")
    return console
