"""Overrides: a person's value beside the model's, with author, reason and expiry.

The model's own value is never replaced: both are shown. An override holds through refresh, retraining and
promotion until it expires or is withdrawn, because it lives in a table that no job writes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update

from data.errors import InputError, NotFoundError
from serving import audit
from serving.auth import Identity
from serving.decisions import canonical
from serving.ids import new_id
from serving.state import Database, iso
from serving.tables import OVERRIDES

MAX_REASON = 2_000


@dataclass(frozen=True)
class Override:
    """One override.

    Attributes:
        override_id: Its identifier.
        kind: What is overridden: `fit`, `churn`, `tier`.
        entity_id: Of whom.
        value: What holds instead, plain values.
        model_value: What the model said when it was made.
        author: Who.
        reason: Why.
        created_at: RFC 3339.
        expires_at: RFC 3339; it does not hold from then on.
        withdrawn_at: When it was taken back; None: it was not.
        withdrawn_by: By whom.
    """

    override_id: str
    kind: str
    entity_id: str
    value: Any
    model_value: Any
    author: str
    reason: str
    created_at: str
    expires_at: str
    withdrawn_at: str | None = None
    withdrawn_by: str | None = None

    def holds(self, at: datetime) -> bool:
        """Whether it holds at a moment (naive UTC)."""
        ended = self.withdrawn_at is not None and self.withdrawn_at <= iso(at)
        return self.created_at <= iso(at) < self.expires_at and not ended


class Overrides:
    """Keeps overrides.

    Args:
        database: State database.
        random: Source of random bytes for ids.
    """

    def __init__(self, database: Database, *, random: Callable[[int], bytes]) -> None:
        self._database, self._random = database, random

    def add(
        self,
        kind: str,
        entity_id: str,
        *,
        value: Any,
        model_value: Any,
        reason: str,
        expires_at: datetime,
        identity: Identity,
        at: datetime,
    ) -> Override:
        """Make an override; an older one of the same entity that still holds is withdrawn.

        Raises:
            InputError: No reason, or an expiry that is past.
        """
        if not reason.strip() or len(reason) > MAX_REASON:
            raise InputError(
                "An override needs a reason.", allowed=f"1 to {MAX_REASON} characters", pointer="/reason"
            )
        if expires_at <= at:
            raise InputError(
                f"The override would expire at {iso(expires_at)}, which is past.",
                allowed=f"a time after {iso(at)}",
                pointer="/expires_at",
            )
        new = Override(
            new_id("ovr", at=at, random=self._random),
            kind,
            entity_id,
            value,
            model_value,
            identity.owner,
            reason.strip(),
            iso(at),
            iso(expires_at),
        )
        row = {**new.__dict__, "value": canonical(value), "model_value": canonical(model_value)}
        with self._database.write() as connection:
            connection.execute(
                update(OVERRIDES)
                .where(_standing(kind, entity_id, at))
                .values(withdrawn_at=iso(at), withdrawn_by=identity.owner)
            )
            connection.execute(insert(OVERRIDES).values(row))
            audit.append_within(
                connection,
                at=at,
                actor=f"{identity.owner} ({identity.key_id})",
                action="override.add",
                object=f"{kind}/{entity_id}",
                detail={"override_id": new.override_id, "value": value, "expires_at": new.expires_at},
            )
        return new

    def withdraw(self, override_id: str, *, identity: Identity, at: datetime) -> Override:
        """Take an override back; twice changes nothing.

        Raises:
            NotFoundError: There is none.
        """
        found = self.read(override_id)
        if not found.holds(at):
            return found
        with self._database.write() as connection:
            standing = (OVERRIDES.c.override_id == override_id) & OVERRIDES.c.withdrawn_at.is_(None)
            values = {"withdrawn_at": iso(at), "withdrawn_by": identity.owner}
            connection.execute(update(OVERRIDES).where(standing).values(values))
            audit.append_within(
                connection,
                at=at,
                actor=f"{identity.owner} ({identity.key_id})",
                action="override.withdraw",
                object=f"{found.kind}/{found.entity_id}",
                detail={"override_id": override_id},
            )
        return self.read(override_id)

    def read(self, override_id: str) -> Override:
        """One override.

        Raises:
            NotFoundError: There is none.
        """
        with self._database.read() as connection:
            query = select(OVERRIDES).where(OVERRIDES.c.override_id == override_id)
            row = connection.execute(query).mappings().first()
        if row is None:
            raise NotFoundError("There is no such override.")
        return _override(row)

    def holding(
        self, kind: str, *, at: datetime, entity_ids: Sequence[str] | None = None
    ) -> dict[str, Override]:
        """Overrides that hold at a moment, by entity; all entities unless some are named."""
        with self._database.read() as connection:
            rows = connection.execute(select(OVERRIDES).where(_standing(kind, None, at))).mappings().all()
        found = {row["entity_id"]: _override(row) for row in rows}
        return found if entity_ids is None else {e: found[e] for e in entity_ids if e in found}

    def history(self, kind: str, entity_id: str | None = None) -> list[Override]:
        """All overrides there ever were, newest first; the override report counts them."""
        query = select(OVERRIDES).where(OVERRIDES.c.kind == kind)
        if entity_id is not None:
            query = query.where(OVERRIDES.c.entity_id == entity_id)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(OVERRIDES.c.created_at.desc())).mappings()
            return [_override(row) for row in rows]


def _standing(kind: str, entity_id: str | None, at: datetime) -> Any:
    c, now = OVERRIDES.c, iso(at)
    ended = c.withdrawn_at.is_not(None) & (c.withdrawn_at <= now)
    which = (c.kind == kind) & (c.created_at <= now) & (c.expires_at > now) & ~ended
    return which if entity_id is None else which & (c.entity_id == entity_id)


def _override(row: Any) -> Override:
    plain = dict(row)
    return Override(
        **{**plain, "value": json.loads(plain["value"]), "model_value": json.loads(plain["model_value"])}
    )
