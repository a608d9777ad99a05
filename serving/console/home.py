"""The overview: what needs attention, and whether what is shown can be trusted today."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from serving.auth import Identity
from serving.console.pages import console_of, identity_of
from serving.console.render import page
from serving.console.rooms import Cases, Console
from serving.console.standings import Standing
from serving.health.queue import Wanted
from serving.routes import OPERATORS, PARTNER_READERS, RECRUITERS

TOP, LISTS = 6, 5
HIGH, RAISED = 0.3, 0.15


def mount(router: APIRouter, use_cases: Callable[[], Cases]) -> None:
    """Add the page."""

    @router.get("/console")
    def overview(request: Request) -> Response:
        console, identity = console_of(use_cases), identity_of(request)
        ready, found = use_cases().health()
        models = use_cases().shelf.models()
        return page(
            request,
            "home.html",
            ready=ready,
            health=found,
            models=models,
            moved=[m["name"] for m in models if _moved(console, m["name"])],
            now=console.clock(),
            features=_features(console),
            partners=_partners(console, identity),
            ingest=console.records.ingest() if identity.role in OPERATORS else None,
            open_alerts=_open_alerts(use_cases(), identity),
            lists=_lists(use_cases(), identity),
            days=console.standings.horizon(console.view()),
        )


def _moved(console: Console, model: str) -> bool:
    """Whether a model's scores are no longer what they were on the rows it learnt from."""
    found = console.records.drift(model)
    return found is not None and found["score"]["verdict"] in ("moved", "shifted")


def _open_alerts(cases: Cases, identity: Identity) -> int | None:
    """How many alerts are open; None for roles that see none."""
    if identity.role not in PARTNER_READERS:
        return None
    return len(cases.partner_health.queue.page(Wanted("open", limit=500), identity=identity)["alerts"])


def _lists(cases: Cases, identity: Identity) -> list[dict[str, Any]] | None:
    """The newest lists of prospects; None for roles that have none."""
    return cases.fit.lists.lists(identity=identity, limit=LISTS) if identity.role in RECRUITERS else None


def _features(console: Console) -> dict[str, Any] | None:
    partners = console.view().partners
    if partners is None or not partners.as_of:
        return None
    return {
        "newest": max(partners.as_of.values()),
        "stale_views": sorted(partners.matrix.stale_views),
        "degraded": partners.degraded,
    }


def _partners(console: Console, identity: Identity) -> dict[str, Any] | None:
    if identity.role not in PARTNER_READERS:
        return None
    rows = console.standings.visible(console.view(), identity)
    active = [r for r in rows if r.state == "active"]
    silent = sum(r.state == "silent" for r in rows)
    return {"count": len(active), "silent": silent, **levels(active), "top": riskiest(active)}


def levels(rows: Sequence[Standing]) -> dict[str, int]:
    """How many partners stand at which level of risk."""
    known = [r.churn for r in rows if r.churn is not None]
    return {
        "high": sum(v >= HIGH for v in known),
        "raised": sum(RAISED <= v < HIGH for v in known),
        "low": sum(v < RAISED for v in known),
        "unknown": len(rows) - len(known),
    }


def riskiest(rows: Sequence[Standing]) -> list[Standing]:
    """The partners most likely to leave."""
    known = [r for r in rows if r.churn is not None]
    return sorted(known, key=lambda r: (-(r.churn or 0.0), r.partner_id))[:TOP]
