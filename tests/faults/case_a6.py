"""A6: callers without a key, with a wrong one, with one that is over, and with the wrong role."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from serving.auth import Keyring, create_key, revoke_key
from serving.routes import ROLES, ROUTES, Route
from tests.faults.harness import Outcome, judged
from tests.faults.target import Target, broken_worker, guarded, of_served, served_product
from tests.functional.serving.conftest import CONFIG
from tests.functional.serving.test_hostile import filled, strange_credentials
from tests.unit.serving.world import World, good_row

TITLE = "No, malformed, forged, expired and revoked credentials are 401, wrong roles 403, guessing is 429"
QUICK, FULL = 300, 5_000  # guesses
THIN = 4  # in the quick size each route gets one in so many kinds of credential, and another the next
REVOKED_WITHIN_SECONDS = 5.0


def run(size: int) -> Outcome:
    """Every protected route with every kind of bad credential, then guessing."""
    with served_product(config=limited(_limit(size))) as served:
        outcome = _tried(of_served(served), guesses=size)
        kept = b"".join(p.read_bytes() for p in served.workspace.glob("state.db*")) + served.log.read_bytes()
        told = [role for role, key in served.keys.items() if key.split("_")[2].encode() in kept]
        if told:
            return Outcome(outcome.tried, outcome.failed + len(told), f"keys are stored in clear: {told}")
        return outcome


def planted() -> Outcome:
    """The same against a keyring that never looks a key up twice."""
    with broken_worker(forgetful, config=limited(_limit(1))) as target:
        return _tried(target, guesses=1, routes=ROUTES[-2:])


def limited(denials: int) -> str:
    return CONFIG.replace("denials_per_minute: 5000", f"denials_per_minute: {denials}")


def _limit(guesses: int) -> int:
    """Failed logins allowed: as many as are not meant to be guesses, and half of the guesses."""
    strange = sum(r.roles is not None for r in ROUTES) * (20 if guesses >= FULL else 20 // THIN + 1)
    return strange + guesses // 2 + 10


def _tried(target: Target, *, guesses: int, routes: Sequence[Route] = ROUTES) -> Outcome:
    protected = [r for r in routes if r.roles is not None]
    strange = strange_credentials(target.keys["admin"]) + [_bearer(t) for t in forged()]
    step = 1 if guesses >= FULL else THIN
    pairs = [(r, h) for n, r in enumerate(protected) for h in strange[n % step :: step]]
    faults = [f"{h} on {r.path}: {s}" for r, h in pairs if (s := _status(target, r, headers=h)) != 401]
    wrong = [(r, role) for r in protected for role in ROLES if r.roles and role not in r.roles]
    faults += [f"{k} on {r.path}: {s}" for r, k in wrong if (s := _status(target, r, role=k)) != 403]
    seconds, over = _over(target)
    guessed, waits = _guessing(target, guesses)
    tried = len(pairs) + len(wrong) + 2 + guesses
    told = f"{tried} tried; a revoked key was refused after {seconds:.1f} s; {waits} of {guesses} guesses 429"
    return judged(tried, [*faults, *over, *guessed], told)


def _status(target: Target, route: Route, **credentials: Any) -> int:
    body = {"json": {"rows": [good_row()]}} if route.body else {}
    credentials.setdefault("role", None)
    return target.call(route.method, filled(route.path), **credentials, **body).status_code


def _bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def forged() -> list[str]:
    """Unsigned tokens that claim to be an administrator's."""
    claims = {"role": "admin", "sub": "admin-owner", "exp": 4_000_000_000}
    return [
        f"{_base64({'alg': alg, 'typ': 'JWT'})}.{_base64(claims)}.{signature}"
        for alg in ("none", "None", "NONE", "nOnE", "HS256")
        for signature in ("", "e30")
    ]


def _base64(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _over(target: Target) -> tuple[float, list[str]]:
    """An expired key is refused; a revoked one soon."""
    faults, now = [], target.now()
    day_ago, hour_ago = now - timedelta(days=1), now - timedelta(hours=1)
    expired = _new_key(target, now=day_ago, expires_at=hour_ago)
    if target.call("GET", "/v1/models", role=None, headers=_bearer(expired)).status_code != 401:
        faults.append("an expired key was accepted")
    key, seconds = _new_key(target, now=now), 0.0
    headers = _bearer(key)
    if target.call("GET", "/v1/models", role=None, headers=headers).status_code != 200:
        faults.append("a good key was refused")
    revoke_key(target.database, key.split("_")[1], now=now)
    while target.call("GET", "/v1/models", role=None, headers=headers).status_code != 401:
        if seconds >= REVOKED_WITHIN_SECONDS:
            return seconds, [*faults, f"a revoked key was accepted for {seconds:.1f} s"]
        target.wait(0.1)
        seconds += 0.1
    return seconds, faults


def _new_key(target: Target, **times: Any) -> str:
    return create_key(target.database, owner="Kim", role="admin", random=secrets.token_bytes, **times)


def _guessing(target: Target, guesses: int) -> tuple[list[str], int]:
    """Right identifiers with wrong secrets, and wrong identifiers; a good key works all the while."""
    known = target.keys["admin"].split("_")[1]
    statuses, faults = [], []
    for i in range(guesses):
        key_id = known if i % 2 else secrets.token_hex(6)
        headers = _bearer(f"pik_{key_id}_{secrets.token_hex(32)}")
        answer = target.call("GET", "/v1/models", role=None, headers=headers)
        statuses.append(answer.status_code)
        if answer.status_code == 429 and "retry-after" not in answer.headers:
            faults.append("429 without Retry-After")
    faults += [f"a guess was answered {s}" for s in set(statuses) - {401, 429}]
    if guesses > 1 and statuses[-1] != 429:
        faults.append(f"{guesses} guesses were never too many")
    if target.call("GET", "/v1/models").status_code != 200:
        faults.append("guessing locked out a good key")
    return faults, statuses.count(429)


class Forgetful(Keyring):
    """Remembers a key for ever."""

    def _is_fresh(self, found: Any) -> bool:
        return found is not None


def forgetful(world: World) -> Any:
    """The guarded application with one such keyring for all its requests."""
    runtime = world.runtime
    kept = Forgetful(runtime.shared.database, clock=lambda: world.clock.at, ticks=lambda: world.clock.ticks)
    return guarded(world, keep=replace(runtime.keep, verify=kept.verify, verify_blocks=kept.blocks))
