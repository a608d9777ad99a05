"""Data checks: what the newest ingest found, and the rows it kept apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from data.checks import CHECKS
from serving.console.pages import console_of
from serving.console.render import page

if TYPE_CHECKING:
    from serving.console.rooms import Cases


def mount(router: APIRouter, use_cases: Callable[[], Cases]) -> None:
    """Add the page."""

    @router.get("/console/checks")
    def listing(request: Request) -> Response:
        console = console_of(use_cases)
        name = request.query_params.get("file", "")
        opened, bad_rows = console.records.bad_rows(name) if name else (None, [])
        return page(
            request,
            "checks.html",
            ingest=console.records.ingest(),
            quarantines=console.records.quarantines(),
            opened=opened,
            bad_rows=bad_rows,
            checks=CHECKS,
            now=console.clock(),
        )
