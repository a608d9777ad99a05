"""A recruiter's lists: drop a file, confirm what its columns mean, watch it being ranked, use the ranks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, time, timedelta
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from data.errors import InputError
from serving.auth import Identity
from serving.console.days import read_day
from serving.console.forms import CSRF, Form, check_same_site, check_token, chosen_file, read_form
from serving.console.grid import read_grid
from serving.console.pages import console_of, identity_of
from serving.console.render import page
from serving.console.rooms import Cases
from serving.fit.intake import FIELDS
from serving.fit.lists import MOST_ROWS
from serving.fit.store import STATUSES, Query
from serving.fit.using import OVERRIDES
from serving.multipart import open_form

BASE = "/console/lists"
SORTS: Mapping[str, bool] = {
    "rank": False, "company": False, "country": False, "probability": True, "fit_score": True, "line": False,
}  # fmt: skip
FILTERS = ("q", "status", "evidence", "verdict", "country")
STATUS_WORDS: Mapping[str, str] = {
    "ranked": "Ranked", "existing_partner": "Partner already", "duplicate": "Duplicate", "fault": "Faulty",
}  # fmt: skip
VERDICTS: Mapping[str, str] = {"accept": "Accept", "review": "Review", "decline": "Decline"}
TYPES: Mapping[str, str] = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
DONE: Mapping[str, str] = {
    "override": "Kept beside the model's rank, until the day you named.",
    "withdraw": "Taken back.",
    "outcome": "Kept. It counts in the report of the list.",
}


def mount(router: APIRouter, use_cases: Callable[[], Cases]) -> None:
    """Add the pages."""
    _birth(router, use_cases)
    _list(router, use_cases)
    _export(router, use_cases)
    _prospect(router, use_cases)


def _birth(router: APIRouter, use_cases: Callable[[], Cases]) -> None:
    @router.get(BASE)
    def listing(request: Request) -> Response:
        console = console_of(use_cases)
        lists = use_cases().fit.lists.lists(identity=identity_of(request), limit=200)
        return page(
            request,
            "lists.html",
            lists=lists,
            now=console.clock(),
            model=console.view().models.get("fit"),
            largest=console.settings.max_upload_bytes,
            most_rows=MOST_ROWS,
        )

    @router.post(BASE)
    async def upload(request: Request) -> Response:
        check_same_site(request)
        async with open_form(request, fields=5, part_bytes=4096) as form:
            check_token(request, str(form.get(CSRF, "")))
            content, name = await chosen_file(form)
            motion = str(form.get("motion", "")).strip() or None
        lists, identity = use_cases().fit.lists, identity_of(request)
        found = await run_in_threadpool(lambda: lists.upload(content, name, identity=identity, motion=motion))
        return RedirectResponse(path_of(found["list_id"]), status_code=303)

    @router.get(f"{BASE}/template")
    def template() -> Response:
        headers = {"content-disposition": 'attachment; filename="prospects.csv"'}
        return Response(",".join(FIELDS) + "\r\n", media_type=TYPES["csv"], headers=headers)


def _list(router: APIRouter, use_cases: Callable[[], Cases]) -> None:
    @router.get(BASE + "/{list_id}")
    def one(request: Request, list_id: str) -> Response:
        fit, identity = use_cases().fit, identity_of(request)
        found = fit.lists.read(list_id, identity=identity)
        if found["state"] == "draft":
            return _draft(request, fit.lists.draft(list_id, identity=identity), use_cases())
        if found["job"]:
            job = fit.jobs.read(found["job"], identity=identity)
            return page(request, "list_scoring.html", list=found, job=job)
        return _ranked(request, list_id, use_cases(), identity)

    @router.post(BASE + "/{list_id}/check")
    async def check(request: Request, list_id: str) -> Response:
        form, identity, lists = await read_form(request), identity_of(request), use_cases().fit.lists

        def work() -> Response:
            try:
                lists.dry_run(list_id, identity=identity, mapping=mapping_of(choices_of(form)))
            except InputError as error:
                return _mended(request, list_id, use_cases(), choices_of(form), error)
            return RedirectResponse(path_of(list_id), status_code=303)

        return await run_in_threadpool(work)

    @router.post(BASE + "/{list_id}/confirm")
    async def confirm(request: Request, list_id: str) -> Response:
        form, identity, lists = await read_form(request), identity_of(request), use_cases().fit.lists
        motion = form.text("motion") or None

        def work() -> Response:
            try:
                mapping = mapping_of(choices_of(form))
                lists.confirm(list_id, identity=identity, mapping=mapping, motion=motion)
            except InputError as error:
                return _mended(request, list_id, use_cases(), choices_of(form), error)
            return RedirectResponse(path_of(list_id), status_code=303)

        return await run_in_threadpool(work)


def choices_of(form: Form) -> dict[str, str]:
    """Column → field, as chosen: every column has a box that names its field."""
    return {n.removeprefix("column-"): v[-1] for n, v in form.values.items() if n.startswith("column-")}


def mapping_of(choices: Mapping[str, str]) -> dict[str, str]:
    """Field → column.

    Raises:
        InputError: Two columns are said to be the same.
    """
    chosen: dict[str, str] = {}
    for column, field in choices.items():
        if field and field in chosen:
            raise InputError(
                f"Two columns, {chosen[field]!r} and {column!r}, are both said to be {field}.",
                allowed="one column a field",
                pointer=f"/mapping/{field}",
            )
        if field:
            chosen[field] = column
    return chosen


def _mended(
    request: Request, list_id: str, cases: Cases, choices: Mapping[str, str], error: InputError
) -> Response:
    """The page of columns again, as it was filled in, with what is wrong with it."""
    if not (error.pointer or "").startswith("/mapping"):
        raise error
    found = cases.fit.lists.draft(list_id, identity=identity_of(request))
    return _draft(request, found, cases, choices=choices, fault=error.message, status=422)


def _draft(
    request: Request,
    found: Mapping[str, Any],
    cases: Cases,
    *,
    choices: Mapping[str, str] | None = None,
    fault: str = "",
    status: int = 200,
) -> Response:
    fields = {column: field for field, column in found["mapping"].items()} if choices is None else choices
    proposals = {p["column"]: p for p in found["dry_run"]["proposal"]}
    columns = [{**proposals[c], "name": c, "field": fields.get(c, "")} for c in found["columns"]]
    motions = (
        [m.partition(".")[2] for m in cases.console.view().models if m.startswith("fit.")]
        if cases.console
        else []
    )
    return page(
        request,
        "list_draft.html",
        status=status,
        list=found,
        dry=found["dry_run"],
        columns=columns,
        fields=FIELDS,
        motions=sorted(motions),
        counts=found["counts"],
        fault=fault,
    )


def _ranked(request: Request, list_id: str, cases: Cases, identity: Identity) -> Response:
    grid = read_grid(request.query_params, base=path_of(list_id), filters=FILTERS, sorts=SORTS)
    wanted = {k: v for k, v in grid.filters.items() if v and k != "q"}
    status = wanted.get("status", "ranked")
    wanted["status"] = status if status in STATUSES else "ranked"
    sort = ("-" if grid.descending else "") + grid.sort

    def asked(offset: int) -> Query:
        return Query(sort, grid.filters["q"], wanted, offset, grid.size)

    found = cases.fit.scored.page(list_id, asked(grid.offset), identity=identity)
    counted = grid.counted(found["total"])
    if counted.page != grid.page:
        found = cases.fit.scored.page(list_id, asked(counted.offset), identity=identity)
    return page(
        request,
        "list.html",
        list=found["list"],
        rows=found["rows"],
        grid=counted,
        part=wanted["status"],
        statuses=STATUS_WORDS,
        verdicts=VERDICTS,
        note=DONE.get(request.query_params.get("done", ""), ""),
    )


def _export(router: APIRouter, use_cases: Callable[[], Cases]) -> None:
    @router.get(BASE + "/{list_id}/export")
    def export(request: Request, list_id: str) -> Response:
        fmt: Any = request.query_params.get("format", "csv")
        if fmt not in TYPES:
            raise InputError("There is no such format.", allowed=", ".join(TYPES), pointer="/format")
        parts = use_cases().fit.scored.export(list_id, fmt, identity=identity_of(request))
        headers = {"content-disposition": f'attachment; filename="{list_id}.{fmt}"'}
        return StreamingResponse(parts, media_type=TYPES[fmt], headers=headers)


def _prospect(router: APIRouter, use_cases: Callable[[], Cases]) -> None:
    place = BASE + "/{list_id}/prospects/{prospect_id}"

    @router.get(place)
    def prospect(request: Request, list_id: str, prospect_id: str) -> Response:
        console, identity, scored = console_of(use_cases), identity_of(request), use_cases().fit.scored
        found = scored.prospect(list_id, prospect_id, identity=identity)
        reach = request.query_params.get("reach", "")
        lift, fault = None, ""
        if reach.isascii() and reach.isdigit() and 0 < int(reach) < 10**7:
            if int(reach) >= found["rank"]:
                fault = f"It stands at rank {found['rank']} already."
            try:
                lift = (
                    None
                    if fault
                    else scored.lift_to(list_id, prospect_id, rank_wanted=int(reach), identity=identity)
                )
            except InputError as error:
                fault = error.message
        return page(
            request,
            "prospect.html",
            list_id=list_id,
            row=found,
            answer=found["answer"],
            lift=lift,
            fault=fault,
            reach=reach,
            overrides=OVERRIDES,
            verdicts=VERDICTS,
            tomorrow=(console.clock() + timedelta(days=1)).date(),
            in_half_a_year=(console.clock() + timedelta(days=182)).date(),
            outcome=scored.outcome(list_id, prospect_id, identity=identity),
            note=DONE.get(request.query_params.get("done", ""), ""),
        )

    @router.post(place + "/override")
    async def override(request: Request, list_id: str, prospect_id: str) -> Response:
        form, identity, scored = await read_form(request), identity_of(request), use_cases().fit.scored
        until = datetime.combine(read_day(form.text("expires_on"), "/expires_on"), time())
        await run_in_threadpool(
            lambda: scored.override(
                list_id, prospect_id, value=form.text("value"), reason=form.text("reason", most=2000),
                expires_at=until, identity=identity,
            )
        )  # fmt: skip
        return RedirectResponse(f"{path_of(list_id, prospect_id)}?done=override", status_code=303)

    @router.post(place + "/withdraw")
    async def withdraw(request: Request, list_id: str, prospect_id: str) -> Response:
        form, identity, scored = await read_form(request), identity_of(request), use_cases().fit.scored
        override_id = form.text("override_id", most=64)
        await run_in_threadpool(lambda: scored.withdraw(list_id, override_id, identity=identity))
        return RedirectResponse(f"{path_of(list_id, prospect_id)}?done=withdraw", status_code=303)


def path_of(list_id: str, prospect_id: str = "") -> str:
    """Address of a list, or of a prospect in it."""
    found = f"{BASE}/{quote(list_id, safe='')}"
    return f"{found}/prospects/{quote(prospect_id, safe='')}" if prospect_id else found
