"""Who is signed in to the console: server-side sessions that stand on an API key.

The browser holds a random token in a cookie that scripts cannot read and other sites cannot send; the
database holds its hash. A session ends when it is ended, when its time is over, or when its key ends.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from sqlalchemy import delete, insert, select, update

from serving import audit
from serving.auth import CACHE_SECONDS, CACHE_SIZE, Identity
from serving.state import Database, iso
from serving.tables import API_KEYS, CONSOLE_SESSIONS

KEPT_AFTER_END = timedelta(days=1)


@dataclass(frozen=True)
class Session:
    """A sign-in.

    Attributes:
        identity: Who.
        csrf: What every form of this session must carry; made from the token, which forms never show.
        token_sha256: The session's place in the database.
    """

    identity: Identity
    csrf: str
    token_sha256: str


class Sessions:
    """Begins, finds and ends sessions, with the same short memory as the keyring.

    Args:
        database: State database.
        verify: Who an Authorization header stands for.
        lasts: Length of a session.
        clock: Naive UTC time.
        ticks: Seconds that only go forward.
        random: Source of random bytes.
    """

    def __init__(
        self,
        database: Database,
        *,
        verify: Callable[[str | None], Identity | None],
        lasts: timedelta,
        clock: Callable[[], datetime],
        ticks: Callable[[], float],
        random: Callable[[int], bytes],
    ) -> None:
        self._database, self._verify, self._lasts = database, verify, lasts
        self._clock, self._ticks, self._random = clock, ticks, random
        self._known: OrderedDict[str, tuple[float, dict[str, Any] | None]] = OrderedDict()
        self._lock = Lock()

    @property
    def lasts(self) -> timedelta:
        """Length of a session."""
        return self._lasts

    def begin(self, key: str) -> str | None:
        """Sign in with an API key.

        Returns:
            The token for the cookie; None when the key is not valid.
        """
        identity = self._verify(f"Bearer {key.strip()}")
        if identity is None:
            return None
        token, now = self._random(32).hex(), self._clock()
        row = {
            "token_sha256": _digest(token),
            "key_id": identity.key_id,
            "created_at": iso(now),
            "expires_at": iso(now + self._lasts),
            "ended_at": None,
        }
        with self._database.write() as connection:
            old = CONSOLE_SESSIONS.c.expires_at < iso(now - KEPT_AFTER_END)
            connection.execute(delete(CONSOLE_SESSIONS).where(old))
            connection.execute(insert(CONSOLE_SESSIONS).values(row))
            audit.append_within(
                connection, at=now, actor=_actor(identity), action="console.sign_in", object=identity.key_id
            )
        return token

    def refused(self) -> None:
        """Write down that a sign-in failed."""
        what, now = "POST /console/sign-in", self._clock()
        audit.append(
            self._database, at=now, actor="nobody", action="denied", object=what, detail={"status": 401}
        )

    def find(self, token: str) -> Session | None:
        """The session of a cookie; None when it is none, or over."""
        digest = _digest(token)
        row, now = self._row(digest), iso(self._clock())
        if row is None or row["ended_at"] is not None or row["revoked_at"] is not None:
            return None
        if any(end is not None and end <= now for end in (row["expires_at"], row["key_expires_at"])):
            return None
        identity = Identity(row["key_id"], row["owner"], row["role"], row["manager_id"])
        return Session(identity, _digest("form:" + token), digest)

    def end(self, session: Session) -> None:
        """Sign out; the cookie is worthless from now on, here at once and on other workers within seconds."""
        now = self._clock()
        mine = CONSOLE_SESSIONS.c.token_sha256 == session.token_sha256
        with self._database.write() as connection:
            connection.execute(update(CONSOLE_SESSIONS).where(mine).values(ended_at=iso(now)))
            audit.append_within(
                connection,
                at=now,
                actor=_actor(session.identity),
                action="console.sign_out",
                object=session.identity.key_id,
            )
        with self._lock:
            self._known.pop(session.token_sha256, None)

    def blocks(self, token: str) -> bool:
        """Whether finding this session would query the database."""
        return not self._is_fresh(self._known.get(_digest(token)))

    def _is_fresh(self, found: tuple[float, dict[str, Any] | None] | None) -> bool:
        return found is not None and self._ticks() - found[0] < CACHE_SECONDS

    def _row(self, digest: str) -> dict[str, Any] | None:
        with self._lock:
            found = self._known.get(digest)
        if found is not None and self._is_fresh(found):
            return found[1]
        asked = self._ticks()
        key = API_KEYS.c
        columns = (key.key_id, key.owner, key.role, key.manager_id, key.revoked_at)
        query = (
            select(CONSOLE_SESSIONS.c.expires_at, CONSOLE_SESSIONS.c.ended_at, *columns)
            .add_columns(key.expires_at.label("key_expires_at"))
            .join(API_KEYS, key.key_id == CONSOLE_SESSIONS.c.key_id)
            .where(CONSOLE_SESSIONS.c.token_sha256 == digest)
        )
        with self._database.read() as connection:
            stored = connection.execute(query).mappings().first()
        row = dict(stored) if stored else None
        with self._lock:
            self._known[digest] = (asked, row)
            if len(self._known) > CACHE_SIZE:
                self._known.popitem(last=False)
        return row


def _actor(identity: Identity) -> str:
    return f"{identity.owner} ({identity.key_id})"


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
