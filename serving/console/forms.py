"""Forms: who may send them, and what they hold."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request

from data.errors import InputError
from serving.console.render import SESSION
from serving.problems import FieldError, Problem, ProblemError

MAX_FIELDS = 600
"""A list may have 500 columns, each with a box of its own."""
CSRF = "csrf"
MOST_OF_NAME = 200


@dataclass(frozen=True)
class Form:
    """The fields of a form.

    Attributes:
        values: Every value of every field, trimmed.
    """

    values: dict[str, list[str]]

    def text(self, name: str, *, most: int = 1000) -> str:
        """A field's value, or ''.

        Raises:
            ProblemError: 422 when it is too long.
        """
        found = self.values.get(name, [""])[-1].strip()
        if len(found) > most:
            fault = FieldError(f"/{name}", f"at most {most} characters")
            raise ProblemError(Problem(422, "A field is too long.", (fault,)))
        return found

    def all(self, name: str) -> list[str]:
        """Every value of a field that may come more than once."""
        return self.values.get(name, [])


async def read_form(request: Request) -> Form:
    """The fields of a URL-encoded form that this site sent itself.

    Raises:
        ProblemError: 403 when it comes from elsewhere or lacks the session's token, 422 when unreadable.
    """
    check_same_site(request)
    try:
        body = (await request.body()).decode("utf-8")
        values = parse_qs(body, keep_blank_values=True, strict_parsing=bool(body), max_num_fields=MAX_FIELDS)
    except ValueError:
        raise ProblemError(Problem(422, "The form cannot be read.")) from None
    form = Form(values)
    check_token(request, form.text(CSRF))
    return form


def check_same_site(request: Request) -> None:
    """Refuse what a page of another site sent. Callers that are no browsers send neither header."""
    origin = request.headers.get("origin")
    site = request.headers.get("sec-fetch-site", "same-origin")
    foreign = origin is not None and urlsplit(origin).netloc != request.headers.get("host", "")
    if foreign or site not in ("same-origin", "none"):
        raise ProblemError(Problem(403, "This form was sent from another site."))


def check_token(request: Request, given: str) -> None:
    """Refuse a form without its session's token. A key in the header is proof enough: no browser adds it."""
    session: Any = request.scope.get(SESSION)
    if session is not None and not hmac.compare_digest(given.encode(), session.csrf.encode()):
        raise ProblemError(
            Problem(403, "The form has expired. Go back, load the page again and send it once more.")
        )


async def chosen_file(form: FormData) -> tuple[bytes, str]:
    """Content and name of the file of a form; a name is cut at what is kept of it.

    Raises:
        InputError: None was chosen.
    """
    file = form.get("file")
    if not isinstance(file, UploadFile) or not file.filename:
        raise InputError("No file was chosen.", allowed="a CSV or XLSX file", pointer="/file")
    return await file.read(), file.filename[:MOST_OF_NAME]
