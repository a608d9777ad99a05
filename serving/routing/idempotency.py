"""Idempotency keys: one execution for one key, and the same bytes to whoever asks again.

The answer is stored in the transaction of the work itself, so a process that dies before replying has either
done everything, and a retry gets the stored bytes, or nothing, and a retry does it. While a first request is
under way a second one is told so; the claim of a dead process runs out after `LEASE`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from data.errors import InputError
from serving.decisions import canonical
from serving.errors import ConflictError
from serving.routing.tables import IDEMPOTENCY
from serving.state import Database, iso

LEASE = timedelta(seconds=60)
MOST_LETTERS = 200


# Built once: building a statement costs SQLAlchemy several times as much as running it.
_CLAIM = {
    is_sqlite: build(IDEMPOTENCY).on_conflict_do_nothing()
    for is_sqlite, build in ((True, sqlite.insert), (False, postgresql.insert))
}
_FINISH = (
    update(IDEMPOTENCY)
    .where(
        (IDEMPOTENCY.c.owner == bindparam("who"))
        & (IDEMPOTENCY.c.key == bindparam("what"))
        & (IDEMPOTENCY.c.token == bindparam("by"))
    )
    .values(answer=bindparam("said"))
)


@dataclass(frozen=True)
class Claim:
    """A key that this request may work under."""

    owner: str
    key: str
    token: str


class Idempotency:
    """Keeps keys, each under its owner.

    Args:
        database: State database.
        clock: Naive UTC time.
        random: Source of random bytes.
    """

    def __init__(
        self, database: Database, *, clock: Callable[[], datetime], random: Callable[[int], bytes]
    ) -> None:
        self._database, self._clock, self._random = database, clock, random

    def claim(self, key: str, request: Any, *, owner: str) -> Claim | str:
        """A claim to work under, or the stored answer.

        Args:
            key: As sent.
            request: What was asked for, plain values; the same key with another request is refused.
            owner: Of the API key.

        Raises:
            InputError: The key is no key, or was used for something else.
            ConflictError: The first request is still under way.
        """
        if not 1 <= len(key) <= MOST_LETTERS or not key.isprintable():
            raise InputError(
                "The Idempotency-Key cannot be used.", allowed=f"1 to {MOST_LETTERS} printable characters",
                pointer="/Idempotency-Key",
            )  # fmt: skip
        body, now = hashlib.sha256(canonical(request).encode()).hexdigest(), self._clock()
        token = self._random(16).hex()
        row = {
            "owner": owner, "key": key, "body_sha256": body, "answer": None, "lease_until": iso(now + LEASE),
            "token": token, "created_at": iso(now),
        }  # fmt: skip
        with self._database.write() as connection:
            if connection.execute(_CLAIM[self._database.is_sqlite], row).rowcount:
                return Claim(owner, key, token)
            mine = (IDEMPOTENCY.c.owner == owner) & (IDEMPOTENCY.c.key == key)
            found = connection.execute(select(IDEMPOTENCY).where(mine).with_for_update()).mappings().one()
            if found["body_sha256"] != body:
                raise InputError(
                    "This Idempotency-Key was used for another request.", pointer="/Idempotency-Key",
                    next_step="Take a new key for a new request.",
                )  # fmt: skip
            if found["answer"] is not None:
                return str(found["answer"])
            if found["lease_until"] > iso(now):
                raise ConflictError(
                    "The first request with this Idempotency-Key is still under way.",
                    next_step="Ask again in a moment.",
                )
            connection.execute(
                update(IDEMPOTENCY).where(mine).values(token=token, lease_until=iso(now + LEASE))
            )
        return Claim(owner, key, token)

    def finish(self, connection: Connection, claim: Claim, answer: str) -> None:
        """Store the answer in the transaction of the work.

        Raises:
            ConflictError: The claim ran out and another request took over: this one must be undone.
        """
        given = {"who": claim.owner, "what": claim.key, "by": claim.token, "said": answer}
        changed = connection.execute(_FINISH, given).rowcount
        if not changed:
            raise ConflictError("Another request with this Idempotency-Key took over.")

    def drop(self, claim: Claim) -> None:
        """Give a key back after a failure: nothing was done, so a retry may do it."""
        with self._database.write() as connection:
            connection.execute(delete(IDEMPOTENCY).where(_held(claim) & IDEMPOTENCY.c.answer.is_(None)))

    def forget(self, before: datetime) -> int:
        """Drop keys made before a moment; returns how many."""
        with self._database.write() as connection:
            return connection.execute(
                delete(IDEMPOTENCY).where(IDEMPOTENCY.c.created_at < iso(before))
            ).rowcount


def _held(claim: Claim) -> Any:
    c = IDEMPOTENCY.c
    return (c.owner == claim.owner) & (c.key == claim.key) & (c.token == claim.token)
