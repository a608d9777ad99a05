"""Policies as versioned data: immutable versions, one in force for each kind, changed by compare-and-swap."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from data.errors import InputError, NotFoundError, PromotionConflictError
from serving import audit
from serving.decisions import canonical
from serving.state import Database, iso
from serving.tables import AUDIT_LOG, POLICIES, POLICIES_IN_FORCE


@dataclass(frozen=True)
class Policy:
    """One version of a rule set.

    Attributes:
        kind: Which rules: `routing`, `tiers`, `alerts`, `vetting`.
        version: Counts from 1 within the kind.
        name: For people.
        body: The rules, plain values; checked by the capability that reads them.
        author: Who wrote this version.
        created_at: RFC 3339.
    """

    kind: str
    version: int
    name: str
    body: Mapping[str, Any]
    author: str
    created_at: str


@dataclass(frozen=True)
class InForce:
    """What holds now for a kind.

    Attributes:
        version: The policy that decides.
        canary_version: One on trial; None: none.
        canary_share: Share of decisions it makes, 0–1.
    """

    version: int
    canary_version: int | None = None
    canary_share: float = 0.0


class Policies:
    """Keeps policies.

    Args:
        database: State database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, kind: str, name: str, body: Mapping[str, Any], *, author: str, at: datetime) -> Policy:
        """Keep a new version; the same body as the newest gives the newest back."""
        text = canonical(dict(body))
        with self._database.write() as connection:
            newest = _newest(connection, kind)
            if newest is not None and canonical(dict(newest.body)) == text and newest.name == name:
                return newest
            policy = Policy(kind, (newest.version if newest else 0) + 1, name, body, author, iso(at))
            row = {**policy.__dict__, "body": text}
            connection.execute(insert(POLICIES).values(row))
            audit.append_within(
                connection, at=at, actor=author, action="policy.add", object=f"{kind}/{policy.version}"
            )
        return policy

    def read(self, kind: str, version: int) -> Policy:
        """One version.

        Raises:
            NotFoundError: There is none.
        """
        with self._database.read() as connection:
            query = select(POLICIES).where((POLICIES.c.kind == kind) & (POLICIES.c.version == version))
            row = connection.execute(query).mappings().first()
        if row is None:
            raise NotFoundError(f"There is no {kind} policy {version}.")
        return _policy(row)

    def versions(self, kind: str) -> list[Policy]:
        """All versions, newest first."""
        with self._database.read() as connection:
            query = select(POLICIES).where(POLICIES.c.kind == kind).order_by(POLICIES.c.version.desc())
            return [_policy(row) for row in connection.execute(query).mappings()]

    def in_force(self, kind: str) -> InForce | None:
        """What holds now; None: nothing was ever put in force."""
        with self._database.read() as connection:
            return _in_force(connection, kind)

    def changes(self, kind: str) -> list[dict[str, Any]]:
        """Every change of what holds, newest first: `at`, `actor`, `reason`, `from` and `to`."""
        log = AUDIT_LOG.c
        mine = (log.action == "policy.in_force") & (log.object == kind)
        with self._database.read() as connection:
            rows = connection.execute(
                select(log.at, log.actor, log.detail).where(mine).order_by(log.seq.desc())
            )
            return [{"at": r.at, "actor": r.actor, **json.loads(r.detail)} for r in rows]

    def former(self, kind: str) -> int | None:
        """The version that held before the present one; None: there was none."""
        now = self.in_force(kind)
        held = (c["from"]["version"] for c in self.changes(kind) if c["from"])
        return next((v for v in held if now is None or v != now.version), None)

    def put_in_force(
        self, kind: str, new: InForce, *, expected: InForce | None, author: str, reason: str, at: datetime
    ) -> None:
        """Change what holds, if it is still what the caller saw; recorded in the audit log.

        Raises:
            InputError: A share outside 0–1, or one without a canary.
            NotFoundError: A version that does not exist.
            PromotionConflictError: Somebody else changed it meanwhile.
        """
        if not 0 <= new.canary_share < 1 or (new.canary_share > 0) != (new.canary_version is not None):
            raise InputError(
                f"A canary share of {new.canary_share} with canary {new.canary_version}.",
                allowed="a share above 0 and below 1 with a canary version, or neither",
                pointer="/canary_share",
            )
        for version in filter(None, (new.version, new.canary_version)):
            self.read(kind, version)
        row = {**new.__dict__, "changed_at": iso(at), "changed_by": author, "reason": reason}
        with self._database.write() as connection:
            if _in_force(connection, kind) != expected:
                raise PromotionConflictError(f"The {kind} policy in force was changed by somebody else.")
            if expected is None:
                connection.execute(insert(POLICIES_IN_FORCE).values(kind=kind, **row))
            else:
                connection.execute(
                    update(POLICIES_IN_FORCE).where(POLICIES_IN_FORCE.c.kind == kind).values(row)
                )
            detail = {
                "reason": reason,
                "from": expected.__dict__ if expected else None,
                "to": new.__dict__,
            }
            audit.append_within(
                connection, at=at, actor=author, action="policy.in_force", object=kind, detail=detail
            )


def _newest(connection: Connection, kind: str) -> Policy | None:
    version = select(func.max(POLICIES.c.version)).where(POLICIES.c.kind == kind).scalar_subquery()
    query = select(POLICIES).where((POLICIES.c.kind == kind) & (POLICIES.c.version == version))
    row = connection.execute(query).mappings().first()
    return _policy(row) if row else None


def _in_force(connection: Connection, kind: str) -> InForce | None:
    table = POLICIES_IN_FORCE
    columns = (table.c.version, table.c.canary_version, table.c.canary_share)
    row = connection.execute(select(*columns).where(table.c.kind == kind).with_for_update()).first()
    return InForce(*row) if row else None


def _policy(row: Any) -> Policy:
    return Policy(**{**dict(row), "body": json.loads(row["body"])})
