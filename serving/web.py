"""What all HTTP routes share: the JSON answer, who is calling, and the failures a call may document."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.responses import JSONResponse

from serving.asgi import IDENTITY
from serving.auth import Identity
from serving.problems import CONTENT_TYPE, FieldError, Problem, ProblemError, pointer


class Answer(JSONResponse):
    """Bare JSON; a NaN would be a fault of ours, never sent."""

    def render(self, content: Any) -> bytes:
        """Compact UTF-8."""
        return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


async def caller(request: Request) -> Identity:
    """Who is calling, as the guard found out. A coroutine, or FastAPI would take a thread for it."""
    identity: Identity = request.scope[IDENTITY]
    return identity


async def no_query(request: Request) -> None:
    """Refuse query parameters where the contract has none."""
    unknown = sorted(set(request.query_params))
    if unknown:
        errors = tuple(FieldError(pointer([name]), "unknown query parameter") for name in unknown[:20])
        raise ProblemError(Problem(422, "This call has no query parameters.", errors))


Caller = Annotated[Identity, Depends(caller)]
FAILURES: dict[int | str, dict[str, Any]] = {
    code: {
        "description": text,
        "content": {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for code, text in {
        400: "Malformed",
        401: "No valid key",
        403: "The key's role may not",
        404: "Not found",
        405: "Method not allowed",
        408: "The body came too slowly",
        409: "Another request came first, or the state does not allow it",
        413: "Too large",
        415: "Not JSON",
        422: "Does not fit the contract",
        429: "Too many",
        503: "Cannot answer now",
    }.items()
}


def only(*codes: int) -> dict[int | str, dict[str, Any]]:
    """The failures a call can answer with."""
    return {code: FAILURES[code] for code in codes}


READ = (400, 401, 403, 404, 422, 429, 503)
SCORE = (400, 401, 403, 404, 408, 413, 415, 422, 429, 503)
