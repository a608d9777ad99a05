"""Health and alerts over HTTP: parses, calls one use case, answers."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query
from starlette.responses import Response

from data.errors import InputError
from serving.health import schemas
from serving.health.digest import STYLE, digest_csv, digest_html
from serving.health.http_events import mount_events
from serving.health.opening import HealthCases
from serving.health.queue import Wanted
from serving.moments import naive_utc
from serving.overrides import Override
from serving.web import READ, SCORE, Answer, Caller, no_query, only

Cases = Callable[[], HealthCases]
ALERT = {200: {"model": schemas.AlertShape}, **only(*SCORE)}
_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
PAGE = {"content-security-policy": f"default-src 'none'; style-src 'sha256-{_HASH}'; frame-ancestors 'none'"}


def mount(app: FastAPI, cases: Cases) -> None:
    """Add the routes of health and alerts.

    Args:
        app: The application.
        cases: Gives the use cases, once the service is up.
    """
    _health(app, cases)
    _queue(app, cases)
    _steps(app, cases)
    mount_events(app, cases)


def _health(app: FastAPI, cases: Cases) -> None:
    @app.get(
        "/v1/partners/{partner_id}/health",
        summary="Health of one partner, with its history",
        dependencies=[Depends(no_query)],
        responses={200: {"model": schemas.HealthShape}, **only(*READ)},
    )
    def partner_health(partner_id: str, identity: Caller) -> Response:
        return Answer(cases().reader.of_partner(partner_id, identity=identity))

    @app.post(
        "/v1/partners/{partner_id}/override",
        summary="Declare a partner to be at risk, or not to be",
        dependencies=[Depends(no_query)],
        responses={200: {"model": schemas.OverrideShape}, **only(*SCORE)},
    )
    def override(partner_id: str, body: schemas.OverrideRequest, identity: Caller) -> Response:
        made = cases().queue.override(
            partner_id, state=body.state, reason=body.reason,
            expires_at=moment(body.expires_at, pointer="/expires_at"), identity=identity,
        )  # fmt: skip
        return Answer(shown_override(made))

    @app.post(
        "/v1/partners/{partner_id}/override/withdraw",
        summary="Take an override back",
        dependencies=[Depends(no_query)],
        responses={200: {"model": schemas.OverrideShape}, **only(*SCORE)},
    )
    def withdraw(partner_id: str, body: schemas.Nothing, identity: Caller) -> Response:
        del body
        return Answer(shown_override(cases().queue.withdraw(partner_id, identity=identity)))


def _queue(app: FastAPI, cases: Cases) -> None:
    @app.get(
        "/v1/alerts",
        summary="The alert queue, greatest expected loss first",
        responses={200: {"model": schemas.AlertsAnswer}, **only(*READ)},
    )
    def alerts(query: Annotated[schemas.AlertsQuery, Query()], identity: Caller) -> Response:
        wanted = Wanted(
            query.state, query.mine, query.manager, query.region, query.partner_id, query.limit, query.cursor
        )
        return Answer(cases().queue.page(wanted, identity=identity))

    @app.get(
        "/v1/alerts/as-of",
        summary="The queue exactly as it was",
        responses={200: {"model": schemas.AsOfAnswer}, **only(*READ)},
    )
    def as_of(query: Annotated[schemas.AsOfQuery, Query()], identity: Caller) -> Response:
        wanted = Wanted(query.state, query.mine, query.manager)
        return Answer(cases().queue.as_of(end_of(query.date), wanted, identity=identity))

    @app.get(
        "/v1/alerts/digest",
        summary="The open alerts as a page or a table, to be sent by mail",
        response_class=Response,
        responses={200: {"content": {"text/html": {}, "text/csv": {}}}, **only(*READ)},
    )
    def digest(query: Annotated[schemas.DigestQuery, Query()], identity: Caller) -> Response:
        page = cases().queue.page(Wanted(manager_id=query.manager, limit=500), identity=identity)
        if query.format == "csv":
            headers = {"content-disposition": 'attachment; filename="alerts.csv"'}
            return Response(digest_csv(page["alerts"]), media_type="text/csv; charset=utf-8", headers=headers)
        text = digest_html(page["alerts"], title="Partners at risk", refreshed_at=page["refreshed_at"])
        return Response(text, media_type="text/html; charset=utf-8", headers=PAGE)

    @app.get(
        "/v1/alerts/{alert_id}",
        summary="One alert, with everything that happened to it",
        dependencies=[Depends(no_query)],
        responses={200: {"model": schemas.AlertShape}, **only(*READ)},
    )
    def alert(alert_id: str, identity: Caller) -> Response:
        return Answer(cases().queue.one(alert_id, identity=identity))


def _steps(app: FastAPI, cases: Cases) -> None:
    given: dict[str, Any] = {"dependencies": [Depends(no_query)], "responses": ALERT}

    @app.post("/v1/alerts/{alert_id}/acknowledge", summary="Take note of an alert", **given)
    def acknowledge(alert_id: str, body: schemas.Nothing, identity: Caller) -> Response:
        del body
        return Answer(cases().queue.acknowledge(alert_id, identity=identity))

    @app.post("/v1/alerts/{alert_id}/assign", summary="Give an alert to somebody", **given)
    def assign(alert_id: str, body: schemas.AssignRequest, identity: Caller) -> Response:
        return Answer(cases().queue.assign(alert_id, assignee=body.assignee, identity=identity))

    @app.post("/v1/alerts/{alert_id}/snooze", summary="Put an alert off", **given)
    def snooze(alert_id: str, body: schemas.SnoozeRequest, identity: Caller) -> Response:
        until = day(body.until, pointer="/until")
        return Answer(cases().queue.snooze(alert_id, until=until, reason=body.reason, identity=identity))

    @app.post("/v1/alerts/{alert_id}/close", summary="Close an alert with what it came to", **given)
    def close(alert_id: str, body: schemas.CloseRequest, identity: Caller) -> Response:
        return Answer(cases().queue.close(alert_id, outcome=body.outcome, note=body.note, identity=identity))


def shown_override(made: Override) -> dict[str, Any]:
    """An override as the contract shapes it."""
    names = ("override_id", "value", "model_value", "author", "reason", "created_at", "expires_at")
    plain = {name: getattr(made, name) for name in names}
    return {**plain, "partner_id": made.entity_id, "withdrawn_at": made.withdrawn_at}


def day(text: str, *, pointer: str) -> date:
    """A date as YYYY-MM-DD.

    Raises:
        InputError: It is none.
    """
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()
    except ValueError:
        raise InputError("That is no date.", allowed="YYYY-MM-DD", pointer=pointer) from None


def moment(text: str, *, pointer: str) -> datetime:
    """A time in RFC 3339 as naive UTC.

    Raises:
        InputError: It is none, or has no zone.
    """
    try:
        return naive_utc(text)
    except ValueError:
        allowed = "RFC 3339 with a zone, such as 2026-12-01T00:00:00Z"
        raise InputError("That is no time.", allowed=allowed, pointer=pointer) from None


def end_of(text: str) -> datetime:
    """The moment meant: the end of a day, or a time."""
    if len(text) > len("2026-12-24"):
        return moment(text, pointer="/date")
    return datetime.combine(day(text, pointer="/date"), time()) + timedelta(days=1, microseconds=-1)
