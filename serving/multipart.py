"""Multipart forms: whole, within limits, closed again; what is wrong with one is said in words."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request

from serving.problems import FieldError, Problem, ProblemError

_BOUNDARY = re.compile(r"boundary\s*=\s*\"?([^\";]+)", re.IGNORECASE)
_TAIL = 4096


@asynccontextmanager
async def open_form(request: Request, *, fields: int, part_bytes: int) -> AsyncIterator[FormData]:
    """The form of a request, with at most one file.

    Args:
        request: A request that was read completely.
        fields: Most fields beside the file.
        part_bytes: Largest field.

    Raises:
        ProblemError: 400 when it is cut off or no form.
    """
    boundary = _BOUNDARY.search(request.headers.get("content-type", ""))
    body = await request.body()
    if boundary is None or f"--{boundary[1].strip()}--".encode("latin-1", "replace") not in body[-_TAIL:]:
        raise _malformed("it ends before its boundary")
    try:
        form = await request.form(max_files=1, max_fields=fields, max_part_size=part_bytes)
    except (HTTPException, MultiPartException) as error:
        raise _malformed(str(getattr(error, "detail", None) or getattr(error, "message", error))) from None
    try:
        yield form
    finally:
        await form.close()


def _malformed(reason: str) -> ProblemError:
    fault = FieldError("", reason)
    return ProblemError(Problem(400, f"The form cannot be read: {reason.rstrip('.')}.", (fault,)))
