"""A1: pickled bodies, which BentoML would unpickle if they were let through."""

from __future__ import annotations

import json
import pickle
import tempfile
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

from serving.guard import Guard
from serving.routes import ROUTES
from tests.faults.harness import Outcome, judged
from tests.faults.target import Target, broken_worker, guarded, of_served, served_product
from tests.functional.serving.test_hostile import PICKLE_TYPES, Bomb, filled

TITLE = "A pickled body is refused on every route, however its type is spelt, and nothing runs"
QUICK, FULL = 1, 6  # pickle protocols; the quick size spreads spellings and methods over the routes
SHARES_PRODUCT = True
RUNNER = {
    "payload-container": "DefaultContainer",
    "payload-meta": '{"format": "default"}',
    "args-number": "1",
}


def run(size: int) -> Outcome:
    """Every route, three methods, six spellings, with and without BentoML's own headers."""
    with served_product() as served:
        return _tried(of_served(served), protocols=range(size), spellings=PICKLE_TYPES, thin=size < FULL)


def planted() -> Outcome:
    """The same against a guard that unpickles what says it is a pickle."""
    with broken_worker(lambda world: guarded(world, by=Unpickling)) as target:
        return _tried(target, protocols=(2,), spellings=PICKLE_TYPES[:1])


def _tried(
    target: Target, *, protocols: Sequence[int], spellings: Sequence[str], thin: bool = False
) -> Outcome:
    faults, tried = [], 0
    with tempfile.TemporaryDirectory() as folder:
        mark = Path(folder) / "ran"
        for protocol in protocols:
            body = pickle.dumps(Bomb(mark), protocol=protocol)
            every = list(product(spellings, ({}, RUNNER), ("POST", "GET", "PUT")))
            for number, route in enumerate(ROUTES):
                for spelling, extra, method in every[number % 5 :: 5] if thin else every:
                    headers = {"content-type": spelling, **extra}
                    answer = target.call(method, filled(route.path), content=body, headers=headers)
                    tried += 1
                    problem = answer.headers.get("content-type") == "application/problem+json"
                    if not (400 <= answer.status_code < 500 and problem):
                        faults.append(f"{method} {route.path} {spelling}: {answer.status_code}")
        if mark.exists():
            faults.append("a pickle was executed")
    return judged(tried, faults, f"{tried} pickled bodies, all 4xx, 0 executed")


class Unpickling(Guard):
    """Reads a pickle as if it were JSON."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = dict(scope["headers"])
        if b"pickle" in headers.get(b"content-type", b""):
            value = pickle.loads((await receive())["body"])
            body = json.dumps({"rows": [value]}).encode()
            scope = {**scope, "headers": [*{**headers, b"content-type": b"application/json"}.items()]}

            async def receive() -> Any:
                return {"type": "http.request", "body": body, "more_body": False}

        await super().__call__(scope, receive, send)
