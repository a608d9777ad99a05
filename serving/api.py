"""The public contract as a FastAPI application: parses, calls one use case, answers."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response

from data.errors import PartnerIntelError
from serving import metrics, schemas
from serving.asgi import REQUEST_ID
from serving.auth import Identity
from serving.console.http import mount as mount_console
from serving.console.rooms import Cases
from serving.docpage import PAGE_HEADERS, page
from serving.fit import http as fit_http
from serving.health import http as health_http
from serving.openapi import document
from serving.problems import (
    CONTENT_TYPE,
    DATABASE_DOWN,
    DISK_FULL,
    Problem,
    ProblemError,
    from_validation,
    problem_of,
)
from serving.routing import http as routing_http
from serving.scoring import CHURN, Scoring, Wish
from serving.tiers import http as tiers_http
from serving.web import READ, SCORE, Answer, Caller, no_query, only


def create_app(use_cases: Callable[[], Cases]) -> FastAPI:
    """The application.

    Args:
        use_cases: Gives the use cases, once the service is up.
    """
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    _scores(app, use_cases)
    _reads(app, use_cases)
    _operations(app, use_cases)
    fit_http.mount(app, lambda: use_cases().fit)
    tiers_http.mount(app, lambda: use_cases().tiers)
    routing_http.mount(app, lambda: use_cases().routing)
    mount_console(app, use_cases)
    health_http.mount(app, lambda: use_cases().partner_health)
    _failures(app)
    return app


def _scores(app: FastAPI, use_cases: Callable[[], Cases]) -> None:
    @app.post(
        "/v1/churn/score",
        summary="Churn of partners, or of rows of features",
        dependencies=[Depends(no_query)],
        responses={200: {"model": schemas.ChurnScoreAnswer}, **only(*SCORE)},
    )
    def score_churn(body: schemas.ChurnScoreRequest, identity: Caller) -> Response:
        return Answer(churn(use_cases().scoring, body, identity=identity))

    @app.get(
        "/v1/partners/{partner_id}/churn",
        summary="Churn of one partner",
        responses={200: {"model": schemas.ChurnResultShape}, **only(*READ)},
    )
    def partner_churn(
        partner_id: str, query: Annotated[schemas.ChurnQuery, Query()], identity: Caller
    ) -> Response:
        wish = Wish(tuple(query.horizons_days), query.max_reasons)
        return Answer(use_cases().scoring.churn_of_partner(partner_id, wish, identity=identity))

    @app.post(
        "/v1/models/{name}/score",
        summary="Scores of rows of features, with any model",
        dependencies=[Depends(no_query)],
        responses={200: {"model": schemas.ModelScoreAnswer}, **only(*SCORE)},
    )
    def score_rows(name: str, body: schemas.ModelScoreRequest, identity: Caller) -> Response:
        wish = Wish(max_reasons=body.max_reasons)
        return Answer(use_cases().scoring.rows_of_model(name, body.rows, wish, identity=identity))


def churn(scoring: Scoring, body: schemas.ChurnScoreRequest, *, identity: Identity) -> dict[str, Any]:
    """The use case a churn request asks for; shared with the native verb."""
    wish = Wish(tuple(body.horizons_days), body.max_reasons)
    if body.partner_ids:
        return scoring.churn_of_partners(body.partner_ids, wish, identity=identity)
    return scoring.churn_of_rows(body.rows, wish, identity=identity)


def native_answer(call: Callable[[], Any], *, scope: Any) -> Response:
    """The answer of a native verb: the same JSON, and the same problems, as the mounted application's."""
    try:
        return Answer(call())
    except ProblemError as error:
        return _respond(scope, error.problem)
    except PartnerIntelError as error:
        return _respond(scope, problem_of(error))
    except OperationalError:
        return _respond(scope, DATABASE_DOWN)
    except OSError as error:
        return _respond(scope, _disk_full(error))
    except ValidationError as error:
        # BentoML would call a bug of ours the client's fault (400).
        raise RuntimeError("an answer broke its own shape") from error


def _disk_full(error: OSError) -> Problem:
    """The problem of a disk without room; every other failure of the system goes on as it is."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        raise error
    return DISK_FULL


def _respond(scope: Any, problem: Problem) -> Response:
    body = problem.body(request_id=scope.get(REQUEST_ID, ""))
    return Response(body, problem.status, headers=dict(problem.headers), media_type=CONTENT_TYPE)


def _reads(app: FastAPI, use_cases: Callable[[], Cases]) -> None:
    @app.get(
        "/v1/models",
        summary="Models: what is in service, and how it was judged",
        dependencies=[Depends(no_query)],
        responses={200: {"model": schemas.ModelsAnswer}, **only(*READ)},
    )
    def models() -> Response:
        return Answer({"models": use_cases().shelf.models()})

    @app.get(
        "/v1/models/{name}",
        summary="One model",
        dependencies=[Depends(no_query)],
        responses={200: {"model": schemas.ModelShape}, **only(*READ)},
    )
    def model(name: str) -> Response:
        return Answer(use_cases().shelf.model(name))

    @app.get(
        "/v1/decisions/{decision_id}",
        summary="A decision, made again from its record",
        dependencies=[Depends(no_query)],
        responses={200: {"model": schemas.DecisionAnswer}, **only(*READ)},
    )
    def decision(decision_id: str, identity: Caller) -> Response:
        return Answer(use_cases().replay.show(decision_id, identity=identity))


def _operations(app: FastAPI, use_cases: Callable[[], Cases]) -> None:
    health: dict[int | str, dict[str, Any]] = {200: {"model": schemas.HealthAnswer}}

    @app.get("/livez", summary="Whether the process answers", responses={**health, **only(400)})
    async def livez() -> Response:
        return Answer({"status": "ok", "reasons": []})

    @app.get(
        "/readyz",
        summary="Whether it should get requests, and if not, why",
        responses={**health, **only(400, 503)},
    )
    async def readyz() -> Response:
        ready, found = use_cases().health()
        if not ready:
            raise ProblemError(Problem(503, " ".join(found["reasons"]), headers={"Retry-After": "2"}))
        return Answer(found)

    @app.get(
        "/metrics",
        summary="Prometheus metrics",
        response_class=Response,
        responses={200: {"content": {"text/plain": {}}}, **only(*READ)},
    )
    def prometheus() -> Response:
        return Response(use_cases().metrics(), headers={"content-type": metrics.CONTENT_TYPE})

    @app.get("/openapi.json", include_in_schema=False)
    def openapi_document() -> Response:
        return Answer(document(app, horizons=use_cases().shelf.horizons(CHURN)))

    @app.get("/docs", include_in_schema=False)
    def docs() -> Response:
        return HTMLResponse(
            page(document(app, horizons=use_cases().shelf.horizons(CHURN))), headers=PAGE_HEADERS
        )


def _failures(app: FastAPI) -> None:
    @app.exception_handler(PartnerIntelError)
    def ours(request: Request, error: PartnerIntelError) -> Response:
        return _respond(request.scope, problem_of(error))

    @app.exception_handler(ProblemError)
    def refused(request: Request, error: ProblemError) -> Response:
        return _respond(request.scope, error.problem)

    @app.exception_handler(RequestValidationError)
    def envelope(request: Request, error: RequestValidationError) -> Response:
        return _respond(request.scope, from_validation(error.errors()))

    @app.exception_handler(OperationalError)
    def database(request: Request, _: OperationalError) -> Response:
        return _respond(request.scope, DATABASE_DOWN)

    @app.exception_handler(OSError)
    def disk(request: Request, error: OSError) -> Response:
        return _respond(request.scope, _disk_full(error))

    @app.exception_handler(HTTPException)
    def framework(request: Request, error: HTTPException) -> Response:
        return _respond(request.scope, Problem(error.status_code))
