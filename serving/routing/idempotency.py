"""Idempotency keys: one execution for one key, and the same bytes to whoever asks again.

The key and its answer are one row, stored in the transaction of the work itself: a process that dies before
replying has either done everything, and a retry gets the stored bytes, or nothing, and a retry does it at
once. While a first request is under way in this process a second one is told so; one in another process
works the answer out, finds the key taken when it comes to commit, is undone, and gives the stored bytes.

What names a person is compared by a salted hash whose salt goes when the person is erased; what is left
cannot be checked against a guess.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from data.errors import InputError
from serving.decisions import canonical
from serving.errors import ConflictError
from serving.routing.lead import commitment
from serving.routing.tables import IDEMPOTENCY
from serving.state import Database, iso

MOST_LETTERS = 200
PATTERN = "^[!-~]([ -~]*[!-~])?$"
"""Printable ASCII; HTTP itself takes spaces at the ends away."""
ERASED = "erased"


# Built once: building a statement costs SQLAlchemy several times as much as running it.
_KEEP = {
    is_sqlite: build(IDEMPOTENCY).on_conflict_do_nothing().returning(IDEMPOTENCY.c.key)
    for is_sqlite, build in ((True, sqlite.insert), (False, postgresql.insert))
}
_C = IDEMPOTENCY.c
_FIND = select(_C.body_sha256, _C.salt, _C.contact_sha256, _C.answer).where(
    (_C.owner == bindparam("who")) & (_C.key == bindparam("what"))
)
_ERASE = update(IDEMPOTENCY).values(salt=None, contact_sha256=ERASED)


class AnsweredError(Exception):
    """Another request with this key was first; its answer stands."""


@dataclass(frozen=True)
class Claim:
    """A key that this request works under.

    Attributes:
        owner: Of the API key.
        key: As sent.
        body_sha256: Of the request without what names a person.
        contact: What names a person.
        lead_id: Whose erasure is to erase the person here; None: nobody is named.
    """

    owner: str
    key: str
    body_sha256: str
    contact: Mapping[str, str] = field(default_factory=dict)
    lead_id: str | None = None


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
        self._running: dict[tuple[str, str], Claim] = {}
        self._lock = Lock()

    @contextmanager
    def claim(
        self, key: str, request: Any, *, owner: str, contact: Mapping[str, str] | None = None,
        lead_id: str | None = None,
    ) -> Iterator[Claim]:  # fmt: skip
        """A claim to work under, within the block.

        Args:
            key: As sent.
            request: What was asked for, plain values, without what names a person.
            owner: Of the API key.
            contact: What names a person.
            lead_id: The lead it belongs to.

        Raises:
            InputError: The key is no key, or is being used for something else.
            ConflictError: The first request is still under way.
        """
        if len(key) > MOST_LETTERS or not re.fullmatch(PATTERN, key):
            raise InputError(
                "The Idempotency-Key cannot be used.", pointer="/Idempotency-Key",
                allowed=f"1 to {MOST_LETTERS} printable ASCII characters, no space at either end",
            )  # fmt: skip
        body = hashlib.sha256(canonical(request).encode()).hexdigest()
        claim = Claim(owner, key, body, dict(contact or {}), lead_id)
        with self._lock:
            other = self._running.setdefault((owner, key), claim)
        if other is not claim:
            if other != claim:
                raise _another_request()
            raise ConflictError(
                "The first request with this Idempotency-Key is still under way.",
                next_step="Ask again in a moment.",
            )
        try:
            yield claim
        finally:
            with self._lock:
                del self._running[owner, key]

    def stored(self, connection: Connection, claim: Claim) -> str | None:
        """The stored answer, when there is one.

        Raises:
            InputError: The key was used for something else.
        """
        row = connection.execute(_FIND, {"who": claim.owner, "what": claim.key}).first()
        if row is None:
            return None
        if row.body_sha256 != claim.body_sha256 or not _same_person(row, claim):
            raise _another_request()
        return str(row.answer)

    def finish(self, connection: Connection, claim: Claim, answer: str) -> None:
        """Store key and answer in the transaction of the work, first of all that it writes.

        Raises:
            AnsweredError: Another request was first: this one must be undone.
        """
        salt = self._random(16).hex() if claim.contact else None
        row = {
            "owner": claim.owner, "key": claim.key, "body_sha256": claim.body_sha256, "answer": answer,
            "lead_id": claim.lead_id if claim.contact else None, "salt": salt,
            "contact_sha256": commitment(salt, claim.contact) if salt else None,
            "created_at": iso(self._clock()),
        }  # fmt: skip
        # What comes back says whether the row is ours: PostgreSQL's driver counts no rows of an insert.
        if connection.execute(_KEEP[self._database.is_sqlite], row).first() is None:
            raise AnsweredError

    def forget(self, before: datetime) -> int:
        """Drop keys made before a moment; returns how many."""
        with self._database.write() as connection:
            return connection.execute(delete(IDEMPOTENCY).where(_C.created_at < iso(before))).rowcount


def erase_contact(connection: Connection, *, owner: str, lead_id: str) -> None:
    """Leave nothing of a lead's persons that could be checked against a guess."""
    connection.execute(_ERASE.where((_C.owner == owner) & (_C.lead_id == lead_id)))


def _same_person(row: Any, claim: Claim) -> bool:
    """Whether the same person was named; once erased, nobody can tell, and the rest of the body decides."""
    if row.contact_sha256 == ERASED:
        return True
    if row.contact_sha256 is None:
        return not claim.contact
    return hmac.compare_digest(commitment(row.salt, claim.contact), row.contact_sha256)


def _another_request() -> InputError:
    return InputError(
        "This Idempotency-Key was used for another request.", pointer="/Idempotency-Key",
        next_step="Take a new key for a new request.",
    )  # fmt: skip
