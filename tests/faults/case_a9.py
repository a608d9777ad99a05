"""A9: what the audit log must hold, and what it must notice."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select

from serving import audit
from serving.auth import Identity, create_key, revoke_key
from serving.overrides import Overrides
from serving.policies import InForce, Policies
from serving.routes import ROLES, ROUTES
from serving.state import Database
from serving.tables import AUDIT_LOG
from tests.faults.harness import Outcome, judged
from tests.faults.target import Target, broken_worker, guarded, of_served, served_product
from tests.functional.serving.test_hostile import filled

TITLE = "Every write and every denial is in the audit log, even when many come at once; no edit goes unseen"
QUICK, FULL = 40, 2_000  # denials that come at once
SHARES_PRODUCT = True
ADMIN = Identity("0" * 12, "Kim", "admin")
# Each makes one row of the chain wrong, or takes one out of its middle, or puts one in.
EDITS = (
    "UPDATE audit_log SET actor = actor || '.' WHERE seq = :seq",
    "UPDATE audit_log SET at = '2020-01-01T00:00:00.000000Z' WHERE seq = :seq",
    "UPDATE audit_log SET detail = '{}' || ' ' WHERE seq = :seq",
    "UPDATE audit_log SET action = 'denied ' WHERE seq = :seq",
    "UPDATE audit_log SET object = object || '.' WHERE seq = :seq",
    "UPDATE audit_log SET sha256 = lower(hex(randomblob(32))) WHERE seq = :seq",
    "UPDATE audit_log SET previous_sha256 = sha256 WHERE seq = :seq",
    "DELETE FROM audit_log WHERE seq = :seq",
    "UPDATE audit_log SET seq = 1000000 WHERE seq = :seq",
    "INSERT INTO audit_log SELECT 1000001, at, actor, action, object, detail, sha256, sha256 FROM audit_log"
    " WHERE seq = :seq",
    "UPDATE audit_log SET actor = (SELECT actor FROM audit_log WHERE seq = :seq + 1) || '?' WHERE seq = :seq",
)


def run(size: int) -> Outcome:
    """Writes one by one, denials of every route, many at once from two sides, and then edits of a copy."""
    with served_product() as served:
        target = of_served(served)
        faults = [f for what, write in _writes(target) if (f := _missing(target, what, write))]
        writes = sum(1 for _ in _writes(target))
        denials = list(_denials(target))
        faults += [told for told in denials if told]
        crowd = _at_once(target, size)
        faults += crowd + [f"row {seq} breaks the chain" for seq in audit.broken_rows(target.database)]
        edited = list(_edits(target))
        faults += [f for f in edited if f]
    tried = writes + len(denials) + size + len(edited)
    told = f"{writes} kinds of write, {len(denials)} denials, {size} at once: 0 missing; "
    told += f"{len(edited)} edits seen"
    return judged(tried, faults, told)


def planted() -> Outcome:
    """The same against a worker that tells nobody of wrong roles."""
    with broken_worker(
        lambda world: guarded(world, keep=replace(world.runtime.keep, denied=lambda *_: None))
    ) as target:
        denials = list(_denials(target))
        return judged(len(denials), [d for d in denials if d], "")


def _writes(target: Target) -> Iterator[tuple[str, Callable[[], Any]]]:
    """What changes who may do what, or what holds."""
    database, now = target.database, target.now()
    policies, name = Policies(database), secrets.token_hex(4)
    overrides = Overrides(database, random=secrets.token_bytes)
    made: list[str] = []

    def key() -> None:
        made.append(create_key(database, owner="Kim", role="admin", now=now, random=secrets.token_bytes))

    yield "key.create", key
    yield "key.revoke", lambda: revoke_key(database, made[-1].split("_")[1], now=now)
    yield "policy.add", lambda: policies.add(name, name, {"a": 1}, author="Kim", at=now)
    yield (
        "policy.in_force",
        lambda: policies.put_in_force(name, InForce(1), expected=None, author="Kim", reason="so", at=now),
    )

    def override() -> None:
        given: dict[str, Any] = {"value": 1, "model_value": 0, "reason": "so", "identity": ADMIN, "at": now}
        made.append(overrides.add(name, "P1", expires_at=now + timedelta(1), **given).override_id)

    yield "override.add", override
    yield "override.withdraw", lambda: overrides.withdraw(made[-1], identity=ADMIN, at=now)


def _missing(target: Target, what: str, write: Callable[[], Any]) -> str:
    before = audit.head(target.database)[0]
    write()
    actions = _actions(target, since=before)
    # The product may write rows of its own meanwhile.
    return "" if actions.count(what) == 1 else f"{what} left {actions}"


def _denials(target: Target) -> Iterator[str]:
    """Every protected route without a key and with each wrong role: one row each."""
    for route in ROUTES:
        if route.roles is None or route.page:
            continue
        for role in (None, *(r for r in ROLES if r not in route.roles)):
            before = audit.head(target.database)[0]
            status = target.call(route.method, filled(route.path), role=role).status_code
            actions = _actions(target, since=before)
            good = status == (401 if role is None else 403) and actions.count("denied") == 1
            yield "" if good else f"{route.method} {route.path} as {role}: {status}, audit log {actions}"


def _at_once(target: Target, size: int) -> list[str]:
    """Denials by the server while this process writes too."""
    before = audit.head(target.database)[0]

    def denied(number: int) -> int:
        if number % 4:
            return target.call("GET", "/metrics", role="recruiter").status_code
        audit.append(target.database, at=target.now(), actor="Kim", action="denied", object=str(number))
        return 403

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(denied, range(size)))
    rows = _actions(target, since=before).count("denied")
    faults = [] if rows == size else [f"{size} denials at once left {rows} rows"]
    return faults + [f"a denial was answered {s}" for s in set(statuses) - {403}]


def _actions(target: Target, *, since: int) -> list[str]:
    with target.database.read() as connection:
        query = select(AUDIT_LOG.c.action).where(AUDIT_LOG.c.seq > since).order_by(AUDIT_LOG.c.seq)
        return list(connection.execute(query).scalars())


def _edits(target: Target) -> Iterator[str]:
    """Each edit of a copy of the log must break its chain."""
    path = Path(target.database.engine.url.database or "")
    seq = max(audit.head(target.database)[0] // 2, 1)
    for statement in EDITS:
        copy = path.with_name("edited.db")
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as edited:
            source.backup(edited)
            edited.execute(statement, {"seq": seq})
            edited.commit()
        database = Database(f"sqlite:///{copy}")
        seen = audit.broken_rows(database)
        database.close()
        copy.unlink()
        yield "" if seen else f"nobody saw: {statement}"
