"""Tiers over HTTP: parses, calls one use case, answers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, Query
from starlette.responses import Response

from serving.auth import Identity
from serving.tiers import schemas
from serving.tiers.opening import Tiers
from serving.web import READ, SCORE, Answer, Caller, no_query, only


def mount(app: FastAPI, use_case: Callable[[], Tiers]) -> None:
    """Add the routes of tiers.

    Args:
        app: The application.
        use_case: Gives the use cases, once the service is up.
    """
    _recommendations(app, use_case)
    _changes(app, use_case)
    _overrides(app, use_case)


def _recommendations(app: FastAPI, use_case: Callable[[], Tiers]) -> None:
    @app.post(
        "/v1/tiers/recommend",
        summary="Tiers recommended for partners, with points, gaps and potential",
        dependencies=[Depends(no_query)],
        responses={200: {"model": schemas.RecommendAnswer}, **only(*SCORE)},
    )
    def recommend_tiers(body: schemas.RecommendRequest, identity: Caller) -> Response:
        return Answer(recommended(use_case(), body, identity=identity))

    @app.get(
        "/v1/partners/{partner_id}/tier",
        summary="Tier of one partner: held, recommended, what is missing, what would keep it",
        responses={200: {"model": schemas.TierResultShape}, **only(*READ)},
    )
    def partner_tier(
        partner_id: str, query: Annotated[schemas.PartnerQuery, Query()], identity: Caller
    ) -> Response:
        found = use_case().recommending.of_partner(
            partner_id, identity=identity, max_reasons=query.max_reasons
        )
        return Answer(found)

    @app.get(
        "/v1/partners/{partner_id}/benchmarks",
        summary="One partner among its peers, by what was last published",
        dependencies=[Depends(no_query)],
        responses={200: {"model": schemas.BenchmarksAnswer}, **only(*READ)},
    )
    def partner_benchmarks(partner_id: str, identity: Caller) -> Response:
        return Answer(use_case().comparing.of_partner(partner_id, identity=identity))

    @app.post(
        "/v1/tiers/simulate",
        summary="Who would move under other rules",
        dependencies=[Depends(no_query)],
        responses={200: {"model": schemas.SimulateAnswer}, **only(*SCORE)},
    )
    def simulate_tiers(body: schemas.SimulateRequest) -> Response:
        return Answer(use_case().trying.simulate(body.policy))


def recommended(tiers: Tiers, body: schemas.RecommendRequest, *, identity: Identity) -> dict[str, Any]:
    """The use case a request asks for; shared with the native verb."""
    return tiers.recommending.of_partners(body.partner_ids, identity=identity, max_reasons=body.max_reasons)


def _changes(app: FastAPI, use_case: Callable[[], Tiers]) -> None:
    @app.get(
        "/v1/tiers/changes",
        summary="The review list: recommended changes of tier",
        responses={200: {"model": schemas.ChangesAnswer}, **only(*READ)},
    )
    def tier_changes(query: Annotated[schemas.ChangesQuery, Query()], identity: Caller) -> Response:
        found = use_case().reviewing.changes(
            identity=identity,
            state=query.state,
            change=query.change,
            mine=query.mine,
            limit=query.limit,
            cursor=query.cursor,
        )
        return Answer(found)

    answers: Any = {
        "dependencies": [Depends(no_query)],
        "responses": {200: {"model": schemas.TierChangeShape}, **only(*SCORE, 409)},
    }

    def decide(change_id: str, decision: Literal["approve", "reject"], body: Any, identity: Any) -> Response:
        return Answer(use_case().reviewing.decide(change_id, decision, reason=body.reason, identity=identity))

    @app.post("/v1/tiers/changes/{change_id}/approve", summary="Approve a change of tier", **answers)
    def approve(change_id: str, body: schemas.DecisionRequest, identity: Caller) -> Response:
        return decide(change_id, "approve", body, identity)

    @app.post("/v1/tiers/changes/{change_id}/reject", summary="Reject a change of tier", **answers)
    def reject(change_id: str, body: schemas.RejectRequest, identity: Caller) -> Response:
        return decide(change_id, "reject", body, identity)


def _overrides(app: FastAPI, use_case: Callable[[], Tiers]) -> None:
    shared: Any = {
        "dependencies": [Depends(no_query)],
        "responses": {200: {"model": schemas.PartnerOverrideAnswer}, **only(*SCORE)},
    }

    @app.post("/v1/partners/{partner_id}/tier/override", summary="Set a tier for a while", **shared)
    def set_override(partner_id: str, body: schemas.OverrideRequest, identity: Caller) -> Response:
        at = body.expires_at
        expires = at.astimezone(UTC).replace(tzinfo=None) if at.tzinfo else at
        found = use_case().recommending.override(
            partner_id, tier=body.tier, reason=body.reason, expires_at=expires, identity=identity
        )
        return Answer(found)

    @app.post("/v1/partners/{partner_id}/tier/override/withdraw", summary="Take an override back", **shared)
    def withdraw_override(partner_id: str, body: schemas.WithdrawRequest, identity: Caller) -> Response:
        del body  # an empty object: there is nothing to say
        return Answer(use_case().recommending.withdraw(partner_id, identity=identity))
