"""Reading a request body: JSON only, counted byte by byte, within a time and a memory budget."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping

from serving.asgi import Receive
from serving.problems import FieldError, Problem, ProblemError
from serving.strictjson import JsonFault, parse_strict

_JSON = re.compile(r"application/json\s*(;\s*charset\s*=\s*\"?utf-8\"?\s*)?", re.IGNORECASE)
# A larger body is checked on a thread, so that health checks need not wait for it.
INLINE_BYTES = 65_536
_FORMS = {
    "fields": re.compile(
        r"application/x-www-form-urlencoded\s*(;\s*charset\s*=\s*\"?utf-8\"?\s*)?", re.IGNORECASE
    ),
    "upload": re.compile(
        r"multipart/form-data\s*;\s*boundary\s*=\s*\"?[\w'()+,./:=?-]{1,70}\"?\s*", re.IGNORECASE
    ),
}
CLOSE = {"Connection": "close"}


class ClientGoneError(Exception):
    """The client hung up before its body was complete: nobody is left to answer."""


class BodyBudget:
    """Bytes of bodies held at once by one worker.

    Args:
        limit: Bytes.
    """

    def __init__(self, limit: int) -> None:
        self.limit, self.held = limit, 0

    def take(self, count: int) -> None:
        """Reserve; too many raises a 429."""
        if self.held + count > self.limit:
            raise ProblemError(
                Problem(429, "Too many large bodies at once.", headers={"Retry-After": "1", **CLOSE})
            )
        self.held += count

    def give(self, count: int) -> None:
        """Release."""
        self.held -= count


def check_headers(headers: Mapping[bytes, bytes], *, body: bool, limit: int) -> None:
    """Refuse what can be refused before reading.

    Raises:
        ProblemError: 400 for an unexpected body, 413 over the cap, 415 for anything but plain JSON.
    """
    length = headers.get(b"content-length", b"0")
    if not body:
        if length.strip() not in (b"", b"0") or b"transfer-encoding" in headers:
            raise ProblemError(
                Problem(400, "This call takes no body.", (FieldError("", "no body allowed"),), CLOSE)
            )
        return
    kind = headers.get(b"content-type", b"").decode("latin-1").strip()
    encoding = headers.get(b"content-encoding", b"identity").decode("latin-1").strip().lower()
    if not _JSON.fullmatch(kind) or encoding != "identity":
        raise ProblemError(
            Problem(
                415,
                "Send Content-Type: application/json (UTF-8), not compressed.",
                (FieldError("", "not application/json"),),
                {"Accept-Post": "application/json", **CLOSE},
            )
        )
    if length.isdigit() and int(length) > limit:
        raise too_large(limit)


def check_form_headers(headers: Mapping[bytes, bytes], *, form: str, limit: int) -> None:
    """Refuse what is not a form of the console, before reading.

    Raises:
        ProblemError: 413 over the cap, 415 for any other content type.
    """
    kind = headers.get(b"content-type", b"").decode("latin-1").strip()
    encoding = headers.get(b"content-encoding", b"identity").decode("latin-1").strip().lower()
    if not _FORMS[form].fullmatch(kind) or encoding != "identity":
        wanted = "multipart/form-data" if form == "upload" else "application/x-www-form-urlencoded"
        fault = FieldError("", f"not {wanted}")
        raise ProblemError(Problem(415, f"This form is sent as {wanted}.", (fault,), CLOSE))
    length = headers.get(b"content-length", b"0")
    if length.isdigit() and int(length) > limit:
        raise too_large(limit)


def too_large(limit: int) -> ProblemError:
    """The body exceeds the cap."""
    detail = f"A body may have {limit} bytes at most."
    return ProblemError(Problem(413, detail, (FieldError("", "too large"),), CLOSE))


async def read_body(receive: Receive, *, limit: int, seconds: float, budget: BodyBudget) -> bytearray:
    """The whole body. The caller gives the budget back: `budget.give(len(body))`.

    Raises:
        ProblemError: 408 when it does not arrive in time, 413 over the cap, 429 over the budget.
        ClientGoneError: The client hung up.
    """
    found = bytearray()
    try:
        async with asyncio.timeout(seconds):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGoneError
                chunk = message.get("body", b"")
                if len(found) + len(chunk) > limit:
                    raise too_large(limit)
                budget.take(len(chunk))
                found += chunk
                if not message.get("more_body", False):
                    return found
    except TimeoutError:
        budget.give(len(found))
        detail = f"The body did not arrive within {seconds:g} seconds."
        raise ProblemError(Problem(408, detail, (FieldError("", "too slow"),), CLOSE)) from None
    except BaseException:
        budget.give(len(found))
        raise


async def check_json(body: bytes) -> None:
    """Refuse a body that is not strict JSON holding an object.

    Raises:
        ProblemError: 400 when it is no JSON, 422 when it is JSON we refuse.
    """
    try:
        value = (
            parse_strict(body) if len(body) <= INLINE_BYTES else await asyncio.to_thread(parse_strict, body)
        )
    except JsonFault as fault:
        status = 400 if fault.malformed else 422
        raise ProblemError(Problem(status, fault.detail, (FieldError("", fault.detail),))) from None
    if not isinstance(value, dict):
        detail = "The body must be a JSON object."
        raise ProblemError(Problem(422, detail, (FieldError("", detail),)))
