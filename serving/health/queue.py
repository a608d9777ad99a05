"""The alert queue as people use it: read, acknowledge, assign, snooze, close, override, look back.

A channel manager sees the alerts of its own partners; another's alert does not exist. What is held out exists
for nobody.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import Connection, and_, func, or_, select

from data.errors import InputError, NotFoundError
from models.alerts import records
from models.alerts.records import Alert
from serving import audit, outbox
from serving.auth import Identity
from serving.health.records import StoredAlert, stored, write_alerts
from serving.health.tables import ALERT_LOG, ALERTS, REFRESHES
from serving.outbox import News
from serving.overrides import Override, Overrides
from serving.state import Database, iso
from serving.view import View

STATES: Mapping[str, tuple[str, ...]] = {
    "open": ("open", "acknowledged"),
    "acknowledged": ("acknowledged",),
    "snoozed": ("snoozed",),
    "closed": ("closed",),
    "all": ("open", "acknowledged", "snoozed", "closed"),
}
MOST = 500
CHURN = "churn"
FORCED = ("at_risk", "ok")
DONE = {"acknowledge": "acknowledged", "assign": "assigned", "snooze": "snoozed", "close": "closed"}


@dataclass(frozen=True)
class Wanted:
    """Which alerts.

    Attributes:
        state: One of `STATES`.
        mine: Only those in the caller's own queue, or assigned to the caller.
        manager_id: Only those of one manager.
        region: Only those of one region.
        partner_id: Only those of one partner.
        limit: Most on a page.
        cursor: Where the last page ended.
    """

    state: str = "open"
    mine: bool = False
    manager_id: str | None = None
    region: str | None = None
    partner_id: str | None = None
    limit: int = 50
    cursor: str | None = None


class AlertQueue:
    """Reads and changes alerts.

    Args:
        database: State database.
        overrides: Where overrides are kept.
        view: What is in service; overrides keep what the model said.
        clock: Naive UTC time.
        random: Source of random bytes for ids.
    """

    def __init__(
        self,
        database: Database,
        *,
        overrides: Overrides,
        view: Callable[[], View],
        clock: Callable[[], datetime],
        random: Callable[[int], bytes],
    ) -> None:
        self._database, self._overrides, self._view = database, overrides, view
        self._clock, self._random = clock, random

    def page(self, wanted: Wanted, *, identity: Identity) -> dict[str, Any]:
        """One page of the queue, greatest expected loss first.

        Raises:
            InputError: A state there is none of, or a cursor that no page gave.
        """
        if wanted.state not in STATES:
            raise InputError(
                f"There is no state {wanted.state!r}.", allowed=", ".join(STATES), pointer="/state"
            )
        c = ALERTS.c
        query = select(ALERTS).where(c.held_out.is_(False), c.status.in_(STATES[wanted.state]))
        query = query.where(*_filters(wanted, identity))
        if wanted.cursor:
            priority, alert_id = _read_cursor(wanted.cursor)
            query = query.where(
                or_(c.priority < priority, and_(c.priority == priority, c.alert_id > alert_id))
            )
        query = query.order_by(c.priority.desc(), c.alert_id).limit(min(wanted.limit, MOST) + 1)
        with self._database.read() as connection:
            found = [stored(dict(row)) for row in connection.execute(query).mappings()]
            refreshed = _refreshed(connection)
        shown, more = found[: wanted.limit], len(found) > wanted.limit
        now = self._clock()
        return {
            "alerts": [public(s, now=now) for s in shown],
            "next_cursor": _cursor(shown[-1]) if more and shown else None,
            "refreshed_at": refreshed,
        }

    def one(self, alert_id: str, *, identity: Identity) -> dict[str, Any]:
        """One alert with its history.

        Raises:
            NotFoundError: There is none, or it is another's.
        """
        with self._database.read() as connection:
            found = _mine(connection, alert_id, identity)
            log = select(ALERT_LOG.c.at, ALERT_LOG.c.actor, ALERT_LOG.c.action, ALERT_LOG.c.body).where(
                (ALERT_LOG.c.alert_id == alert_id) & (ALERT_LOG.c.action != "refreshed")
            )
            rows = connection.execute(log.order_by(ALERT_LOG.c.seq)).all()
        happened = [{"at": r.at, "by": r.actor, "what": r.action, **_said(r.body, r.action)} for r in rows]
        return {**public(found, now=self._clock()), "happened": happened}

    def acknowledge(self, alert_id: str, *, identity: Identity) -> dict[str, Any]:
        """Take note."""
        return self._change(alert_id, "acknowledge", identity, lambda a, on: records.acknowledge(a, on=on))

    def assign(self, alert_id: str, *, assignee: str, identity: Identity) -> dict[str, Any]:
        """Give it to somebody."""
        return self._change(alert_id, "assign", identity, lambda a, on: records.assign(a, to=assignee, on=on))

    def snooze(self, alert_id: str, *, until: date, reason: str, identity: Identity) -> dict[str, Any]:
        """Put it off."""
        return self._change(
            alert_id, "snooze", identity,
            lambda a, on: records.snooze(a, until=until, reason=reason, on=on),
        )  # fmt: skip

    def close(self, alert_id: str, *, outcome: str, note: str = "", identity: Identity) -> dict[str, Any]:
        """Close it with what it came to."""
        return self._change(
            alert_id, "close", identity, lambda a, on: records.close(a, outcome=outcome, note=note, on=on)
        )

    def override(
        self, partner_id: str, *, state: str, reason: str, expires_at: datetime, identity: Identity
    ) -> Override:
        """Say that a partner is at risk, or that it is not, whatever the model says.

        It holds from the next refresh on; an alert opens, or none opens any more.

        Raises:
            NotFoundError: No such partner.
            InputError: Another state, no reason, or an expiry that is past.
        """
        limit = _limit(identity)
        if not self._view().sees(partner_id, manager_id=limit):
            raise NotFoundError("There is no such partner.")
        if state not in FORCED:
            raise InputError(
                f"A partner cannot be declared {state!r}.", allowed=", ".join(FORCED), pointer="/state"
            )
        return self._overrides.add(
            CHURN, partner_id, value={"state": state}, model_value=self._model_value(partner_id),
            reason=reason, expires_at=expires_at, identity=identity, at=self._clock(),
        )  # fmt: skip

    def withdraw(self, partner_id: str, *, identity: Identity) -> Override:
        """Take the override of a partner back.

        Raises:
            NotFoundError: No such partner, or no override that holds.
        """
        if not self._view().sees(partner_id, manager_id=_limit(identity)):
            raise NotFoundError("There is no such partner.")
        found = self._overrides.holding(CHURN, at=self._clock(), entity_ids=[partner_id])
        if partner_id not in found:
            raise NotFoundError("There is no such partner.")
        return self._overrides.withdraw(found[partner_id].override_id, identity=identity, at=self._clock())

    def as_of(self, moment: datetime, wanted: Wanted, *, identity: Identity) -> dict[str, Any]:
        """The queue exactly as it was at a moment: same alerts, figures, sentences and order.

        Raises:
            InputError: A day that has not come: nobody has seen its queue. The end of today is now.
        """
        now, c = self._clock(), ALERT_LOG.c
        if moment.date() > now.date():
            raise InputError(
                f"Nobody has seen the queue of {moment:%Y-%m-%d} yet.",
                allowed=f"a day up to {now:%Y-%m-%d}",
                pointer="/date",
            )
        moment = min(moment, now)
        newest = select(c.alert_id, func.max(c.seq).label("seq")).where(c.at <= iso(moment))
        last = newest.group_by(c.alert_id).subquery()
        query = select(ALERT_LOG).join(last, c.seq == last.c.seq)
        with self._database.read() as connection:
            found = [stored(dict(row)) for row in connection.execute(query).mappings()]
            refreshed = _refreshed(connection, by=moment)
        seen = [s for s in found if not s.alert.held_out and s.alert.status in STATES[wanted.state]]
        limit = _limit(identity)
        if wanted.mine and limit is None:
            limit = identity.manager_id or identity.owner
        for manager in filter(None, (limit, wanted.manager_id)):
            seen = [s for s in seen if s.alert.manager_id == manager]
        if limit == "":
            seen = []
        seen.sort(key=lambda s: (-s.priority, s.alert.alert_id))
        return {
            "as_of": iso(moment),
            "alerts": [public(s, now=moment) for s in seen[:MOST]],
            "refreshed_at": refreshed,
        }

    def _change(
        self, alert_id: str, what: str, identity: Identity, change: Callable[[Alert, date], Alert]
    ) -> dict[str, Any]:
        now = self._clock()
        actor = f"{identity.owner} ({identity.key_id})"
        with self._database.write() as connection:
            found = _mine(connection, alert_id, identity)
            changed = change(found.alert, now.date())
            if changed != found.alert:
                after = StoredAlert(changed, found.shown, found.region, found.priority)
                write_alerts(connection, [(after, DONE[what])], actor=actor, at=now)
                audit.append_within(connection, at=now, actor=actor, action=f"alert.{what}", object=alert_id)
                news = [_news(changed, what)] if what in ("snooze", "close", "assign") else []
                outbox.append_within(connection, news, at=now, random=self._random)
                found = after
        return public(found, now=now)

    def _model_value(self, partner_id: str) -> dict[str, Any]:
        from serving.health.tables import HEALTH_NOW

        with self._database.read() as connection:
            query = select(HEALTH_NOW.c.track, HEALTH_NOW.c.points, HEALTH_NOW.c.model_version)
            row = connection.execute(query.where(HEALTH_NOW.c.partner_id == partner_id)).first()
        if row is None:
            return {}
        return {"state": json.loads(row.track)["state"], "health_points": row.points,
                "model_version": row.model_version}  # fmt: skip


def _news(alert: Alert, what: str) -> News:
    payload = {
        "alert_id": alert.alert_id, "partner_id": alert.partner_id, "status": alert.status,
        "outcome": alert.outcome or None,
        "snoozed_until": alert.snoozed_until.isoformat() if alert.snoozed_until else None,
    }  # fmt: skip
    return News(f"alert.{DONE[what]}", alert.alert_id, alert.manager_id or None, payload)


def public(one: StoredAlert, *, now: datetime) -> dict[str, Any]:
    """An alert as the contract shapes it."""
    alert, shown = one.alert, dict(one.shown)
    shown.pop("values_when_opened", None)
    as_of = shown.get("features_as_of")
    age = (
        None
        if as_of is None
        else (now - datetime.fromisoformat(as_of.removesuffix("Z"))) / timedelta(hours=1)
    )
    return {
        "alert_id": alert.alert_id,
        "partner_id": alert.partner_id,
        "kind": alert.kind,
        "status": alert.status,
        "state": shown.pop("state", "at_risk"),
        "manager_id": alert.manager_id or None,
        "region": one.region or None,
        "opened_at": _midnight(alert.opened_on),
        "suggested_play": alert.play,
        "due_on": _day(alert.due_on),
        "assignee": alert.assignee or None,
        "driver": alert.driver,
        "acknowledged_on": _day(alert.acknowledged_on),
        "snoozed_until": _day(alert.snoozed_until) if alert.status == "snoozed" else None,
        "snooze_reason": alert.snooze_reason or None,
        "returned_on": _day(alert.returned_on),
        "escalated_on": _day(alert.escalated_on),
        "closed_on": _day(alert.closed_on),
        "outcome": alert.outcome or None,
        "note": alert.note or None,
        "data_age_hours": None if age is None else round(max(age, 0.0), 1),
        **shown,
    }


def _midnight(day: date) -> str:
    return iso(datetime.combine(day, time()))


def _day(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _filters(wanted: Wanted, identity: Identity) -> list[Any]:
    c, found = ALERTS.c, []
    limit = _limit(identity)
    if limit is not None:
        # A channel manager without a manager's id sees nobody's.
        found.append(c.manager_id == limit if limit else c.alert_id.is_(None))
    elif wanted.mine:
        found.append(c.manager_id == (identity.manager_id or identity.owner))
    for column, value in ((c.manager_id, wanted.manager_id), (c.region, wanted.region),
                          (c.partner_id, wanted.partner_id)):  # fmt: skip
        if value is not None:
            found.append(column == value)
    return found


def _limit(identity: Identity) -> str | None:
    """The manager whose alerts are visible; None: all."""
    return (identity.manager_id or "") if identity.role == "channel_manager" else None


def _mine(connection: Connection, alert_id: str, identity: Identity) -> StoredAlert:
    query = select(ALERTS).where(ALERTS.c.alert_id == alert_id, ALERTS.c.held_out.is_(False))
    row = connection.execute(query.with_for_update()).mappings().first()
    limit = _limit(identity)
    if row is None or (limit is not None and (not limit or row["manager_id"] != limit)):
        raise NotFoundError("There is no such alert.")
    return stored(dict(row))


def _refreshed(connection: Connection, *, by: datetime | None = None) -> str | None:
    query = select(func.max(REFRESHES.c.at))
    return connection.execute(query if by is None else query.where(REFRESHES.c.at <= iso(by))).scalar()


def _said(body: str, action: str) -> dict[str, Any]:
    plain = json.loads(body)
    told = {"snoozed": ("snoozed_until", "snooze_reason"), "closed": ("outcome", "note"),
            "assigned": ("assignee",)}.get(action, ())  # fmt: skip
    return {name: plain[name] for name in told}


def _cursor(one: StoredAlert) -> str:
    text = json.dumps([one.priority, one.alert.alert_id])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> tuple[float, str]:
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        priority, alert_id = json.loads(text)
        return float(priority), str(alert_id)
    except (binascii.Error, ValueError, TypeError):
        raise InputError(
            "The cursor is none that a page gave.",
            allowed="`next_cursor` of the page before",
            pointer="/cursor",
        ) from None
