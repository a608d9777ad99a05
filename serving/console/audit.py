"""The audit log: who did what when, newest first, as the hash chain holds it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from serving.console.grid import read_grid
from serving.console.pages import console_of
from serving.console.render import page

if TYPE_CHECKING:
    from serving.console.rooms import Cases


def mount(router: APIRouter, use_cases: Callable[[], Cases]) -> None:
    """Add the page."""

    @router.get("/console/audit")
    def listing(request: Request) -> Response:
        records = console_of(use_cases).records
        grid = read_grid(request.query_params, base="/console/audit", filters=("action",), sorts={"at": True})
        action = grid.filters["action"]
        grid = grid.counted(records.audit_count(action))
        rows = records.audit(offset=grid.offset, limit=grid.size, action=action)
        return page(request, "audit.html", grid=grid, rows=rows, actions=records.audit_actions())
