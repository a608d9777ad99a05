"""The routes of routing: parse, call one use case, answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, FastAPI, Header, Query
from starlette.responses import Response

from serving.auth import Identity
from serving.problems import FieldError, Problem, ProblemError
from serving.routing import schemas
from serving.routing.lead import cents_of
from serving.routing.opening import Capability
from serving.routing.parsing import day_of, moment_of, personal_of, rows_of, told_apart, wanted_of
from serving.routing.registrations import Account
from serving.web import READ, SCORE, Answer, Caller, no_query, only

WRITE = (*SCORE, 409)
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="Needed. The same key gives the same answer again.",
        max_length=200,
    ),
]
NO_QUERY = [Depends(no_query)]


def mount(app: FastAPI, use_case: Callable[[], Capability]) -> None:
    """Add the routes of routing."""
    _routes(app, use_case)
    _life(app, use_case)
    _people(app, use_case)
    _report(app, use_case)


def _routes(app: FastAPI, use_case: Callable[[], Capability]) -> None:
    @app.post(
        "/v1/leads/route", summary="Offer a lead to the right partner", dependencies=NO_QUERY,
        responses={200: {"model": schemas.RouteAnswer}, **only(*WRITE)},
    )  # fmt: skip
    def route(body: schemas.LeadRequest, identity: Caller, key: Key = None) -> Response:
        return text(route_lead(use_case(), body, key=key, identity=identity))

    @app.post(
        "/v1/leads/assign", summary="Assign many leads at once, for the most wins in all",
        dependencies=NO_QUERY, responses={200: {"model": schemas.AssignAnswer}, **only(*WRITE)},
    )  # fmt: skip
    def assign(body: schemas.AssignRequest, identity: Caller, key: Key = None) -> Response:
        found = use_case()
        good, faults = rows_of(body.leads, found.settings)
        request = body.model_dump(mode="json")
        answer = found.batch.assign(good, key=needed(key), request=request, errors=faults, identity=identity)
        return text(answer)

    @app.post(
        "/v1/registrations/check", summary="Whether an account is claimed already", dependencies=NO_QUERY,
        responses={200: {"model": schemas.RegistrationAnswer}, **only(*SCORE)},
    )  # fmt: skip
    def check(body: schemas.RegistrationRequest) -> Response:
        account = Account(body.company, body.domain, body.country, body.city)
        return Answer(use_case().routing.check_registration(account, partner_id=body.partner_id))


def _life(app: FastAPI, use_case: Callable[[], Capability]) -> None:
    @app.post(
        "/v1/leads/{lead_id}/response", summary="What a partner says to an offer", dependencies=NO_QUERY,
        responses={200: {"model": schemas.ResponseAnswer}, **only(*WRITE)},
    )  # fmt: skip
    def respond(lead_id: str, body: schemas.ResponseRequest, identity: Caller) -> Response:
        found = use_case().routing.respond(
            lead_id, body.partner_id, body.response, reason=body.reason, identity=identity
        )
        return Answer(found)

    @app.post(
        "/v1/leads/{lead_id}/outcome", summary="What became of an accepted lead", dependencies=NO_QUERY,
        responses={200: {"model": schemas.LeadAnswer}, **only(*WRITE)},
    )  # fmt: skip
    def outcome(lead_id: str, body: schemas.OutcomeRequest, identity: Caller) -> Response:
        value = None if body.value is None else cents_of(body.value.amount, pointer="/value/amount")
        found = use_case().routing.outcome(
            lead_id,
            body.outcome,
            value_cents=value,
            currency=body.value.currency if body.value else None,
            occurred_at=moment_of(body.occurred_at, pointer="/occurred_at"),
            reason=body.reason,
            identity=identity,
        )
        return Answer(found)

    @app.get(
        "/v1/leads/{lead_id}", summary="Where a lead is, and its history", dependencies=NO_QUERY,
        responses={200: {"model": schemas.LeadAnswer}, **only(*READ)},
    )  # fmt: skip
    def lead(lead_id: str, identity: Caller) -> Response:
        return Answer(use_case().routing.lead(lead_id, identity=identity))


def _report(app: FastAPI, use_case: Callable[[], Capability]) -> None:
    @app.get(
        "/v1/routing/report", summary="How offers were spread, answered and kept in time",
        responses={200: {"model": schemas.ReportAnswer}, **only(*READ)},
    )  # fmt: skip
    def report(query: Annotated[schemas.ReportQuery, Query()]) -> Response:
        return Answer(use_case().report.make(day_of(query.since, pointer="/since")))


def _people(app: FastAPI, use_case: Callable[[], Capability]) -> None:
    @app.post(
        "/v1/leads/{lead_id}/erase", summary="Erase what names a person in a lead", dependencies=NO_QUERY,
        responses={200: {"model": schemas.ErasedAnswer}, **only(*WRITE)},
    )  # fmt: skip
    def erase(lead_id: str, body: schemas.EraseRequest, identity: Caller) -> Response:
        del body
        return Answer(use_case().wishes.erase(lead_id, identity=identity))

    @app.post(
        "/v1/partners/{partner_id}/routing", summary="Pause a partner, or set its capacity",
        dependencies=NO_QUERY, responses={200: {"model": schemas.PartnerAnswer}, **only(*WRITE)},
    )  # fmt: skip
    def wishes(partner_id: str, body: schemas.PartnerRequest, identity: Caller) -> Response:
        until = moment_of(body.paused_until, pointer="/paused_until")
        found = use_case().wishes.set_partner(
            partner_id,
            capacity=body.capacity,
            paused_until=until,
            opted_out=body.opted_out,
            identity=identity,
        )
        return Answer(found)


def route_lead(found: Capability, body: schemas.LeadRequest, *, key: str | None, identity: Identity) -> str:
    """The use case a lead asks for; shared with the native verb."""
    return found.routing.route(
        wanted_of(body, found.settings),
        key=needed(key),
        request=told_apart(body),
        personal=personal_of(body),
        identity=identity,
    )


def needed(key: str | None) -> str:
    """The idempotency key, without which nothing is written."""
    if not key:
        where = (FieldError("/Idempotency-Key", "missing"),)
        raise ProblemError(Problem(400, "Send an Idempotency-Key: a retry must not route twice.", where))
    return key


def text(answer: str) -> Response:
    """An answer that is JSON text already: the same bytes whenever it is given."""
    return Response(answer.encode(), media_type="application/json")
