"""Fit over HTTP: parses, calls one use case, answers."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import Depends, FastAPI
from starlette.responses import Response

from serving.auth import Identity
from serving.fit import schemas
from serving.fit.capability import Fit
from serving.web import SCORE, Answer, Caller, no_query, only


def mount(app: FastAPI, fit: Callable[[], Fit]) -> None:
    """Add the routes of fit.

    Args:
        app: The application.
        fit: Gives the capability, once the service is up.
    """

    @app.post(
        "/v1/fit/score",
        summary="Fit of prospects",
        dependencies=[Depends(no_query)],
        responses={200: {"model": schemas.FitScoreAnswer}, **only(*SCORE)},
    )
    def score_fit(body: schemas.FitScoreRequest, identity: Caller) -> Response:
        return Answer(score(fit(), body, identity=identity))


def score(fit: Fit, body: schemas.FitScoreRequest, *, identity: Identity) -> object:
    """The use case a request asks for; shared with the native verb."""
    return fit.scoring.score(
        body.prospects, identity=identity, motion=body.motion, max_reasons=body.max_reasons
    )
