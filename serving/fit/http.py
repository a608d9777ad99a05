"""Fit over HTTP: parses, calls one use case, answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query
from starlette.responses import Response, StreamingResponse

from data.errors import InputError
from serving.auth import Identity
from serving.fit import schemas
from serving.fit.capability import Fit
from serving.fit.store import STATUSES
from serving.fit.store import Query as RowQuery
from serving.fit.uploads import SCHEMA, Upload, read_upload
from serving.moments import naive_utc
from serving.web import READ, SCORE, Answer, Caller, no_query, only

TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "parquet": "application/vnd.apache.parquet",
}
PLAIN = [Depends(no_query)]


def mount(app: FastAPI, fit: Callable[[], Fit]) -> None:
    """Add the routes of fit.

    Args:
        app: The application.
        fit: Gives the capability, once the service is up.
    """

    @app.post(
        "/v1/fit/score",
        summary="Fit of prospects",
        dependencies=PLAIN,
        responses={200: {"model": schemas.FitScoreAnswer}, **only(*SCORE)},
    )
    def score_fit(body: schemas.FitScoreRequest, identity: Caller) -> Response:
        return Answer(score(fit(), body, identity=identity))

    _births(app, fit)
    _uses(app, fit)
    _afterwards(app, fit)


def score(fit: Fit, body: schemas.FitScoreRequest, *, identity: Identity) -> object:
    """The use case a request asks for; shared with the native verb."""
    return fit.scoring.score(
        body.prospects, identity=identity, motion=body.motion, max_reasons=body.max_reasons
    )


def _births(app: FastAPI, fit: Callable[[], Fit]) -> None:
    @app.post(
        "/v1/fit/lists",
        summary="Upload a list of prospects; with confirm=true it is scored at once",
        dependencies=PLAIN,
        status_code=201,
        openapi_extra={"requestBody": SCHEMA},
        responses={201: {"model": schemas.DraftShape}, 202: {"model": schemas.DraftShape}, **only(*SCORE)},
    )
    def upload(form: Annotated[Upload, Depends(read_upload)], identity: Caller) -> Response:
        lists = fit().lists
        found = lists.upload(
            form.content, form.filename, identity=identity, check=not form.confirm, **form.options
        )
        if form.confirm and not found["needs_mapping"]:
            scored = lists.confirm(found["list_id"], identity=identity)
            found = {**scored, "dry_run": found["dry_run"]}
        return Answer(found, status_code=202 if found["job"] else 201)

    @app.post(
        "/v1/fit/lists/{list_id}/dry-run",
        summary="What would become of every row under a mapping",
        dependencies=PLAIN,
        responses={200: {"model": schemas.DraftShape}, 202: {"model": schemas.DraftShape}, **only(*SCORE)},
    )
    def dry_run(list_id: str, body: schemas.DryRunRequest, identity: Caller) -> Response:
        found = fit().lists.dry_run(list_id, identity=identity, mapping=body.mapping)
        return Answer(found, status_code=202 if found["job"] else 200)

    @app.post(
        "/v1/fit/lists/{list_id}/confirm",
        summary="Score a list: at once when short, else as a job",
        dependencies=PLAIN,
        responses={200: {"model": schemas.ListShape}, 202: {"model": schemas.ListShape}, **only(*SCORE)},
    )
    def confirm(list_id: str, body: schemas.ConfirmRequest, identity: Caller) -> Response:
        found = fit().lists.confirm(list_id, identity=identity, mapping=body.mapping, motion=body.motion)
        return Answer(found, status_code=202 if found["job"] else 200)

    @app.get(
        "/v1/jobs/{job_id}",
        summary="How far long work is",
        dependencies=PLAIN,
        responses={200: {"model": schemas.JobShape}, **only(*READ)},
    )
    def job(job_id: str, identity: Caller) -> Response:
        found = fit().jobs.read(job_id, identity=identity)
        return Answer({k: v for k, v in found.__dict__.items() if k != "owner"})


def _uses(app: FastAPI, fit: Callable[[], Fit]) -> None:
    @app.get(
        "/v1/fit/lists",
        summary="Lists, newest first",
        responses={200: {"model": schemas.ListsAnswer}, **only(*READ)},
    )
    def lists(query: Annotated[schemas.ListsQuery, Query()], identity: Caller) -> Response:
        offset = _offset(query.cursor)
        found = fit().lists.lists(identity=identity, offset=offset, limit=query.limit + 1)
        more = len(found) > query.limit
        cursor = str(offset + query.limit) if more else None
        return Answer({"lists": found[: query.limit], "next_cursor": cursor})

    @app.get(
        "/v1/fit/lists/{list_id}",
        summary="A page of a list",
        responses={200: {"model": schemas.ListPageAnswer}, **only(*READ)},
    )
    def page(list_id: str, query: Annotated[schemas.PageQuery, Query()], identity: Caller) -> Response:
        offset = _offset(query.cursor)
        names = ("status", "evidence", "verdict", "country", "partner_type", "motion")
        filters = {n: v for n in names if (v := getattr(query, n)) is not None}
        asked = RowQuery(query.sort, query.search, filters, offset, query.limit)
        found = fit().scored.page(list_id, asked, identity=identity)
        end = offset + len(found["rows"])
        return Answer({**found, "next_cursor": str(end) if end < found["total"] else None})

    @app.get(
        "/v1/fit/lists/{list_id}/prospects/{prospect_id}",
        summary="Everything about one ranked prospect",
        dependencies=PLAIN,
        responses={200: {"model": schemas.ListProspectAnswer}, **only(*READ)},
    )
    def prospect(list_id: str, prospect_id: str, identity: Caller) -> Response:
        return Answer(fit().scored.prospect(list_id, prospect_id, identity=identity))

    @app.get(
        "/v1/fit/lists/{list_id}/prospects/{prospect_id}/lift",
        summary="What would take a prospect to a rank",
        responses={200: {"model": schemas.LiftAnswer}, **only(*READ)},
    )
    def lift(
        list_id: str, prospect_id: str, query: Annotated[schemas.LiftQuery, Query()], identity: Caller
    ) -> Response:
        found = fit().scored.lift_to(list_id, prospect_id, rank_wanted=query.rank, identity=identity)
        return Answer(found)

    @app.get(
        "/v1/fit/lists/{list_id}/export",
        summary="A list as a file: original columns intact, nothing in it runs",
        response_class=Response,
        responses={200: {"content": {kind: {} for kind in TYPES.values()}}, **only(*READ)},
    )
    def export(list_id: str, query: Annotated[schemas.ExportQuery, Query()], identity: Caller) -> Response:
        statuses = STATUSES if query.rows == "all" else (query.rows,)
        parts = fit().scored.export(list_id, query.format, identity=identity, statuses=statuses)
        name = f"{list_id}.{query.format}"
        headers = {
            "Content-Disposition": f'attachment; filename="{name}"',
            "X-Content-Type-Options": "nosniff",
        }
        return StreamingResponse(parts, media_type=TYPES[query.format], headers=headers)


def _afterwards(app: FastAPI, fit: Callable[[], Fit]) -> None:
    @app.post(
        "/v1/fit/lists/{list_id}/outcomes",
        summary="What came of prospects",
        dependencies=PLAIN,
        responses={200: {"model": schemas.OutcomesAnswer}, **only(*SCORE)},
    )
    def outcomes(list_id: str, body: schemas.OutcomesRequest, identity: Caller) -> Response:
        rows = [o.model_dump() for o in body.outcomes]
        return Answer(fit().scored.post_outcomes(list_id, rows, identity=identity))

    @app.get(
        "/v1/fit/lists/{list_id}/report",
        summary="Lift and calibration of a list as scored then, beside chance and scorecard",
        dependencies=PLAIN,
        responses={200: {"model": schemas.ListReportAnswer}, **only(*READ)},
    )
    def report(list_id: str, identity: Caller) -> Response:
        return Answer(fit().scored.report(list_id, identity=identity))

    @app.post(
        "/v1/fit/lists/{list_id}/overrides",
        summary="A person's word beside the model's rank",
        dependencies=PLAIN,
        status_code=201,
        responses={201: {"model": schemas.OverrideShape}, **only(*SCORE)},
    )
    def override(list_id: str, body: schemas.OverrideRequest, identity: Caller) -> Response:
        made = fit().scored.override(
            list_id,
            body.prospect_id,
            value=body.value,
            reason=body.reason,
            expires_at=_moment(body.expires_at),
            identity=identity,
        )
        return Answer(made, status_code=201)

    @app.post(
        "/v1/fit/lists/{list_id}/overrides/{override_id}/withdraw",
        summary="Take an override back",
        dependencies=PLAIN,
        responses={200: {"model": schemas.OverrideShape}, **only(*READ)},
    )
    def withdraw(list_id: str, override_id: str, identity: Caller) -> Response:
        return Answer(fit().scored.withdraw(list_id, override_id, identity=identity))


def _offset(cursor: str | None) -> int:
    """Where a page begins; the cursor is opaque to callers."""
    if cursor is None:
        return 0
    if not cursor.isascii() or not cursor.isdigit() or len(cursor) > 9:
        raise InputError("The cursor is not one of ours.", pointer="/cursor")
    return int(cursor)


def _moment(text: str) -> Any:
    """Naive UTC of an RFC 3339 time or a date."""
    try:
        return naive_utc(text, zoned=False)
    except ValueError:
        raise InputError("That is not a time.", allowed="RFC 3339", pointer="/expires_at") from None
