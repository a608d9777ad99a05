"""What came of a list: outcomes sent back, one by one or as a file, and how good the ranking was by them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import sqrt
from typing import Any

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from data.errors import InputError
from serving.console import charts
from serving.console.forms import CSRF, check_same_site, check_token, chosen_file, read_form
from serving.console.lists import BASE, path_of
from serving.console.pages import identity_of
from serving.console.render import page
from serving.console.rooms import Cases
from serving.fit.outcome_file import OUTCOME
from serving.multipart import open_form

Z80 = 1.2816
WORDS: Mapping[str, bool] = {"succeeded": True, "failed": False}


def mount(router: APIRouter, use_cases: Callable[[], Cases]) -> None:
    """Add the pages."""

    @router.get(BASE + "/{list_id}/report")
    def report(request: Request, list_id: str) -> Response:
        return _report(request, list_id, use_cases())

    @router.post(BASE + "/{list_id}/outcomes")
    async def upload(request: Request, list_id: str) -> Response:
        check_same_site(request)
        async with open_form(request, fields=3, part_bytes=4096) as form:
            check_token(request, str(form.get(CSRF, "")))
            content, name = await chosen_file(form)

        def work() -> Response:
            identity = identity_of(request)
            posted = use_cases().fit.scored.post_outcome_file(list_id, content, name, identity=identity)
            return _report(request, list_id, use_cases(), posted=posted)

        return await run_in_threadpool(work)

    @router.post(BASE + "/{list_id}/prospects/{prospect_id}/outcome")
    async def mark(request: Request, list_id: str, prospect_id: str) -> Response:
        form, identity, scored = await read_form(request), identity_of(request), use_cases().fit.scored
        word = form.text("outcome")
        if word not in WORDS:
            raise InputError(f"There is no outcome {word!r}.", allowed=", ".join(WORDS), pointer="/outcome")
        one = [{"prospect_id": prospect_id, "succeeded": WORDS[word]}]
        found = await run_in_threadpool(lambda: scored.post_outcomes(list_id, one, identity=identity))
        if found["unknown"]:
            raise InputError("The list ranks no such prospect.", pointer="/prospect_id")
        return RedirectResponse(f"{path_of(list_id, prospect_id)}?done=outcome", status_code=303)


def _report(
    request: Request, list_id: str, cases: Cases, *, posted: Mapping[str, Any] | None = None
) -> Response:
    identity = identity_of(request)
    found = cases.fit.scored.report(list_id, identity=identity)
    calibration = found["outcomes"].get("calibration")
    return page(
        request,
        "list_report.html",
        list=cases.fit.lists.read(list_id, identity=identity),
        report=found,
        plot=charts.reliability(_bins(calibration["bins"])) if calibration else None,
        posted=posted,
        outcome_column=OUTCOME,
    )


def _bins(bins: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Groups of prospects with an 80 % interval of what was observed (Wilson)."""
    found = []
    for b in bins:
        n, p = b["count"], b["observed"]
        middle, half = p + Z80**2 / (2 * n), Z80 * sqrt(p * (1 - p) / n + Z80**2 / (4 * n * n))
        low, high = ((middle + s * half) / (1 + Z80**2 / n) for s in (-1, 1))
        found.append({"predicted": b["predicted"], "observed": p, "n": n, "low": low, "high": high})
    return found
