"""F4: last-known features that are too old: rules for routing, 503 for scores, never an expired score."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

from serving.auth import Identity
from serving.errors import UnavailableError
from serving.routing.feed import Ready
from serving.scoring import Wish
from serving.view import Served
from tests.faults.harness import Outcome, judged
from tests.unit.routing.shop import NOW, Shop, shop
from tests.unit.serving.world import small_bundle

TITLE = "features past their greatest age give rules for routing and 503 for scores, never an expired score"
SLOW = True
QUICK, FULL = 8, 60
LIMIT = timedelta(hours=168)
ADMIN = Identity("k", "admin", "admin")


def run(size: int) -> Outcome:
    """Ages around the limit, store dead and store well."""
    with tempfile.TemporaryDirectory(prefix="f4-") as folder, shop(Path(folder), capacity=10_000) as made:
        faults = [f for n in range(size) for f in around(made, n, size)]
    return judged(2 * size, faults, f"{size} ages around {LIMIT.days} days")


def planted() -> Outcome:
    """A service to which last-known features never expire."""
    with (
        tempfile.TemporaryDirectory(prefix="f4-") as folder,
        shop(Path(folder)) as made,
        patch.object(Ready, "expired", lambda self, now, hours: False),
    ):
        return judged(1, list(around(made, 3, 4)), "")


def around(made: Shop, n: int, size: int) -> Iterator[str]:
    """One age; half of them past the limit."""
    away = timedelta(seconds=1) * 10 ** (n % 5) * (1 if n >= size // 2 else -1)
    for dead in (True, False):
        yield from _asked(made, LIMIT + away, dead=dead)


def _asked(made: Shop, age: timedelta, *, dead: bool) -> Iterator[str]:
    partners = made.view.partners
    assert partners is not None
    made.clock.at = NOW + age
    seen = replace(partners, confirmed_at=NOW if dead else made.clock.at, degraded=dead)
    churn = {"churn": Served(small_bundle(), "7", "registry")}
    made.see(partners=seen, models={**made.view.models, **churn})
    found = made.route()
    expired = dead and age > LIMIT
    if (found["by"], found["degraded"]) != ("rules" if expired else "model", dead):
        yield f"age {age}, dead {dead}: routed by {found['by']}, degraded {found['degraded']}"
    if expired and any(m["win_probability"] for m in found["matches"]):
        yield f"age {age}: an expired score was shown"
    if _refused(made) != expired:
        yield f"age {age}, dead {dead}: a score was {'given' if expired else 'refused'}"


def _refused(made: Shop) -> bool:
    scoring: Any = made.runtime.use_cases.scoring
    with patch.object(scoring, "_view", lambda: made.view):
        try:
            scoring.churn_of_partners(["P0001"], Wish((90,)), identity=ADMIN)
        except UnavailableError:
            return True
    return False
