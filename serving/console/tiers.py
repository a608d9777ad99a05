"""Tiers: the review list people decide on, and other rules tried before anybody moves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, get_args

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from data.errors import InputError, NotFoundError
from serving.auth import Identity
from serving.console.forms import read_form
from serving.console.pages import console_of, identity_of
from serving.console.render import page
from serving.errors import UnavailableError

if TYPE_CHECKING:
    from serving.console.rooms import Cases

State = Literal["open", "approved", "rejected", "lapsed"]
STATES: Mapping[str, str] = {
    "open": "To decide", "approved": "Approved", "rejected": "Rejected", "lapsed": "No longer recommended",
}  # fmt: skip
Step = Literal["approve", "reject"]
DONE: Mapping[str, str] = {
    "approve": "Approved. The tier holds from now on.",
    "reject": "Rejected. The reason is in the audit log.",
}
MOST_MOVES = 50


def mount(router: APIRouter, use_cases: Callable[[], Cases]) -> None:
    """Add the pages."""
    _list(router, use_cases)
    _decide(router, use_cases)
    _simulator(router, use_cases)


def _list(router: APIRouter, use_cases: Callable[[], Cases]) -> None:
    @router.get("/console/tiers")
    def listing(request: Request) -> Response:
        console, identity, query = console_of(use_cases), identity_of(request), request.query_params
        state: Any = query.get("state", "open")
        state = state if state in get_args(State) else "open"
        change: Any = query.get("change", "")
        change = change if change in ("promote", "demote") else None
        tiers = use_cases().tiers
        found = tiers.reviewing.changes(
            identity=identity, state=state, change=change, cursor=query.get("cursor") or None
        )
        version, policy = tiers.rules.current(at=console.clock())
        return page(
            request,
            "tiers.html",
            state=state,
            states=STATES,
            change=change or "",
            changes=[
                {
                    **c,
                    "company": console.directory.company(c["partner_id"]),
                    "peers": _peers(use_cases(), c["partner_id"], identity),
                }
                for c in found["changes"]
            ],
            next_cursor=found["next_cursor"],
            policy=policy,
            version=version,
            cuts={t.name: t.cut for t in policy.tiers},
            note=DONE.get(query.get("done", ""), ""),
        )


def _peers(cases: Cases, partner_id: str, identity: Identity) -> list[str]:
    """Where the partner stands, in a few words a figure; empty where all is withheld, or it has left."""
    try:
        told = cases.tiers.comparing.of_partner(partner_id, identity=identity)["benchmarks"]
    except (NotFoundError, UnavailableError):
        return []
    return [f"{b['label'].lower()} {b['percentile']}" for b in told if b["percentile"] is not None]


def _decide(router: APIRouter, use_cases: Callable[[], Cases]) -> None:
    def added(step: Step) -> None:
        @router.post(f"/console/tiers/{{change_id}}/{step}")
        async def decide(request: Request, change_id: str) -> Response:
            form, identity = await read_form(request), identity_of(request)
            reason = form.text("reason", most=2000)
            reviewing = use_cases().tiers.reviewing
            await run_in_threadpool(
                lambda: reviewing.decide(change_id, step, reason=reason, identity=identity)
            )
            return RedirectResponse(f"/console/tiers?done={step}", status_code=303)

    for step in get_args(Step):
        added(step)


@dataclass(frozen=True)
class Slider:
    """One figure of the policy that can be moved.

    Attributes:
        name: Field of the form.
        label: For people.
        value: Chosen now.
        force: In force.
        low: Least.
        high: Greatest.
        step: Step.
        unit: For display.
    """

    name: str
    label: str
    value: float
    force: float
    low: float
    high: float
    step: float
    unit: str = ""


def _simulator(router: APIRouter, use_cases: Callable[[], Cases]) -> None:
    @router.get("/console/tiers/simulator")
    def simulator(request: Request) -> Response:
        console, tiers = console_of(use_cases), use_cases().tiers
        version, policy = tiers.rules.current(at=console.clock())
        sliders, tried = moved_policy(policy.to_json(), request.query_params)
        found, fault = None, out_of_order(tried)
        try:
            found = None if fault else tiers.trying.simulate(tried)
        except InputError as error:
            fault = error.message
        moves = found["moves"][:MOST_MOVES] if found else []
        return page(
            request,
            "tiers_simulator.html",
            version=version,
            policy=policy,
            sliders=sliders,
            found=found,
            fault=fault,
            moves=[{**m, "company": console.directory.company(m["partner_id"])} for m in moves],
            changed=any(s.value != s.force for s in sliders),
        )


def out_of_order(policy: Mapping[str, Any]) -> str:
    """Which tiers begin no higher than the one below them; '' where all do."""
    for low, high in pairwise(policy["tiers"]):
        if high["cut"] <= low["cut"]:
            return (
                f"{high['name'].capitalize()} must begin above {low['name']}, and {low['name']} begins at "
                f"{low['cut']:g}. Move one of the two."
            )
    return ""


def moved_policy(policy: Mapping[str, Any], given: Mapping[str, str]) -> tuple[list[Slider], dict[str, Any]]:
    """The figures of a policy as sliders, and the policy with those that were moved.

    Args:
        policy: In force, as JSON.
        given: Query parameters: `cut-<tier>` and `gate-<tier>-<number>`.

    Returns:
        Sliders in order of tiers, and the policy to try.
    """
    tried, sliders = deepcopy(dict(policy)), []
    for place, tier in enumerate(tried["tiers"]):
        if place:
            slider = _slider(
                f"cut-{place}", f"{tier['name']} begins at", tier["cut"], given, 1, 100, 1, "points"
            )
            tier["cut"] = slider.value
            sliders.append(slider)
        for number, gate in enumerate(tier.get("gates", ())):
            high = max(10.0, 3 * gate["least"])
            name, label = f"gate-{place}-{number}", f"{tier['name']} asks for: {gate['label']}"
            slider = _slider(name, label, gate["least"], given, 0, high, 1, gate.get("unit", ""))
            gate["least"] = slider.value
            sliders.append(slider)
    return sliders, tried


def _slider(
    name: str,
    label: str,
    force: float,
    given: Mapping[str, str],
    low: float,
    high: float,
    step: float,
    unit: str,
) -> Slider:
    try:
        value = float(given.get(name, force))
    except ValueError:
        value = force
    # NaN fails every comparison, so it must not survive the clamp.
    value = min(max(value, low), high) if value == value else force
    return Slider(name, label, value, float(force), low, high, step, unit)
