"""Routing: who would get a lead and why not the others; how offers were spread, answered and kept in time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import APIRouter
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from data.errors import InputError
from serving.console.pages import console_of
from serving.console.render import page
from serving.console.rooms import Cases, Console
from serving.routing.parsing import wanted_of
from serving.routing.preview import preview
from serving.routing.schemas import LeadRequest

FIELDS: Mapping[str, str] = {
    "company": "Company", "domain": "Web domain", "country": "Country", "region": "Region", "city": "City",
    "industry": "Industry", "employee_count": "Employees", "products": "Products", "value": "Value in USD",
}  # fmt: skip
TAKES: Mapping[str, str] = {
    "value": "give a number, such as 40000 or 40000.50.",
    "employee_count": "give a whole number, such as 300.",
    "country": "give a code of two letters, such as DE.",
    "products": "give names with commas between them.",
    "domain": "give a web domain, such as example.com.",
}
SHOWN = 40
KIND = "routing"
BY: Mapping[str, str] = {"tier": "Tier", "region": "Region", "size": "Size"}


def mount(router: APIRouter, use_cases: Callable[[], Cases]) -> None:
    """Add the pages."""
    _policies(router, use_cases)

    @router.get("/console/routing")
    def would(request: Request) -> Response:
        console, query = console_of(use_cases), request.query_params
        picked = console.records.lead(query.get("lead", "").strip()[:200]) if query.get("lead") else None
        given = {n: (query.get(n, "") or (picked or {}).get(n, "")).strip()[:200] for n in FIELDS}
        found, fault = None, ""
        if query.get("lead") and picked is None:
            fault = "There is no lead of that identifier in the data."
        elif any(given.values()):
            found, fault = _answer(use_cases(), given, resolved=query.get("resolved", "") == "yes")
        return page(
            request,
            "routing.html",
            fields=FIELDS,
            given=given,
            lead=query.get("lead", ""),
            resolved=query.get("resolved", "") == "yes",
            recent=console.records.recent_leads(),
            found=found,
            fault=fault,
            company=console.directory.company,
            others=_others(found, console, query.get("partner", "").strip()[:200]),
            partner=query.get("partner", "")[:200],
        )

    @router.get("/console/routing/report")
    def report(request: Request) -> Response:
        found = use_cases().routing.report.make()
        exposure = {title: found["exposure"][by] for by, title in BY.items()}
        return page(request, "routing_report.html", report=found, exposure=exposure)


ESTIMATES: Mapping[str, str] = {
    "logged": "What the log brought", "dr": "Doubly robust", "snips": "Self-normalised weights",
    "ips": "Weights", "dm": "Reward model",
}  # fmt: skip


def _policies(router: APIRouter, use_cases: Callable[[], Cases]) -> None:
    @router.get("/console/routing/policies")
    def policies(request: Request) -> Response:
        console = console_of(use_cases)
        holds = console.policies.in_force(KIND)
        return page(
            request,
            "routing_policies.html",
            versions=console.policies.versions(KIND),
            in_force=holds.version if holds else 0,
            canary=holds.canary_version if holds else None,
            canary_share=holds.canary_share if holds else 0.0,
            reports=console.records.policy_reports(),
            estimates=ESTIMATES,
        )


def _answer(cases: Cases, given: Mapping[str, str], *, resolved: bool) -> tuple[dict[str, Any] | None, str]:
    """The answer to a lead as typed, or what is wrong with it."""
    asked: dict[str, Any] = {"lead_id": "preview", "top_k": 5, "conflict_resolved": resolved}
    asked |= {k: v for k, v in given.items() if v and k not in ("employee_count", "products", "value")}
    if given["country"]:
        asked["country"] = given["country"].upper()
    asked["products"] = [p.strip() for p in given["products"].replace("|", ",").split(",") if p.strip()]
    if given["employee_count"]:
        text = given["employee_count"].replace(",", "")
        asked["employee_count"] = int(text) if text.isdigit() else text
    if given["value"]:
        asked["estimated_value"] = {"amount": given["value"].replace(",", ""), "currency": "USD"}
    try:
        wanted = wanted_of(LeadRequest.model_validate(asked), cases.routing.settings)
        return preview(cases.routing.routing, wanted), ""
    except ValidationError as error:
        return None, fault_of(error.errors()[0])
    except InputError as error:
        return None, str(error)


def fault_of(error: Mapping[str, Any]) -> str:
    """What is wrong with a field, and what it takes, for people."""
    name = str(error["loc"][0])
    if name == "estimated_value":
        name = "value"
    field = FIELDS.get(name, "The lead")
    return f"{field}: {TAKES[name]}" if name in TAKES else f"{field}: {error['msg']}."


def _others(found: Mapping[str, Any] | None, console: Console, partner: str) -> list[dict[str, Any]]:
    """Candidates that are not offered the lead: the best of the eligible, then those with a code."""
    if found is None:
        return []
    names = console.directory.all()
    rows = [
        {**c, "name": names[c["partner_id"]].name if c["partner_id"] in names else c["partner_id"]}
        for c in found["candidates"]
    ]
    text = partner.casefold()
    if text:
        rows = [r for r in rows if text in r["name"].casefold() or text in r["partner_id"].casefold()]
    rows.sort(key=lambda r: (r["excluded"] is not None, -(r.get("expected_gain") or 0.0), r["partner_id"]))
    return rows[:SHOWN]
