"""Alerts: a manager's queue, one alert with what can be done about it, the queue as it was, and the proof."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from data.errors import InputError
from serving.auth import Identity
from serving.console.charts import line
from serving.console.days import read_day
from serving.console.forms import Form, read_form
from serving.console.pages import console_of, identity_of
from serving.console.render import page
from serving.console.rooms import Cases, Console
from serving.health.opening import alert_settings
from serving.health.queue import Wanted
from serving.scoring import CHURN

STATES: Mapping[str, str] = {
    "open": "Open", "acknowledged": "Acknowledged", "snoozed": "Snoozed", "closed": "Closed",
}  # fmt: skip
OUTCOMES: Mapping[str, str] = {
    "true_risk": "The risk was real",
    "saved": "The partner was saved",
    "lost": "The partner was lost",
    "already_known": "We knew already",
    "false_alarm": "False alarm",
    "not_actionable": "Nothing could be done",
}
DONE: Mapping[str, str] = {
    "acknowledge": "Noted. The alert stays in the queue until it is closed.",
    "assign": "Assigned.",
    "snooze": "Put off. It returns once if it is still true.",
    "close": "Closed. What it came to is counted; for the next training, a lost partner is one that left.",
}


def mount(router: APIRouter, use_cases: Callable[[], Cases]) -> None:
    """Add the pages."""
    _queue(router, use_cases)
    _past(router, use_cases)
    _one(router, use_cases)
    _steps(router, use_cases)


def _queue(router: APIRouter, use_cases: Callable[[], Cases]) -> None:
    @router.get("/console/alerts")
    def queue(request: Request) -> Response:
        console, identity, query = console_of(use_cases), identity_of(request), request.query_params
        state = query.get("state", "open")
        wanted = Wanted(
            state if state in STATES else "open",
            manager_id=query.get("manager") or None,
            region=query.get("region") or None,
            cursor=query.get("cursor") or None,
        )
        found = use_cases().partner_health.queue.page(wanted, identity=identity)
        return page(
            request,
            "alerts.html",
            state=wanted.state,
            states=STATES,
            alerts=[_row(console, a) for a in found["alerts"]],
            lines=_lines(console, found["alerts"]),
            next_cursor=found["next_cursor"],
            refreshed_at=found["refreshed_at"],
            budget=alert_settings(console.config).budget_per_manager,
            managers=_managers(console, identity),
            manager=wanted.manager_id or "",
            last_monday=last_monday(console.clock()),
            now=console.clock(),
        )


def _past(router: APIRouter, use_cases: Callable[[], Cases]) -> None:
    @router.get("/console/alerts/as-of")
    def as_of(request: Request) -> Response:
        console, identity = console_of(use_cases), identity_of(request)
        day = read_day(request.query_params.get("date") or last_monday(console.clock()).isoformat(), "/date")
        moment = datetime.combine(day, time()) + timedelta(days=1, microseconds=-1)
        found = use_cases().partner_health.queue.as_of(moment, Wanted(), identity=identity)
        return page(
            request,
            "alerts_as_of.html",
            day=day,
            today=console.clock().date(),
            alerts=[_row(console, a) for a in found["alerts"]],
            refreshed_at=found["refreshed_at"],
            now=moment,
        )

    @router.get("/console/alerts/proof")
    def proof(request: Request) -> Response:
        return page(
            request, "alerts_proof.html", report=console_of(use_cases).records.report("alerts", "latest")
        )


def _one(router: APIRouter, use_cases: Callable[[], Cases]) -> None:
    @router.get("/console/alerts/{alert_id}")
    def one(request: Request, alert_id: str) -> Response:
        console, identity = console_of(use_cases), identity_of(request)
        alert = use_cases().partner_health.queue.one(alert_id, identity=identity)
        return page(
            request,
            "alert.html",
            alert=_row(console, alert),
            outcomes=OUTCOMES,
            note=DONE.get(request.query_params.get("done", ""), ""),
            tomorrow=(console.clock() + timedelta(days=1)).date(),
            in_a_month=(console.clock() + timedelta(days=30)).date(),
            now=console.clock(),
        )


def _steps(router: APIRouter, use_cases: Callable[[], Cases]) -> None:
    def do(alert_id: str, step: str, form: Form, identity: Identity) -> None:
        queue = use_cases().partner_health.queue
        if step == "acknowledge":
            queue.acknowledge(alert_id, identity=identity)
        elif step == "assign":
            queue.assign(alert_id, assignee=_filled(form, "assignee", most=200), identity=identity)
        elif step == "snooze":
            until = read_day(form.text("until"), "/until")
            queue.snooze(alert_id, until=until, reason=_filled(form, "reason"), identity=identity)
        else:
            queue.close(
                alert_id, outcome=form.text("outcome"), note=form.text("note", most=2000), identity=identity
            )

    def added(step: str) -> None:
        @router.post(f"/console/alerts/{{alert_id}}/{step}")
        async def take(request: Request, alert_id: str) -> Response:
            form = await read_form(request)
            await run_in_threadpool(do, alert_id, step, form, identity_of(request))
            return RedirectResponse(
                f"/console/alerts/{quote(alert_id, safe='')}?done={step}", status_code=303
            )

    for step in DONE:
        added(step)


def _filled(form: Form, name: str, *, most: int = 2000) -> str:
    text = form.text(name, most=most)
    if not text:
        raise InputError(f"{name} is empty.", allowed="a few words", pointer=f"/{name}")
    return text


def last_monday(now: datetime) -> date:
    """The Monday of this week; on a Monday the one before."""
    return now.date() - timedelta(days=now.weekday() or 7)


def _row(console: Console, alert: Mapping[str, Any]) -> dict[str, Any]:
    """An alert with its partner's name and with what moved in words."""
    moved = alert.get("moved_since_opened") or alert.get("moved") or []
    return {
        "interval": None, "evidence": "", "margin_at_risk": None, "churn_probability_90": None, "reasons": [],
        "play": None, "probability_when_opened": None, "override": None, "changed_since_last": None,
        "model_version": "", "features_as_of": None, "happened": [],
        **alert,
        "company": console.directory.company(str(alert["partner_id"])),
        "came_to": OUTCOMES.get(str(alert.get("outcome")), ""),
        "moved": [{**m, "label": label_of(console, m["feature"])} for m in moved],
    }  # fmt: skip


def label_of(console: Console, feature: str) -> str:
    """What people call a feature of the churn model in service."""
    served = console.view().models.get(CHURN)
    known = {f.name: f.shown_label for f in served.bundle.spec.features} if served else {}
    return known.get(feature, feature.replace("_", " "))


def _lines(console: Console, alerts: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """A small line of each partner's health."""
    found = console.records.health_lines([str(a["partner_id"]) for a in alerts])
    return {partner: line(points) for partner, points in found.items()}


def _managers(console: Console, identity: Identity) -> list[str]:
    partners = console.view().partners
    if identity.role == "channel_manager" or partners is None:
        return []
    return sorted(set(partners.managers.values()))
