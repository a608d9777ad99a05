"""The BentoML service: the public application at `/`, the native verbs, and the guard in front of both.

BentoML imports this module by name in every worker. Importing it reads nothing; making the service reads one
variable, PARTNERINTEL_WORKSPACE.
"""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from threading import Event
from typing import Any

import bentoml
from starlette.routing import Route as HttpRoute

from data.errors import ConfigError
from serving import api, schemas
from serving.asgi import IDENTITY, App
from serving.console.rooms import Cases
from serving.fit import http as fit_http
from serving.fit import schemas as fit_schemas
from serving.following import follow
from serving.guard import Gatekeeping, Guard
from serving.logs import without_messages
from serving.patience import limit_headers
from serving.routes import ROUTES
from serving.routing import http as routing_http
from serving.routing import schemas as routing_schemas
from serving.runtime import Runtime, open_runtime
from serving.tiers import http as tiers_http
from serving.tiers import schemas as tiers_schemas

WORKSPACE = "PARTNERINTEL_WORKSPACE"
BENTOML_ERRORS = "bentoml._internal.server.http_app"
_NATIVE = {r.path for r in ROUTES if r.native}


class Slot:
    """Holds the runtime of this worker once the service has been made."""

    def __init__(self) -> None:
        self.runtime: Runtime | None = None
        self.closing = Event()

    def use_cases(self) -> Cases:
        """What the application calls; only reached through the guard, which waits for the runtime."""
        if self.runtime is None:
            raise RuntimeError("the guard let a request through before the service was up")
        return self.runtime.use_cases

    def keep(self) -> Gatekeeping | None:
        """What the guard needs, None before the service is up."""
        return self.runtime.keep if self.runtime else None


SLOT = Slot()
APP = api.create_app(SLOT.use_cases)


class GuardedService(bentoml.Service):
    """A BentoML service whose own pages are taken away and whose every request passes the guard first."""

    def to_asgi(self, is_main: bool = True) -> App:
        """The application a worker serves."""
        limit_headers()
        inner = super().to_asgi(is_main=is_main)
        # BentoML answers /livez, /readyz, /metrics, /docs.json and / itself; ours must be reached instead.
        inner.router.routes = [r for r in inner.router.routes if _is_ours(r)]
        return Guard(inner, keep=SLOT.keep)


def _is_ours(route: Any) -> bool:
    if isinstance(route, HttpRoute):
        return route.path in _NATIVE
    return getattr(route, "app", None) is APP


@bentoml.service(
    name="partnerintel",
    service_class=GuardedService,
    workers=1,
    # One thread per worker, the default, halves throughput.
    threads=4,
    traffic={"timeout": 60},
    metrics={"enabled": False},
    logging={"access": {"enabled": False}},
)
@bentoml.asgi_app(APP, path="/")
class PartnerIntel:
    """Partner intelligence: calibrated scores with reasons, every one a decision that can be replayed."""

    def __init__(self) -> None:
        given = os.environ.get(WORKSPACE)
        if not given:
            raise ConfigError(
                f"{WORKSPACE} is not set.",
                allowed="a writable folder: a workspace, or an empty one to serve what the bento carries",
                next_step=f"`{WORKSPACE}=DIR`, or `partnerintel serve -w DIR`.",
            )
        # BentoML logs refused bodies with their content.
        logging.getLogger(BENTOML_ERRORS).addFilter(without_messages)
        SLOT.runtime = open_runtime(Path(given))
        SLOT.runtime.start()
        follow(SLOT.runtime.shared.edges.server_pid, stop=SLOT.closing)

    @bentoml.api(route="/churn_score")
    def churn_score(
        self, body: schemas.ChurnScoreRequest, /, ctx: bentoml.Context
    ) -> schemas.ChurnScoreAnswer:
        """Churn of known partners, or of rows of features."""
        identity = ctx.request.scope[IDENTITY]
        # A ready response passes BentoML untouched; the annotation is for its schema.
        answer: Any = api.native_answer(
            lambda: api.churn(SLOT.use_cases().scoring, body, identity=identity), scope=ctx.request.scope
        )
        # With a context in the signature BentoML takes the status from there.
        ctx.response.status_code = answer.status_code
        return answer

    @bentoml.api(route="/fit_score")
    def fit_score(
        self, body: fit_schemas.FitScoreRequest, /, ctx: bentoml.Context
    ) -> fit_schemas.FitScoreAnswer:
        """Fit of prospects."""
        identity = ctx.request.scope[IDENTITY]
        answer: Any = api.native_answer(
            lambda: fit_http.score(SLOT.use_cases().fit, body, identity=identity), scope=ctx.request.scope
        )
        ctx.response.status_code = answer.status_code
        return answer

    @bentoml.api(route="/recommend_tier")
    def recommend_tier(
        self, body: tiers_schemas.RecommendRequest, /, ctx: bentoml.Context
    ) -> tiers_schemas.RecommendAnswer:
        """Tiers recommended for partners."""
        identity = ctx.request.scope[IDENTITY]
        answer: Any = api.native_answer(
            lambda: tiers_http.recommended(SLOT.use_cases().tiers, body, identity=identity),
            scope=ctx.request.scope,
        )
        ctx.response.status_code = answer.status_code
        return answer

    @bentoml.api(route="/route_lead")
    def route_lead(
        self, body: routing_schemas.LeadRequest, /, ctx: bentoml.Context
    ) -> routing_schemas.RouteAnswer:
        """Offer a lead to the right partner."""
        identity, key = ctx.request.scope[IDENTITY], ctx.request.headers.get("idempotency-key")
        answer: Any = api.native_answer(
            lambda: json.loads(
                routing_http.route_lead(SLOT.use_cases().routing, body, key=key, identity=identity)
            ),
            scope=ctx.request.scope,
        )
        ctx.response.status_code = answer.status_code
        return answer

    @bentoml.on_shutdown
    def close(self) -> None:
        """Stop the background work and give the connections back."""
        SLOT.closing.set()
        if SLOT.runtime is not None:
            SLOT.runtime.stop()
            SLOT.runtime = None
