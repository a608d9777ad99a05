"""API keys: `pik_<id>_<secret>`, stored as a hash, with a role and an owner."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Any, get_args

from sqlalchemy import insert, select, update

from data.errors import InputError, NotFoundError
from serving import audit
from serving.routes import Role
from serving.state import Database, iso
from serving.tables import API_KEYS

# Revocation must be seen within five seconds; the rest is for a slow database.
CACHE_SECONDS = 2.0
CACHE_SIZE = 10_000
_KEY = re.compile(r"pik_([0-9a-f]{12})_([0-9a-f]{64})")


@dataclass(frozen=True)
class Identity:
    """Who is calling.

    Attributes:
        key_id: The key's public part.
        owner: Whose key it is; idempotency and decisions belong to the owner.
        role: What it may do.
        manager_id: For a channel manager: whose partners it sees.
    """

    key_id: str
    owner: str
    role: Role
    manager_id: str | None = None


@dataclass(frozen=True)
class KeyRow:
    """A key as it may be shown: everything but the secret."""

    key_id: str
    owner: str
    role: Role
    manager_id: str | None
    created_at: str
    expires_at: str | None
    revoked_at: str | None


def create_key(
    database: Database,
    *,
    owner: str,
    role: str,
    now: datetime,
    random: Callable[[int], bytes],
    manager_id: str | None = None,
    expires_at: datetime | None = None,
) -> str:
    """Make a key and return it; it is shown this once and cannot be recovered.

    Args:
        database: State database.
        owner: Who will use it.
        role: One of the four roles.
        now: Naive UTC.
        random: Source of random bytes.
        manager_id: Needed for a channel manager, refused for the others.
        expires_at: End of validity, naive UTC; None: until revoked.

    Raises:
        InputError: Unknown role, no owner, or a manager where none belongs.
    """
    _check(owner=owner, role=role, manager_id=manager_id, now=now, expires_at=expires_at)
    key_id, secret = random(6).hex(), random(32).hex()
    row = {
        "key_id": key_id,
        "secret_sha256": _digest(secret),
        "owner": owner,
        "role": role,
        "manager_id": manager_id,
        "created_at": iso(now),
        "expires_at": iso(expires_at) if expires_at else None,
        "revoked_at": None,
    }
    with database.write() as connection:
        connection.execute(insert(API_KEYS).values(row))
        audit.append_within(
            connection,
            at=now,
            actor="command line",
            action="key.create",
            object=key_id,
            detail={"owner": owner, "role": role},
        )
    return f"pik_{key_id}_{secret}"


def list_keys(database: Database) -> list[KeyRow]:
    """All keys, oldest first, without secrets."""
    columns = [API_KEYS.c[name] for name in KeyRow.__dataclass_fields__]
    with database.read() as connection:
        rows = connection.execute(select(*columns).order_by(API_KEYS.c.created_at, API_KEYS.c.key_id))
        return [KeyRow(**row) for row in rows.mappings()]


def revoke_key(database: Database, key_id: str, *, now: datetime) -> None:
    """End a key; running services follow within five seconds. Revoking twice changes nothing.

    Raises:
        NotFoundError: There is no such key.
    """
    with database.write() as connection:
        if connection.execute(select(API_KEYS.c.key_id).where(API_KEYS.c.key_id == key_id)).first() is None:
            raise NotFoundError(
                f"There is no key {key_id!r}.", next_step="`partnerintel keys list` shows them."
            )
        open_key = (API_KEYS.c.key_id == key_id) & API_KEYS.c.revoked_at.is_(None)
        if connection.execute(update(API_KEYS).where(open_key).values(revoked_at=iso(now))).rowcount:
            audit.append_within(connection, at=now, actor="command line", action="key.revoke", object=key_id)


class Keyring:
    """Verifies keys, with a short memory so that a request seldom costs a query.

    Unknown identifiers are remembered too: guessing does not reach the database twice.

    Args:
        database: State database.
        clock: Naive UTC time.
        ticks: Seconds that only go forward.
    """

    def __init__(
        self, database: Database, *, clock: Callable[[], datetime], ticks: Callable[[], float]
    ) -> None:
        self._database, self._clock, self._ticks = database, clock, ticks
        self._known: OrderedDict[str, tuple[float, dict[str, Any] | None]] = OrderedDict()
        self._lock = Lock()

    def verify(self, authorization: str | None) -> Identity | None:
        """Who an `Authorization` header stands for; None when it stands for nobody."""
        key_id, secret = _parts(authorization)
        if not key_id:
            return None
        row = self._row(key_id)
        if row is None or not hmac.compare_digest(row["secret_sha256"], _digest(secret)):
            return None
        expired = row["expires_at"] is not None and row["expires_at"] <= iso(self._clock())
        if expired or row["revoked_at"] is not None:
            return None
        return Identity(key_id, row["owner"], row["role"], row["manager_id"])

    def blocks(self, authorization: str | None) -> bool:
        """Whether verifying this header would query the database."""
        key_id, _ = _parts(authorization)
        return bool(key_id) and not self._is_fresh(self._known.get(key_id))

    def _is_fresh(self, found: tuple[float, dict[str, Any] | None] | None) -> bool:
        return found is not None and self._ticks() - found[0] < CACHE_SECONDS

    def _row(self, key_id: str) -> dict[str, Any] | None:
        now = self._ticks()
        with self._lock:
            found = self._known.get(key_id)
        if found is not None and self._is_fresh(found):
            return found[1]
        with self._database.read() as connection:
            stored = (
                connection.execute(select(API_KEYS).where(API_KEYS.c.key_id == key_id)).mappings().first()
            )
        row = dict(stored) if stored else None
        with self._lock:
            self._known[key_id] = (now, row)
            if len(self._known) > CACHE_SIZE:
                self._known.popitem(last=False)
        return row


def _parts(authorization: str | None) -> tuple[str, str]:
    """Identifier and secret of a bearer key; empty when the header holds none."""
    scheme, _, token = (authorization or "").partition(" ")
    match = _KEY.fullmatch(token.strip()) if scheme.lower() == "bearer" else None
    return (match[1], match[2]) if match else ("", "")


def _digest(secret: str) -> str:
    # A plain hash is enough for 256 random bits: there is nothing to guess.
    return hashlib.sha256(secret.encode()).hexdigest()


def _check(
    *, owner: str, role: str, manager_id: str | None, now: datetime, expires_at: datetime | None
) -> None:
    if role not in get_args(Role):
        raise InputError(f"{role!r} is not a role.", allowed=", ".join(get_args(Role)), pointer="role")
    if not owner.strip() or len(owner) > 200:
        raise InputError("A key needs an owner.", allowed="1 to 200 characters", pointer="owner")
    if (role == "channel_manager") != bool(manager_id):
        raise InputError(
            f"Role {role} with manager {manager_id!r}.",
            allowed="a manager_id for channel_manager, and for no other role",
            next_step="Give --manager-id as it stands in partner_managers.",
            pointer="manager_id",
        )
    if expires_at is not None and expires_at <= now:
        raise InputError(f"The key would expire at {iso(expires_at)}, which is past.", pointer="expires_at")
