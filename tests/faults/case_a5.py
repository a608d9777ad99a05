"""A5: fields that only the server may set, sent by clients; and fields of answers that the contract lacks."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from serving.guard import Guard
from serving.routes import ROLES
from tests.faults.contract import Document, extras, objects, posts, with_field
from tests.faults.harness import Outcome, judged
from tests.faults.target import Target, broken_worker, guarded, of_served, served_product
from tests.functional.serving.test_hostile import filled
from tests.unit.serving.world import good_row

TITLE = "Fields that only the server may set are refused wherever they are sent; answers have no others"
QUICK, FULL = 60, 1_000_000  # places in bodies that are tried
SHARES_PRODUCT = True
SERVER_OWNED = (
    "decision_id", "model_version", "policy_version", "manifest_sha256", "created_at", "updated_at",
    "known_at", "owner", "key_id", "role", "manager_id", "author", "propensity", "value_cents", "score",
    "health_score", "fit_score", "churn_probability", "win_probability", "respond_by", "offered_to", "seq",
    "audit", "__class__",
)  # fmt: skip
QUERIES = ("manager_id", "owner", "role", "as_of", "known_at", "now", "debug", "admin")
PERSONAL_OR_SECRET = (
    "secret_sha256",
    "password",
    "salt",
    "session_id",
    "body_sha256",
    "lease_until",
    "token",
)
ONCE_SHOWN = "secret"  # of a webhook, when it is made or rotated


def run(size: int) -> Outcome:
    """Every object in the body of every call gets every field; answers to every role are read."""
    with served_product() as served:
        target = of_served(served)
        document = target.call("GET", "/openapi.json", role=None).json()
        places = list(_places(document))
        chosen = places[:: max(len(places) // size, 1)]
        accepted = [f for p in chosen if (f := _fault(target, *p))]
        queries = list(_queries(document))
        accepted += [f"{path}?{q} was accepted" for path, q in queries if _takes(target, path, q)]
        read, extra = _answers(target, document)
    told = f"{len(chosen) + len(queries)} sent, 0 accepted; {read} answers of {len(ROLES)} roles, 0 extra"
    return judged(len(chosen) + len(queries) + read, [*accepted, *extra], told)


def planted() -> Outcome:
    """The same against a guard that leaves out what only the server may set."""
    with broken_worker(lambda world: guarded(world, by=Forgiving)) as target:
        document = target.call("GET", "/openapi.json", role=None).json()
        places = [p for p in _places(document) if p[0] == "/v1/leads/route" and p[2] == "propensity"]
        return judged(len(places), [f for p in places if (f := _fault(target, *p))], "")


def _places(document: Document) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """(path, pointer of the object, field, body) for everything that can be sent."""
    for path, body in posts(document):
        for pointer, inner in objects(body):
            if pointer and not inner:
                continue  # a rule set of its own language, such as a policy
            for field in SERVER_OWNED:
                if field not in inner:
                    yield path, pointer, field, body


def _fault(target: Target, path: str, pointer: str, field: str, body: dict[str, Any]) -> str:
    """What is wrong with how a body with such a field is answered; empty when it is refused."""
    sent = with_field(body, pointer, field, "7")
    headers = {"idempotency-key": f"{path}-{pointer}-{field}"[:120].replace("/", "-")}
    answer = target.call("POST", filled(path.replace("{name}", "churn")), json=sent, headers=headers)
    told = answer.json()
    faults = told.get("errors") or []
    flat = [e for one in faults for e in (one.get("errors") or [one])]
    if any(e["pointer"].endswith(f"/{field}") for e in flat) and answer.status_code in (200, 422):
        return ""
    if pointer.startswith(("/prospects", "/rows")) and answer.status_code == 404:
        return ""  # rows are looked at once there is a model for them
    return f"{path}{pointer}: {field} was answered {answer.status_code} {json.dumps(told)[:120]}"


def _queries(document: Document) -> Iterator[tuple[str, str]]:
    for path, methods in document["paths"].items():
        if "get" in methods:
            known = {p["name"] for p in methods["get"].get("parameters", [])}
            yield from ((path, q) for q in QUERIES if q not in known)


def _takes(target: Target, path: str, query: str) -> bool:
    if path in ("/livez", "/readyz", "/metrics"):
        return False  # they say the same to everybody
    return target.call("GET", f"{filled(path)}?{query}=1").status_code == 200


def _answers(target: Target, document: Document) -> tuple[int, list[str]]:
    """How many answers were read, and what they hold beside the contract."""
    read, faults = 0, []
    for role in ROLES:
        for method, path, url, body in _calls(target, document, role):
            answer = target.call(method, url, role=role, **({"json": body} if body else {}))
            operation = document["paths"][path][method.lower()]
            faults += [f"{role} {path}: {e}" for e in _extra(answer, operation, document)]
            read += 1
    return read, faults


def _calls(
    target: Target, document: Document, role: str
) -> Iterator[tuple[str, str, str, Mapping[str, Any] | None]]:
    score = {"rows": [good_row("A5")], "horizons_days": [90]}
    yield "POST", "/v1/churn/score", "/v1/churn/score", score
    yield "POST", "/v1/models/{name}/score", "/v1/models/churn/score", {"rows": [good_row("A5")]}
    made = target.call("POST", "/v1/churn/score", json=score, role=role).json()
    for result in made.get("results", ()):
        decision = result["churn_probability"]["90"]["decision_id"]
        yield "GET", "/v1/decisions/{decision_id}", f"/v1/decisions/{decision}", None
    for path, methods in document["paths"].items():
        if "get" in methods and path != "/metrics":
            yield "GET", path, filled(path), None


def _extra(answer: Any, operation: Mapping[str, Any], document: Document) -> Sequence[str]:
    kind = answer.headers["content-type"].split(";")[0]
    described = operation["responses"].get(str(answer.status_code))
    if described is None:
        return [f"status {answer.status_code} is not in the document"]
    if kind not in ("application/json", "application/problem+json"):
        return []
    schema = described.get("content", {}).get(kind, {}).get("schema", {})
    value = answer.json()
    secret = [f"{p}/{k}" for p, o in objects(value) for k in o if k in (*PERSONAL_OR_SECRET, ONCE_SHOWN)]
    return [*extras(value, schema, document), *secret]


class Forgiving(Guard):
    """Leaves out the server's own fields instead of refusing them."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def without() -> Any:
            message = await receive()
            if not message.get("body"):
                return message
            body = {k: v for k, v in json.loads(message["body"]).items() if k not in SERVER_OWNED}
            return {**message, "body": json.dumps(body).encode()}

        await super().__call__(scope, without, send)
