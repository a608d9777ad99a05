"""Decisions: the caller's newest ones, and one made again from its record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from serving.console.pages import console_of, identity_of
from serving.console.render import page

if TYPE_CHECKING:
    from serving.console.rooms import Cases


def mount(router: APIRouter, use_cases: Callable[[], Cases]) -> None:
    """Add the pages."""

    @router.get("/console/decisions")
    def listing(request: Request) -> Response:
        asked = request.query_params.get("id", "").strip()[:64]
        if asked:
            return RedirectResponse(f"/console/decisions/{quote(asked, safe='')}", status_code=303)
        rows = console_of(use_cases).records.decisions(identity_of(request))
        return page(request, "decisions.html", rows=rows, now=console_of(use_cases).clock())

    @router.get("/console/decisions/{decision_id}")
    def one(request: Request, decision_id: str) -> Response:
        found = use_cases().replay.show(decision_id, identity=identity_of(request))
        return page(
            request,
            "decision.html",
            decision=found,
            scores=scores_in(found["response"]),
            company=console_of(use_cases).directory.company,
        )


def scores_in(response: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """The scores of a stored answer with their horizons, shortest first."""
    found = response.get("scores")
    if not isinstance(found, Mapping):
        return []
    return [(days, found[days]) for days in sorted(found, key=lambda d: (len(d), d))]
