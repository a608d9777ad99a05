"""A8: an e-mail address and a token, sent wherever something can be sent, and then looked for everywhere."""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import text

from serving.guard import Guard
from serving.routes import ROUTES
from tests.faults.contract import objects, posts, with_field
from tests.faults.harness import Outcome, judged
from tests.faults.target import Target, broken_worker, guarded, of_served, served_product
from tests.functional.serving.test_hostile import JSON, filled
from tests.unit.serving.world import good_row

TITLE = "An e-mail address or a token that is sent anywhere is in no log, metric, error or file but the store"
QUICK, FULL = 1, 5  # canaries
SHARES_PRODUCT = True
STORE = "state.db"
# Where what people sent is kept: each has its own rules of who reads it, and of erasing.
KEEPERS = {"decisions", "routing_leads", "routing_personal", "idempotency_keys", "routing_offers", "outbox"}
# A person is kept in one place only, where it can be erased.
PERSONAL = {"routing_personal"}


def run(size: int) -> Outcome:
    """The canary in every text of every body, in paths, queries and headers; then a search of everything."""
    with served_product() as served:
        target, sent, faults = of_served(served), 0, []
        for _ in range(size):
            canary = f"canary-{secrets.token_hex(6)}@example.com"
            person = f"person-{secrets.token_hex(6)}@example.com"
            count, told = _send(target, canary)
            routed = target.call("POST", "/v1/leads/route", **lead_of(person))
            sent += count + 1
            needles = {"the canary": canary, "the person": person, **_secrets(served.keys)}
            faults += told + list(_repeated(routed, person, "POST /v1/leads/route"))
            faults += list(_found_in_files(served.workspace, served.log, needles))
            faults += list(_found_in_tables(target, needles))
            page = target.call("GET", "/metrics").text
            faults += [f"{what} is in the metrics" for what, needle in needles.items() if needle in page]
    return judged(sent, faults, f"{sent} requests, 0 occurrences outside the store")


def planted() -> Outcome:
    """The same against a guard that logs what it could not read."""
    with broken_worker(lambda world: guarded(world, by=Talkative)) as target:
        canary = "canary-planted@example.com"
        _send(target, canary, routes=2)
        return judged(1, ["the canary is in the log"] if canary in "".join(TALK) else [], "")


def _secrets(keys: dict[str, str]) -> dict[str, str]:
    return {f"the {role}'s key": key.split("_")[2] for role, key in keys.items()}


def _send(target: Target, canary: str, *, routes: int = 10_000) -> tuple[int, list[str]]:
    """How many requests carried it, and what answers said that should not have."""
    document = target.call("GET", "/openapi.json", role=None).json()
    sent, faults = 0, []
    for method, url, more in _requests(document, canary, routes):
        with contextlib.suppress(httpx.HTTPError):
            answer = target.call(method, url, **more)
            sent += 1
            faults += list(_repeated(answer, canary, f"{method} {url.replace(canary, '…')}"))
    return sent, faults


def _requests(document: Any, canary: str, routes: int) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, body in list(posts(document))[:routes]:
        url = filled(path.replace("{name}", "churn"))
        for number, (pointer, key) in enumerate(_texts(body)):
            key_of_call = {"idempotency-key": f"{canary}-{number}"}
            yield "POST", url, {"json": with_field(body, pointer, key, canary), "headers": key_of_call}
        yield "POST", url, {"json": {**body, canary: canary}}
        yield "POST", url, {"content": f'{{"{canary}": '.encode(), "headers": JSON}
        yield "POST", url, {"content": canary.encode(), "headers": {"content-type": f"text/plain; {canary}"}}
    yield "POST", "/v1/churn/score", {"json": {"rows": [good_row(canary, country=canary)]}}
    for route in ROUTES[:routes]:
        if "{" in route.path:
            yield route.method, filled(route.path).replace("churn", canary, 1), {}
        headers = {
            "x-forwarded-for": canary,
            "user-agent": canary,
            "referer": canary,
            "cookie": f"a={canary}",
        }
        yield route.method, f"{filled(route.path)}?{canary}={canary}", {"headers": headers}
        yield route.method, filled(route.path), {"headers": {"authorization": f"Bearer {canary}"}}
    yield "GET", f"/{canary}", {}
    yield "POST", "/console/sign-in", {"data": {"key": canary, canary: canary}, "role": None}


def lead_of(person: str) -> dict[str, Any]:
    """A lead that names a person."""
    contact = {"email": person, "name": f"{person} Müller", "phone": f"+49 {person}"}
    lead = {"lead_id": f"L-{secrets.token_hex(4)}", "company": "A GmbH", "country": "DE", "contact": contact}
    return {"json": lead, "headers": {"idempotency-key": secrets.token_hex(8)}}


def _texts(body: Any) -> Iterator[tuple[str, str]]:
    for pointer, inner in objects(body):
        yield from ((pointer, key) for key, value in inner.items() if isinstance(value, str))


def _repeated(answer: httpx.Response, canary: str, what: str) -> Iterator[str]:
    """A problem must not say again what it was given; a pointer may name the field that was sent."""
    if answer.status_code >= 500 and answer.status_code != 503:
        yield f"{what}: {answer.status_code}"
    if answer.headers.get("content-type", "").startswith("application/problem+json"):
        told = answer.json()
        told["errors"] = [e["detail"] for e in told.get("errors") or []]
        if canary in json.dumps(told):
            yield f"{what}: the problem repeats it: {json.dumps(told)[:200]}"
    if any(canary in value for value in answer.headers.values()):
        yield f"{what}: a header repeats it"


def _found_in_files(workspace: Path, log: Path, needles: dict[str, str]) -> Iterator[str]:
    for path in [log, *workspace.rglob("*")]:
        if path.is_file() and not path.name.startswith(STORE):
            content = path.read_bytes()
            for what, needle in needles.items():
                if needle.encode() in content:
                    yield f"{what} is in {path.relative_to(workspace.parent)}"


def _found_in_tables(target: Target, needles: dict[str, str]) -> Iterator[str]:
    """Tables that keep what was sent may hold the canary; no table may hold a key."""
    with target.database.read() as connection:
        names = (
            connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'table'")).scalars().all()
        )
        for table in names:
            content = repr(connection.execute(text(f'SELECT * FROM "{table}"')).all())
            for what, needle in needles.items():
                allowed = {"the canary": KEEPERS, "the person": PERSONAL}.get(what, set())
                if needle in content and table not in allowed:
                    yield f"{what} is in table {table}"


TALK: list[str] = []


class Talkative(Guard):
    """Writes down what it was asked."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        TALK.append(f"{scope['path']} {scope['query_string']!r}")
        await super().__call__(scope, receive, send)
