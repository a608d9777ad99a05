"""B1: bodies that are not JSON, JSON that is refused, and every field of a good body made wrong."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from serving.guard import Guard
from serving.routes import ROUTES
from tests.faults.harness import Outcome, judged
from tests.faults.target import Target, broken_worker, guarded, of_served, served_product
from tests.functional.serving.bodies import bad_bodies
from tests.functional.serving.test_hostile import JSON, POSTS, fault_of_refusal, filled

TITLE = "A bad body is a 4xx with a pointer on every route, and writes nothing"
QUICK, FULL = 150, 10_000  # bodies in all, at least five a route; in full each of some five hundred to each
SHARES_PRODUCT = True


def run(size: int) -> Outcome:
    """Bodies spread evenly over all kinds, to every route."""
    every = list(bad_bodies())
    with served_product() as served:
        share = max(size // len(POSTS), 5)
        return _tried(of_served(served), every, paths=POSTS, step=max(len(every) // share, 1))


def planted() -> Outcome:
    """The same against a guard that leaves unknown fields out."""
    unknown = [b for b in bad_bodies() if b"unknown_field" in b]
    with broken_worker(lambda world: guarded(world, by=Lenient)) as target:
        return _tried(target, unknown[:3], paths=POSTS[:1])


def _tried(target: Target, bodies: Sequence[bytes], *, paths: Sequence[str], step: int = 1) -> Outcome:
    before, faults, tried = target.rows_written(), [], 0
    for number, path in enumerate(paths):
        # Each route begins elsewhere, so that all of them together get all kinds.
        for body in bodies[number % step :: step]:
            fault = _fault(target, "POST", path, body)
            faults += [f"{path} {body[:80]!r}: {fault}"] if fault else []
            tried += 1
    for route in ROUTES:
        if route.body:
            continue
        for body in bodies[:: max(len(bodies) // (20 if step == 1 else 3), 1)]:
            if not body:
                continue
            fault = _fault(target, route.method, filled(route.path), body)
            faults += [f"{route.path} {body[:80]!r}: {fault}"] if fault else []
            tried += 1
    written = target.rows_written() - before
    faults += [f"{written} decisions were written"] if written else []
    return judged(tried, faults, f"{tried} bad bodies, 0 × 5xx, 0 rows written")


def _fault(target: Target, method: str, path: str, body: bytes) -> str:
    try:
        return fault_of_refusal(target.call(method, path, content=body, headers=JSON))
    except Exception as error:
        return f"no answer ({type(error).__name__})"


class Lenient(Guard):
    """Leaves out what it does not know instead of refusing it."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def known_fields_only() -> Any:
            message = await receive()
            if not message.get("body"):
                return message
            body = json.loads(message["body"])
            body.pop("unknown_field", None)
            return {**message, "body": json.dumps(body).encode()}

        await super().__call__(scope, known_fields_only, send)
