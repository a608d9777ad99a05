"""Every error as RFC 9457 problem details, and which of our exceptions is which status."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from data.errors import (
    BundleError,
    ConfigError,
    DataError,
    InputError,
    MissingDataError,
    NotEnoughEvidenceError,
    NotFoundError,
    PartnerIntelError,
    PromotionConflictError,
    PromotionRefusedError,
)
from models.routing.lifecycle import StateError
from serving.errors import ConflictError, UnavailableError

CONTENT_TYPE = "application/problem+json"
URN = "urn:partnerintel:problem:"
TITLES = {
    400: ("malformed-request", "The request is malformed"),
    401: ("unauthenticated", "A valid API key is needed"),
    403: ("forbidden", "This key's role may not do that"),
    404: ("not-found", "There is no such thing here"),
    405: ("method-not-allowed", "This path does not know that method"),
    408: ("too-slow", "The request took too long to arrive"),
    409: ("conflict", "Another request came first"),
    413: ("too-large", "The body is too large"),
    415: ("unsupported-media-type", "Only application/json is read"),
    422: ("not-acceptable", "The request does not fit the contract"),
    429: ("too-many", "Too many requests"),
    431: ("headers-too-large", "The headers are too large"),
    500: ("internal", "Something broke on our side"),
    503: ("unavailable", "The service cannot answer now"),
    504: ("timeout", "The answer took too long"),
}
WRITTEN: Mapping[str, str] = {
    "^[A-Z]{2}$": "give two capital letters as in ISO 3166, such as DE",
    "^[A-Z]{3}$": "give three capital letters as in ISO 4217, such as EUR",
    r"^\d{1,13}(\.\d{1,2})?$": 'give an amount as text, such as "40000" or "12.50"',
    r"^20\d{2}-(0[1-9]|1[0-2])-(0[1-9]|1\d|2[0-8])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?Z$"
    r"|^20\d{2}-(0[1-9]|1[0-2])-(29|30|31)T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?Z$": (
        "give a time in UTC as in RFC 3339, such as 2026-11-20T09:30:00Z"
    ),
    r"^[^\x00-\x1f\x7f]+$": "must not hold control characters",
    r"^[^\x00-\x1f\x7f/]*[^\x00-\x1f\x7f/.][^\x00-\x1f\x7f/]*$": (
        "must hold no slash, no control character, and more than dots: it becomes part of a path"
    ),
    r"^[^\x00-\x08\x0b-\x1f\x7f]*$": "must not hold control characters but tabs and line feeds",
    r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$": "must not hold control characters but tabs and line ends",
    r"^\d{1,9}$": "give next_cursor of the page before as it was",
    r"^tch_[0-9A-HJKMNP-TV-Z]{26}$": "give next_cursor of the page before as it was",
}
"""What a text must look like → that in words: nobody should have to read a pattern."""
_STATUS: tuple[tuple[type[PartnerIntelError], int], ...] = (
    (NotFoundError, 404),
    # Well formed, but not for a lead as it stands: the contract cannot tell that beforehand.
    (StateError, 409),
    (InputError, 422),
    (ConflictError, 409),
    (PromotionConflictError, 409),
    (PromotionRefusedError, 409),
    (NotEnoughEvidenceError, 503),
    (MissingDataError, 503),
    (BundleError, 503),
    (DataError, 503),
    (ConfigError, 503),
    (UnavailableError, 503),
)


@dataclass(frozen=True)
class FieldError:
    """One fault: where in the request (JSON pointer) and what."""

    pointer: str
    detail: str

    def as_dict(self) -> dict[str, str]:
        """Plain values."""
        return {"pointer": self.pointer, "detail": self.detail}


@dataclass(frozen=True)
class Problem:
    """One error answer.

    Attributes:
        status: HTTP status.
        detail: What happened, in a sentence; never repeats input or internals.
        errors: The faults, with pointers.
        headers: Further response headers.
    """

    status: int
    detail: str = ""
    errors: tuple[FieldError, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    def document(self, *, request_id: str = "") -> dict[str, Any]:
        """The members of the problem."""
        code, title = TITLES.get(self.status, TITLES[500 if self.status >= 500 else 400])
        found: dict[str, Any] = {"type": URN + code, "title": title, "status": self.status}
        if self.detail:
            found["detail"] = self.detail
        if request_id:
            found["instance"] = f"urn:partnerintel:request:{request_id}"
        if self.errors:
            found["errors"] = [e.as_dict() for e in self.errors]
        return found

    def body(self, *, request_id: str = "") -> bytes:
        """The problem as UTF-8 JSON."""
        return json.dumps(self.document(request_id=request_id), ensure_ascii=False).encode()


DATABASE_DOWN = Problem(
    503, "The state database cannot be used now; nothing was recorded.", headers={"Retry-After": "2"}
)
DISK_FULL = Problem(
    503, "The disk is full; what was not acknowledged is not kept.", headers={"Retry-After": "30"}
)


class ProblemError(Exception):
    """Carries a problem through the layers of the application."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(problem.status)


def pointer(parts: Sequence[str | int]) -> str:
    """RFC 6901 pointer from its parts."""
    return "".join("/" + str(p).replace("~", "~0").replace("/", "~1") for p in parts)


def problem_of(error: PartnerIntelError) -> Problem:
    """The answer for one of our exceptions: its own words for what the caller did, ours for the rest."""
    status = next((s for kind, s in _STATUS if isinstance(error, kind)), 500)
    if status >= 500:
        headers = {"Retry-After": "5"} if status == 503 else {}
        return Problem(status, str(error) if status == 503 else "", headers=headers)
    errors = (FieldError(error.pointer, error.message),) if status == 422 else ()
    return Problem(status, str(error), errors)


def from_validation(errors: Sequence[Mapping[str, Any]]) -> Problem:
    """The answer for pydantic's findings about the envelope; values sent are never repeated."""
    found = tuple(
        dict.fromkeys(FieldError(pointer(_request_path(e["loc"])), _message(e)) for e in errors[:50])
    )
    return Problem(422, "The request does not fit the contract; see errors.", found)


def _request_path(location: Sequence[str | int]) -> list[str | int]:
    return [part for part in location if part not in ("body", "query", "path", "header")]


def _message(error: Mapping[str, Any]) -> str:
    if error.get("type") == "extra_forbidden":
        return "unknown field"
    if error.get("type") == "string_pattern_mismatch":
        return WRITTEN.get(error["ctx"]["pattern"], str(error["msg"]))
    return str(error["msg"]).removeprefix("Value error, ")
