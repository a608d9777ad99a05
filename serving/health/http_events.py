"""Events in and out, and webhooks, over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query
from starlette.responses import Response

from serving.health import schemas
from serving.health.opening import HealthCases
from serving.web import READ, SCORE, Answer, Caller, no_query, only

Cases = Callable[[], HealthCases]


def mount_events(app: FastAPI, cases: Cases) -> None:
    """Add the routes of events and webhooks.

    Args:
        app: The application.
        cases: Gives the use cases, once the service is up.
    """

    @app.post(
        "/v1/events",
        summary="Engagement events of partners",
        dependencies=[Depends(no_query)],
        responses={200: {"model": schemas.EventsAnswer}, **only(*SCORE)},
    )
    def take(body: schemas.EventsRequest, identity: Caller) -> Response:
        return Answer(cases().intake.take(body.events, identity=identity))

    @app.get(
        "/v1/events",
        summary="What happened, in order: the pull backstop of webhooks",
        responses={200: {"model": schemas.PullAnswer}, **only(*READ)},
    )
    def told(query: Annotated[schemas.PullQuery, Query()], identity: Caller) -> Response:
        intake = cases().intake
        return Answer(intake.told(query.after, limit=query.limit, kind=query.type, identity=identity))

    _webhooks(app, cases)


def _webhooks(app: FastAPI, cases: Cases) -> None:
    plain: dict[str, Any] = {"dependencies": [Depends(no_query)]}
    one = {200: {"model": schemas.WebhookShape}, **only(*SCORE)}

    @app.post("/v1/webhooks", summary="Register a receiver", responses=one, **plain)
    def register(body: schemas.WebhookRequest, identity: Caller) -> Response:
        hooks = cases().webhooks
        made = hooks.register(body.url, types=body.types, manager_id=body.manager_id, identity=identity)
        return Answer(made)

    @app.get(
        "/v1/webhooks",
        summary="Registered receivers",
        responses={200: {"model": schemas.WebhooksAnswer}, **only(*READ)},
        **plain,
    )
    def registered(identity: Caller) -> Response:
        return Answer({"webhooks": cases().webhooks.registered(identity=identity)})

    @app.get(
        "/v1/webhooks/{webhook_id}",
        summary="One receiver with its deliveries",
        responses={200: {"model": schemas.DeliveriesAnswer}, **only(*READ)},
        **plain,
    )
    def deliveries(webhook_id: str, identity: Caller) -> Response:
        return Answer(cases().webhooks.deliveries(webhook_id, identity=identity))

    @app.post("/v1/webhooks/{webhook_id}/rotate", summary="A new secret", responses=one, **plain)
    def rotate(webhook_id: str, body: schemas.Nothing, identity: Caller) -> Response:
        del body
        return Answer(cases().webhooks.rotate(webhook_id, identity=identity))

    @app.post("/v1/webhooks/{webhook_id}/disable", summary="Tell it no more", responses=one, **plain)
    def disable(webhook_id: str, body: schemas.Nothing, identity: Caller) -> Response:
        del body
        return Answer(cases().webhooks.disable(webhook_id, identity=identity))

    @app.post(
        "/v1/webhooks/{webhook_id}/revive",
        summary="Try dead deliveries again",
        responses={200: {"model": schemas.DeliveriesAnswer}, **only(*SCORE)},
        **plain,
    )
    def revive(webhook_id: str, body: schemas.Nothing, identity: Caller) -> Response:
        del body
        return Answer(cases().webhooks.revive(webhook_id, identity=identity))
