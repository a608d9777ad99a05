"""Partners: the list, and one partner with its risk, its health and every fact behind them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from data.errors import NotFoundError
from serving.auth import Identity
from serving.console import words
from serving.console.alerts import label_of
from serving.console.charts import diverging, history
from serving.console.days import read_day
from serving.console.forms import Form, read_form
from serving.console.grid import Grid, arrange, read_grid
from serving.console.pages import console_of, identity_of
from serving.console.render import page
from serving.console.rooms import Cases, Console
from serving.console.standings import Standing, can_score, manager_limit
from serving.health.queue import Wanted
from serving.scoring import CHURN, Wish
from serving.view import View

SORTS: Mapping[str, bool] = {
    "churn": True, "name": False, "health": False, "evidence": False, "tier": False, "country": False,
    "manager": False,
}  # fmt: skip
KEYS: Mapping[str, Callable[[Standing], Any]] = {
    "churn": lambda r: r.churn,
    "name": lambda r: r.company.name.casefold(),
    "health": lambda r: r.health,
    "evidence": lambda r: list(words.EVIDENCE).index(r.evidence),
    "tier": lambda r: r.company.fact("tier") or None,
    "country": lambda r: r.company.fact("country") or None,
    "manager": lambda r: r.manager_id or None,
}
QBR_GROUPS = ("pipeline", "revenue", "enablement", "satisfaction")
MOST_FIGURES = 5
DONE: Mapping[str, str] = {
    "override": "Declared. It holds from the next refresh on, beside what the model says.",
    "withdraw": "Taken back. The model's word holds from the next refresh on.",
}
FILTERS = ("q", "level", "evidence", "country", "tier", "manager", "state")


def mount(router: APIRouter, use_cases: Callable[[], Cases]) -> None:
    """Add the pages."""

    @router.get("/console/partners")
    def listing(request: Request) -> Response:
        console = console_of(use_cases)
        view = console.view()
        moves = use_cases().tiers.store.moves()
        visible = console.standings.visible(view, identity_of(request))
        rows = [replace(r, company=r.company.holding(moves)) if r.partner_id in moves else r for r in visible]
        grid = read_grid(request.query_params, base="/console/partners", filters=FILTERS, sorts=SORTS)
        shown, grid = arrange(rows, grid, keep=lambda r: _keeps(r, grid), key=KEYS[grid.sort])
        return page(
            request,
            "partners.html",
            grid=grid,
            rows=shown,
            any_rows=bool(rows),
            days=console.standings.horizon(view),
            choices=_choices(rows),
        )

    _one(router, use_cases)
    _qbr(router, use_cases)
    _overrides(router, use_cases)


def _qbr(router: APIRouter, use_cases: Callable[[], Cases]) -> None:
    @router.get("/console/partners/{partner_id}/qbr")
    def qbr(request: Request, partner_id: str) -> Response:
        console, identity, cases = console_of(use_cases), identity_of(request), use_cases()
        view = console.view()
        if not view.sees(partner_id, manager_id=manager_limit(identity)):
            raise NotFoundError("There is no such partner.")
        scores, _ = _scores(cases, view, partner_id, identity)
        health = _health(cases, partner_id, identity) if scores else None
        return page(
            request,
            "qbr.html",
            partner=console.directory.company(partner_id),
            manager=view.partners.managers.get(partner_id, "") if view.partners else "",
            shown=_reference(console, view, scores),
            health=health,
            bars=diverging(_points(health)),
            past=history(health["history"]) if health else None,
            tier=cases.tiers.recommending.of_partner(partner_id, identity=identity, max_reasons=3),
            figures=_figures(view, partner_id),
            peers=cases.tiers.comparing.of_partner(partner_id, identity=identity),
            now=console.clock(),
        )


def _figures(view: View, partner_id: str) -> list[tuple[str, list[dict[str, Any]]]]:
    """Pipeline and enablement in figures, beside what is usual among peers."""
    facts = [f for f in _facts(view, partner_id) if f["group"] in QBR_GROUPS and f["value"] == f["value"]]
    return [
        (g, [f for f in facts if f["group"] == g and f["peer"] is not None][:MOST_FIGURES])
        for g in QBR_GROUPS
    ]


def _one(router: APIRouter, use_cases: Callable[[], Cases]) -> None:
    @router.get("/console/partners/{partner_id}")
    def one(request: Request, partner_id: str) -> Response:
        console, identity = console_of(use_cases), identity_of(request)
        view = console.view()
        if not view.sees(partner_id, manager_id=manager_limit(identity)):
            raise NotFoundError("There is no such partner.")
        state, quiet = console.standings.state(view, partner_id)
        scores, fault = _scores(use_cases(), view, partner_id, identity)
        health = _health(use_cases(), partner_id, identity) if scores else None
        return page(
            request,
            "partner.html",
            partner=console.directory.company(partner_id).holding(use_cases().tiers.store.moves()),
            manager=view.partners.managers.get(partner_id, "") if view.partners else "",
            scores=scores,
            fault=fault,
            state=state,
            quiet_days=quiet,
            shown=_reference(console, view, scores),
            now=console.clock(),
            facts=_facts(view, partner_id),
            health=health,
            bars=diverging(_points(health)),
            past=history(health["history"]) if health else None,
            label=lambda feature: label_of(console, feature),
            tier=use_cases().tiers.recommending.of_partner(partner_id, identity=identity, max_reasons=1)
            if scores
            else None,
            peers=use_cases().tiers.comparing.of_partner(partner_id, identity=identity) if scores else None,
            alerts=_alerts(use_cases(), partner_id, identity),
            in_a_month=(console.clock() + timedelta(days=30)).date(),
            tomorrow=(console.clock() + timedelta(days=1)).date(),
            note=DONE.get(request.query_params.get("done", ""), ""),
        )


def _scores(cases: Cases, view: View, partner_id: str, identity: Identity) -> tuple[dict[str, Any], str]:
    """The scores shown, which are a recorded decision, or why there are none."""
    if view.partners is None or CHURN not in view.models:
        return {}, "No churn model is in service yet."
    if not can_score(view.models[CHURN], view.partners):
        return {}, "The model in service works on ready-made columns; partners cannot be looked up."
    answer = cases.scoring.churn_of_partner(partner_id, Wish(max_reasons=6), identity=identity)
    # A decision given before comes back with its keys in the order of text: 180, 30, 90.
    return dict(sorted(answer["churn_probability"].items(), key=lambda s: int(s[0]))), ""


def _health(cases: Cases, partner_id: str, identity: Identity) -> dict[str, Any] | None:
    """Health with its history; None when the model in service has no health score."""
    served = cases.console.view().models.get(CHURN) if cases.console else None
    if served is None or "health" not in served.bundle.trained:
        return None
    return cases.partner_health.reader.of_partner(partner_id, identity=identity)


def _points(health: Mapping[str, Any] | None) -> dict[str, float]:
    if health is None:
        return {}
    parts = [*health["components"], *([health["context"]] if health["context"] else [])]
    return {p["component"]: p["points"] for p in parts}


def _alerts(cases: Cases, partner_id: str, identity: Identity) -> list[dict[str, Any]]:
    """Every alert there was about the partner."""
    found: list[dict[str, Any]] = cases.partner_health.queue.page(
        Wanted("all", partner_id=partner_id, limit=10), identity=identity
    )["alerts"]
    return found


def _overrides(router: APIRouter, use_cases: Callable[[], Cases]) -> None:
    def declare(partner_id: str, form: Form, identity: Identity) -> None:
        until = read_day(form.text("expires_on"), "/expires_on")
        use_cases().partner_health.queue.override(
            partner_id,
            state=form.text("state"),
            reason=form.text("reason", most=2000),
            expires_at=datetime.combine(until, time()),
            identity=identity,
        )

    @router.post("/console/partners/{partner_id}/override")
    async def override(request: Request, partner_id: str) -> Response:
        form = await read_form(request)
        await run_in_threadpool(declare, partner_id, form, identity_of(request))
        return _back(partner_id, "override")

    @router.post("/console/partners/{partner_id}/withdraw")
    async def withdraw(request: Request, partner_id: str) -> Response:
        await read_form(request)
        queue = use_cases().partner_health.queue
        await run_in_threadpool(lambda: queue.withdraw(partner_id, identity=identity_of(request)))
        return _back(partner_id, "withdraw")


def _back(partner_id: str, done: str) -> Response:
    return RedirectResponse(f"/console/partners/{quote(partner_id, safe='')}?done={done}", status_code=303)


def _keeps(row: Standing, grid: Grid) -> bool:
    wanted = grid.filters
    text = wanted["q"].casefold()
    company = row.company
    if wanted["state"] != "all" and row.state != (wanted["state"] or "active"):
        return False
    return (
        (not text or text in company.name.casefold() or text in row.partner_id.casefold()
         or text in company.fact("domain").casefold())
        and wanted["level"] in ("", words.risk(row.churn))
        and wanted["evidence"] in ("", row.evidence)
        and wanted["country"] in ("", company.fact("country"))
        and wanted["tier"] in ("", company.fact("tier"))
        and wanted["manager"] in ("", row.manager_id)
    )  # fmt: skip


def _choices(rows: Sequence[Standing]) -> dict[str, list[str]]:
    """What the filters offer: what occurs among the visible partners."""
    found = {name: {r.company.fact(name) for r in rows} - {""} for name in ("country", "tier")}
    found["manager"] = {r.manager_id for r in rows} - {""}
    return {name: sorted(values) for name, values in found.items()}


def _reference(console: Console, view: View, scores: Mapping[str, Any]) -> dict[str, Any] | None:
    """The score whose reasons are shown: that of the horizon which lists show."""
    days = console.standings.horizon(view)
    return scores.get(str(days)) if days is not None else None


def _facts(view: View, partner_id: str) -> list[dict[str, Any]]:
    """Every input of the model for this partner: value, what is usual, where it comes from, and its age."""
    partners, served = view.partners, view.models.get(CHURN)
    if partners is None or served is None:
        return []
    from features.catalog import definitions

    meanings, bundle = definitions(), served.bundle
    place, stale = partners.places[partner_id], partners.matrix.stale_features
    columns = partners.columns
    row = {f.name: columns[f.name][place] if f.name in columns else None for f in bundle.spec.features}
    group = bundle.peers.group(row)
    found = []
    for feature in bundle.spec.features:
        value, known = row[feature.name], meanings.get(feature.name)
        category = feature.kind == "category"
        found.append(
            {
                "label": feature.shown_label,
                "name": feature.name,
                "meaning": known.meaning if known else "",
                "unit": known.unit if known and known.unit not in ("category", "count") else "",
                "group": feature.group,
                "value": value,
                "peer": None if category else bundle.peers.value(group, feature.name, value),
                "stale": feature.name in stale,
                "as_of": partners.as_of[partner_id],
            }
        )
    return found
