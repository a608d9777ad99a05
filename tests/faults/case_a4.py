"""A4: who may see and touch what: every route, every role, objects of one's own and of others."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from features.matrix import FeatureMatrix
from models.alerts.playbook import standard_playbook
from models.alerts.settings import AlertSettings
from serving.auth import Identity, create_key
from serving.health.night import Night, Rules
from serving.health.queue import AlertQueue, Wanted
from serving.health.refresh import refresh
from serving.partners import Shelter
from serving.routes import ROLES, ROUTES, Route
from serving.view import Partners
from tests.faults.harness import Outcome, judged
from tests.unit.serving.world import AS_OF, NOW, World, open_world, partner_frame

TITLE = (
    "Nobody reads or changes what is another's, on any route of the table; another's object does not exist"
)
QUICK, FULL = 1, 1
ADMIN = Identity("", "test", "admin")
MANAGER = "channel_manager"
OTHERS = "theirs-"
LOW = AlertSettings(
    at_risk_from=0.06, recover_below=0.05, watch_from=0.055, ok_below=0.045, holdout_share=0.0
)
PARTNER, ALERT, WEBHOOK, PUBLIC, UNKNOWN = "partner", "alert", "webhook", "public", "unknown"
# What an object in a path is. A parameter without a line here is a fault of the case: say whose it is.
PARAMETERS = {
    "partner_id": PARTNER, "alert_id": ALERT, "webhook_id": WEBHOOK, "name": PUBLIC,
    # Of these there are none in this world: another's cannot be told from none by their own tests.
    "decision_id": UNKNOWN, "list_id": UNKNOWN, "prospect_id": UNKNOWN, "override_id": UNKNOWN,
    "change_id": UNKNOWN, "job_id": UNKNOWN, "lead_id": UNKNOWN,
}  # fmt: skip
SOON = "2026-12-24"
OVERRIDE = {"state": "at_risk", "reason": "x", "expires_at": "2026-12-24T00:00:00Z"}
# A body for every route that takes one; `{partner}` becomes a partner's id.
BODIES: dict[str, Any] = {
    "/v1/churn/score": {"partner_ids": ["{partner}"], "horizons_days": [90], "max_reasons": 1},
    "/churn_score": {"partner_ids": ["{partner}"], "horizons_days": [90], "max_reasons": 1},
    "/v1/partners/{partner_id}/override": OVERRIDE,
    "/v1/partners/{partner_id}/override/withdraw": {},
    "/v1/alerts/{alert_id}/acknowledge": {},
    "/v1/alerts/{alert_id}/assign": {"assignee": "Robin"},
    "/v1/alerts/{alert_id}/snooze": {"until": SOON, "reason": "x"},
    "/v1/alerts/{alert_id}/close": {"outcome": "saved"},
    "/v1/events": {"events": [{"event_id": "E1", "partner_id": "{partner}", "event_type": "x",
                               "event_at": "2026-01-01T00:00:00Z"}]},
    "/v1/webhooks": {"url": "https://example.com/"},
    "/v1/webhooks/{webhook_id}/rotate": {},
    "/v1/webhooks/{webhook_id}/disable": {},
    "/v1/webhooks/{webhook_id}/revive": {},
    "/v1/models/{name}/score": {"rows": [{"partner_id": "X", "features": {}}]},
    "/v1/fit/score": {"prospects": [{"prospect_id": "X"}]},
    "/fit_score": {"prospects": [{"prospect_id": "X"}]},
    "/v1/fit/lists/{list_id}/dry-run": {"mapping": {"name": "name"}},
    "/v1/fit/lists/{list_id}/confirm": {},
    "/v1/fit/lists/{list_id}/outcomes": {"outcomes": [{"prospect_id": "X", "succeeded": True}]},
    "/v1/fit/lists/{list_id}/overrides": {"prospect_id": "X", "value": "strategic", "reason": "x",
                                          "expires_at": SOON},
    "/v1/tiers/recommend": {"partner_ids": ["{partner}"]},
    "/recommend_tier": {"partner_ids": ["{partner}"]},
    "/v1/tiers/changes/{change_id}/approve": {"reason": "x"},
    "/v1/tiers/changes/{change_id}/reject": {"reason": "x"},
    "/v1/partners/{partner_id}/tier/override": {"tier": "gold", "reason": "x",
                                                "expires_at": "2026-12-24T00:00:00Z"},
    "/v1/partners/{partner_id}/tier/override/withdraw": {},
    "/v1/tiers/simulate": {},
    "/v1/leads/route": {"lead_id": "L1"},
    "/route_lead": {"lead_id": "L1"},
    "/v1/leads/assign": {"leads": [{"lead_id": "L1"}]},
    "/v1/leads/{lead_id}/response": {"partner_id": "{partner}", "response": "accepted"},
    "/v1/leads/{lead_id}/outcome": {"outcome": "won"},
    "/v1/leads/{lead_id}/erase": {},
    "/v1/registrations/check": {"company": "Acme"},
    "/v1/partners/{partner_id}/routing": {},
}  # fmt: skip
CONFIG = "config_version: 1\nserving: {denials_per_minute: 5000}\n"
QUERIES = {"/v1/alerts/as-of": "?date=2026-11-20", "/console/alerts/as-of": "?date=2026-11-20"}
# Objects that a manager's own key must really reach, so that a wall in front of everybody is found out.
REACHED = (
    "/v1/partners/{partner_id}/churn", "/v1/partners/{partner_id}/health", "/v1/alerts/{alert_id}",
    "/v1/alerts/{alert_id}/acknowledge", "/v1/alerts/{alert_id}/close",
)  # fmt: skip


def run(size: int) -> Outcome:
    """All rows of the table."""
    del size
    with matrix_world() as matrix:
        return matrix.judge(ROUTES)


def planted() -> Outcome:
    """The same with a queue that shows everybody everything."""
    with matrix_world() as matrix:
        queue: Any = matrix.world.runtime.use_cases.partner_health.queue
        kind = type(queue)

        class Open(kind):  # type: ignore[misc, valid-type]
            def one(self, alert_id: str, *, identity: Identity) -> dict[str, Any]:
                del identity
                return dict(AlertQueue.one(self, alert_id, identity=ADMIN))

        queue.__class__ = Open
        rows = tuple(r for r in ROUTES if "alert" in r.path and r.method == "GET")
        return matrix.judge((*rows, Route("GET", "/v1/somebody/{else_id}", frozenset({"admin"}))))


@dataclass
class Matrix:
    """A world with partners, alerts and webhooks of two managers, and the calls made in it."""

    world: World
    objects: dict[str, tuple[str, str, str]]
    faults: list[str] = field(default_factory=list)
    tried: int = 0

    def judge(self, routes: tuple[Route, ...]) -> Outcome:
        for route in routes:
            for problem in self._row(route):
                self.faults.append(f"{route.method} {route.path}: {problem}")
        told = f"{len(routes)} routes x {len(ROLES)} roles, {self.tried:,} calls, 0 leaks"
        return judged(self.tried, self.faults, told)

    def _row(self, route: Route) -> Iterator[str]:
        names = re.findall(r"\{(\w+)\}", route.path)
        missing = [n for n in names if n not in PARAMETERS]
        if missing:
            yield f"no row says whose a {missing[0]} is"
            return
        if route.body and route.path not in BODIES:
            yield "no row has a body for it"
            return
        if route.roles is not None:
            yield from self._strangers(route)
        for role in ROLES:
            if route.roles is not None and role in route.roles:
                yield from self._friends(route, role, names)

    def _strangers(self, route: Route) -> Iterator[str]:
        status = self._call(route, None, 0)[0]
        if status not in (401, 303):
            yield f"{status} without a key"
        for role in set(ROLES) - (route.roles or set()):
            status, text = self._call(route, role, 0)
            if status != 403 or OTHERS in text:
                yield f"{status} for the role {role}"

    def _friends(self, route: Route, role: str, names: list[str]) -> Iterator[str]:
        own, others, none = (self._call(route, role, which) for which in range(3))
        if any(status >= 500 and status != 503 for status, _ in (own, others, none)):
            yield f"{role} gets {own[0]}, {others[0]}, {none[0]}"
        scoped = role == MANAGER or (names and PARAMETERS[names[0]] == WEBHOOK and role != "admin")
        if not scoped:
            return
        if names and PARAMETERS[names[0]] in (PARTNER, ALERT, WEBHOOK):
            if others != none:
                yield f"for {role} another's differs from none: {others[0]} against {none[0]}"
            if others[0] == 200:
                yield f"for {role} another's answers 200"
        elif "{partner}" in str(BODIES.get(route.path)) and others != none:
            yield f"for {role} another's partner in the body differs from none"
        if role == MANAGER and any(OTHERS in text for _, text in (own, others, none)):
            yield f"for {role} the answer names another's partner"
        if role == MANAGER and route.path in REACHED and own[0] != 200:
            yield f"{role} does not reach its own: {own[0]}"

    def _call(self, route: Route, role: str | None, which: int) -> tuple[int, str]:
        """Status and text, with the object's own name taken out, so that two answers can be compared."""
        self.tried += 1
        path, said = route.path, [self.objects[PARTNER][which]]
        for name in re.findall(r"\{(\w+)\}", path):
            value = self.objects.get(PARAMETERS.get(name, UNKNOWN), ("none-0", "none-1", "none-2"))[which]
            path, said = path.replace("{" + name + "}", value), [*said, value]
        more: dict[str, Any] = {}
        if route.body:
            more["json"] = _filled(BODIES.get(route.path, {}), self.objects[PARTNER][which])
        elif route.form == "fields":
            more["data"] = {"reason": "x", "assignee": "x", "until": SOON, "outcome": "saved", "state": "ok"}
        elif route.form == "upload":
            more["files"] = {"file": ("x.csv", b"a,b\n1,2\n", "text/csv")}
        if route.native:
            return 200 if role and role in (route.roles or ()) else (403 if role else 401), ""
        answer = self.world.call(route.method, path + QUERIES.get(route.path, ""), role=role, **more)
        text = answer.text
        for word in said:
            text = text.replace(word, "IT")
        return answer.status_code, re.sub(r'"instance":\s*"[^"]*"|[0-9a-f]{16}', "", text)


def _filled(body: Any, partner: str) -> Any:
    if isinstance(body, dict):
        return {k: _filled(v, partner) for k, v in body.items()}
    if isinstance(body, list):
        return [_filled(v, partner) for v in body]
    return partner if body == "{partner}" else body


@contextmanager
def matrix_world() -> Iterator[Matrix]:
    """Twenty partners of M1 and twenty of M2, alerts for both, a webhook of each of two keys."""
    with tempfile.TemporaryDirectory(prefix="a4-") as name:
        folder = Path(name)
        _shelter(folder / "workspace")
        world = open_world(folder, config=CONFIG)
        shared = world.runtime.shared
        try:
            night = Night(shared.view(), NOW - timedelta(hours=4), lambda n: np.random.bytes(n))
            refresh(shared.database, night, Rules(LOW, standard_playbook(), ("deals.won",), 180))
            yield Matrix(world, _objects(world))
        finally:
            world.runtime.stop()


def _shelter(workspace: Path) -> None:
    frame = partner_frame(40, seed=5)
    frame.index = [f"mine-{i:02d}" if i < 20 else f"{OTHERS}{i:02d}" for i in range(40)]
    frame.index.name = "partner_id"
    matrix = FeatureMatrix.of(frame, features_as_of=[AS_OF] * 40)
    managers = {p: "M2" if p.startswith(OTHERS) else "M1" for p in frame.index}
    shelter = Shelter(workspace / "matrix", workspace / "serving" / "partners.json")
    shelter.write(Partners(matrix, managers, NOW), with_matrix=True)


def _objects(world: World) -> dict[str, tuple[str, str, str]]:
    cases = world.runtime.use_cases.partner_health
    found = cases.queue.page(Wanted(limit=500), identity=ADMIN)["alerts"]
    alerts = {
        manager: next(a["alert_id"] for a in found if a["manager_id"] == manager) for manager in ("M1", "M2")
    }
    database = world.runtime.shared.database
    other = create_key(database, owner="another", role="prm", now=NOW, random=lambda n: np.random.bytes(n))
    world.keys["another prm"] = other
    mine = world.call("POST", "/v1/webhooks", role="prm", json={"url": "https://example.com/"}).json()
    theirs = world.call(
        "POST", "/v1/webhooks", role="another prm", json={"url": "https://example.com/"}
    ).json()
    return {
        PARTNER: ("mine-03", f"{OTHERS}25", "nobody-99"),
        ALERT: (alerts["M1"], alerts["M2"], "alr_00000000000000000000000000"),
        WEBHOOK: (mine["webhook_id"], theirs["webhook_id"], "whk_00000000000000000000000000"),
        PUBLIC: ("churn", "churn", "churn"),
    }
