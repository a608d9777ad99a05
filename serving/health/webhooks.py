"""Webhooks: who is told what, signed, tried again by a schedule, given up visibly; each event once."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from data.errors import InputError, NotFoundError
from serving import audit
from serving.auth import Identity
from serving.decisions import canonical
from serving.health.sending import Place, Sent, place_of
from serving.health.signing import headers_of, new_secret
from serving.health.tables import DELIVERIES, WEBHOOKS
from serving.ids import new_id
from serving.outbox import Event
from serving.state import Database, iso
from serving.tables import OUTBOX

TYPES = (
    "alert.opened", "alert.returned", "alert.escalated", "alert.assigned", "alert.snoozed", "alert.closed",
    "score.changed", "model.promoted", "tier.changed", "lead.offered", "lead.accepted", "lead.declined",
    "lead.expired", "lead.unassigned", "lead.conflict_hold", "lead.won", "lead.lost",
)  # fmt: skip
"""Everything that any capability tells."""
SCHEDULE = (
    timedelta(seconds=5), timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=2), timedelta(hours=5),
    timedelta(hours=10), timedelta(hours=14), timedelta(hours=20), timedelta(hours=24),
)  # fmt: skip
"""Pauses before the second and every further attempt; after the last one a delivery is dead."""
ROTATION = timedelta(hours=24)
GONE = 410
MOST_SHOWN = 200
Post = Callable[[Place, bytes, Any], Sent]


@dataclass(frozen=True)
class Due:
    """A delivery whose time has come."""

    webhook_id: str
    seq: int
    url: str
    secrets: tuple[str, ...]
    attempts: int
    event: Event


class Webhooks:
    """Registrations and their deliveries.

    Args:
        database: State database.
        allowed: Hosts of one's own network that may be called.
        clock: Naive UTC time.
        random: Source of random bytes.
    """

    def __init__(
        self,
        database: Database,
        *,
        allowed: Sequence[str],
        clock: Callable[[], datetime],
        random: Callable[[int], bytes],
    ) -> None:
        self._database, self._allowed = database, tuple(a.lower() for a in allowed)
        self._clock, self._random = clock, random

    def register(
        self, url: str, *, types: Sequence[str], manager_id: str | None, identity: Identity
    ) -> dict[str, Any]:
        """Tell a URL of what happens from now on; the secret is in this answer and nowhere else.

        Raises:
            InputError: A URL that may not be called, or a type there is none of.
        """
        unknown = [t for t in types if t not in TYPES]
        if unknown:
            raise InputError("There is no such type of event.", allowed=", ".join(TYPES), pointer="/types")
        place_of(url, allowed=self._allowed)
        now = self._clock()
        row: dict[str, Any] = {
            "webhook_id": new_id("whk", at=now, random=self._random), "owner": identity.owner,
            "manager_id": manager_id, "url": url, "types": canonical(sorted(set(types))),
            "secret": new_secret(self._random), "old_secret": None, "old_until": None, "created_at": iso(now),
            "disabled_at": None,
        }  # fmt: skip
        with self._database.write() as connection:
            row["after_seq"] = connection.execute(select(func.max(OUTBOX.c.seq))).scalar() or 0
            connection.execute(insert(WEBHOOKS).values(row))
            self._audit(connection, identity, "webhook.register", row["webhook_id"], now)
        return {**_public(row), "secret": row["secret"]}

    def registered(self, *, identity: Identity) -> list[dict[str, Any]]:
        """The caller's registrations; all for an admin."""
        query = select(WEBHOOKS).order_by(WEBHOOKS.c.created_at)
        if identity.role != "admin":
            query = query.where(WEBHOOKS.c.owner == identity.owner)
        with self._database.read() as connection:
            return [_public(dict(row)) for row in connection.execute(query).mappings()]

    def deliveries(self, webhook_id: str, *, identity: Identity) -> dict[str, Any]:
        """A registration with its deliveries: dead letters first, then the newest.

        Raises:
            NotFoundError: There is none, or it is another's.
        """
        with self._database.read() as connection:
            row = self._own(connection, webhook_id, identity)
            query = select(DELIVERIES).where(DELIVERIES.c.webhook_id == webhook_id)
            newest = query.order_by((DELIVERIES.c.state == "dead").desc(), DELIVERIES.c.seq.desc())
            found = connection.execute(newest.limit(MOST_SHOWN)).mappings()
            names = ("event_id", "seq", "state", "attempts", "next_at", "status", "error")
            shown = [{name: d[name] for name in names} for d in found]
        return {"webhook": _public(row), "deliveries": shown}

    def rotate(self, webhook_id: str, *, identity: Identity) -> dict[str, Any]:
        """A new secret; for a day everything is signed with the old one as well."""
        now = self._clock()
        secret = new_secret(self._random)
        with self._database.write() as connection:
            row = self._own(connection, webhook_id, identity)
            values = {"secret": secret, "old_secret": row["secret"], "old_until": iso(now + ROTATION)}
            connection.execute(_update(webhook_id).values(values))
            self._audit(connection, identity, "webhook.rotate", webhook_id, now)
        return {**_public(row), "secret": secret}

    def disable(self, webhook_id: str, *, identity: Identity) -> dict[str, Any]:
        """Stop telling; twice changes nothing."""
        now = self._clock()
        with self._database.write() as connection:
            row = self._own(connection, webhook_id, identity)
            row["disabled_at"] = row["disabled_at"] or iso(now)
            connection.execute(_update(webhook_id).values(disabled_at=row["disabled_at"]))
            self._audit(connection, identity, "webhook.disable", webhook_id, now)
        return _public(row)

    def revive(self, webhook_id: str, *, identity: Identity) -> dict[str, Any]:
        """Try the dead letters once more, from the first attempt on."""
        now = self._clock()
        with self._database.write() as connection:
            self._own(connection, webhook_id, identity)
            which = (DELIVERIES.c.webhook_id == webhook_id) & (DELIVERIES.c.state == "dead")
            values = {"state": "waiting", "attempts": 0, "next_at": iso(now), "updated_at": iso(now)}
            connection.execute(update(DELIVERIES).where(which).values(values))
            self._audit(connection, identity, "webhook.revive", webhook_id, now)
        return self.deliveries(webhook_id, identity=identity)

    def enqueue(self) -> int:
        """Put every event that is new to a registration into its deliveries; returns how many."""
        now, added = self._clock(), 0
        with self._database.read() as connection:
            last = connection.execute(select(func.max(OUTBOX.c.seq))).scalar() or 0
            query = select(WEBHOOKS.c.webhook_id).where(
                WEBHOOKS.c.disabled_at.is_(None) & (WEBHOOKS.c.after_seq < last)
            )
            behind = connection.execute(query).scalars().all()
        for webhook_id in behind:
            with self._database.write() as connection:
                added += self._catch_up(connection, webhook_id, now)
        return added

    def _catch_up(self, connection: Connection, webhook_id: str, now: datetime) -> int:
        which = select(WEBHOOKS).where(WEBHOOKS.c.webhook_id == webhook_id).with_for_update()
        hook = connection.execute(which).mappings().one()
        query = select(OUTBOX).where(OUTBOX.c.seq > hook["after_seq"]).order_by(OUTBOX.c.seq).limit(1000)
        events = connection.execute(query).mappings().all()
        if not events:
            return 0
        types = json.loads(hook["types"])
        wanted = [
            e
            for e in events
            if (not types or e["type"] in types)
            and (hook["manager_id"] is None or e["manager_id"] == hook["manager_id"])
        ]
        rows = [
            {"webhook_id": webhook_id, "seq": e["seq"], "event_id": e["event_id"], "state": "waiting",
             "attempts": 0, "next_at": iso(now), "status": None, "error": "", "updated_at": iso(now)}
            for e in wanted
        ]  # fmt: skip
        if rows:
            connection.execute(insert(DELIVERIES), rows)
        connection.execute(_update(webhook_id).values(after_seq=events[-1]["seq"]))
        return len(rows)

    def due(self, *, each: int = 50) -> list[Due]:
        """Deliveries whose time has come, oldest first, so many at most of each receiver."""
        now = iso(self._clock())
        oldest = func.row_number().over(
            partition_by=DELIVERIES.c.webhook_id, order_by=(DELIVERIES.c.next_at, DELIVERIES.c.seq)
        )
        waiting = (
            select(DELIVERIES, oldest.label("place"))
            .where(DELIVERIES.c.state == "waiting", DELIVERIES.c.next_at <= now)
            .subquery()
        )
        query = (
            select(waiting.c.webhook_id, waiting.c.attempts, WEBHOOKS.c.url, WEBHOOKS.c.secret,
                   WEBHOOKS.c.old_secret, WEBHOOKS.c.old_until, OUTBOX)
            .join(WEBHOOKS, WEBHOOKS.c.webhook_id == waiting.c.webhook_id)
            .join(OUTBOX, OUTBOX.c.seq == waiting.c.seq)
            .where(waiting.c.place <= each, WEBHOOKS.c.disabled_at.is_(None))
            .order_by(waiting.c.next_at, waiting.c.seq)
        )  # fmt: skip
        with self._database.read() as connection:
            return [_due(dict(row), now) for row in connection.execute(query).mappings()]

    def attempt(self, due: Due, post: Post) -> Sent:
        """Send one delivery and keep what came of it."""
        now = self._clock()
        body = body_of(due.event)
        headers = headers_of(due.event.event_id, body, secrets=due.secrets, at=now)
        try:
            place = place_of(due.url, allowed=self._allowed)
            sent = post(place, body, {**headers, "content-type": "application/json"})
        except InputError:
            sent = Sent(None, "the URL may not be called any more")
        self._keep(due, sent)
        return sent

    def _keep(self, due: Due, sent: Sent) -> None:
        now = self._clock()
        attempts = due.attempts + 1
        error = sent.error or ("" if sent.good else f"HTTP {sent.status}")
        values: dict[str, Any] = {"attempts": attempts, "status": sent.status, "error": error}
        values["updated_at"] = iso(now)
        if sent.good:
            values |= {"state": "delivered", "next_at": None}
        elif attempts > len(SCHEDULE) or sent.status == GONE:
            values |= {"state": "dead", "next_at": None}
        else:
            values["next_at"] = iso(now + SCHEDULE[attempts - 1])
        with self._database.write() as connection:
            which = (DELIVERIES.c.webhook_id == due.webhook_id) & (DELIVERIES.c.seq == due.seq)
            connection.execute(update(DELIVERIES).where(which).values(values))
            if sent.status == GONE:
                connection.execute(_update(due.webhook_id).values(disabled_at=iso(now)))

    def _own(self, connection: Connection, webhook_id: str, identity: Identity) -> dict[str, Any]:
        query = select(WEBHOOKS).where(WEBHOOKS.c.webhook_id == webhook_id)
        row = connection.execute(query).mappings().first()
        if row is None or (identity.role != "admin" and row["owner"] != identity.owner):
            raise NotFoundError("There is no such webhook.")
        return dict(row)

    def _audit(
        self, connection: Connection, identity: Identity, action: str, webhook_id: str, at: datetime
    ) -> None:
        actor = f"{identity.owner} ({identity.key_id})"
        audit.append_within(connection, at=at, actor=actor, action=action, object=webhook_id)


def body_of(event: Event) -> bytes:
    """What is sent: the same bytes in every attempt."""
    return canonical({"type": event.type, "timestamp": event.at, "data": dict(event.payload)}).encode()


def _update(webhook_id: str) -> Any:
    return update(WEBHOOKS).where(WEBHOOKS.c.webhook_id == webhook_id)


def _due(row: dict[str, Any], now: str) -> Due:
    old = row["old_secret"] if row["old_secret"] and (row["old_until"] or "") > now else None
    event = Event(
        row["seq"], row["event_id"], row["type"], row["at"], row["object"], row["manager_id"],
        json.loads(row["payload"]),
    )  # fmt: skip
    secrets = tuple(filter(None, (row["secret"], old)))
    return Due(row["webhook_id"], row["seq"], row["url"], secrets, row["attempts"], event)


def _public(row: dict[str, Any]) -> dict[str, Any]:
    names = ("webhook_id", "url", "manager_id", "created_at", "disabled_at")
    return {**{name: row[name] for name in names}, "types": json.loads(row["types"]), "secret": None}
