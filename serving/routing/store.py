"""Rows of routing: leads, offers, how partners stand. A change is one transaction and takes the next number.

Capacity is kept by the statement that takes it: the row is changed only while there is room. On PostgreSQL
the row of the clock, and on SQLite the write lock, put changes in one order, which workers follow by number.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from threading import Lock
from typing import Any

from sqlalchemy import Connection, bindparam, case, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from data.errors import NotFoundError
from models.routing.eligibility import Standing
from serving.routing.tables import CLOCK, LEADS, OFFERS, STANDINGS
from serving.state import Database, iso


@dataclass(frozen=True)
class OfferRow:
    """One offer of a lead; see the table."""

    owner: str
    lead_id: str
    turn: int
    partner_id: str
    state: str
    decision_id: str
    propensity: float
    policy_version: int
    tier: str | None
    region: str
    size: str
    fairness_cost: float
    offered_at: str
    respond_by: str
    answered_at: str | None = None
    reason: str | None = None
    closed_at: str | None = None
    value_cents: int | None = None


@dataclass(frozen=True)
class LeadRow:
    """One lead and where it is; see the table."""

    owner: str
    lead_id: str
    state: str
    code: str
    partner_id: str | None
    respond_by: str | None
    turn: int
    decision_id: str
    lead: Mapping[str, Any]
    conflict: Mapping[str, Any]
    value_cents: int | None
    currency: str | None
    closed_at: str | None
    created_at: str
    updated_at: str


# Statements are built once: building one costs SQLAlchemy several times as much as running it.
_TICK = update(CLOCK).values(seq=CLOCK.c.seq + 1).returning(CLOCK.c.seq)
_ADD_OFFER, _ADD_LEAD = insert(OFFERS), insert(LEADS)
_FIRST = {
    is_sqlite: build(STANDINGS).on_conflict_do_nothing().returning(STANDINGS.c.partner_id)
    for is_sqlite, build in ((True, sqlite.insert), (False, postgresql.insert))
}
_TAKE = (
    update(STANDINGS)
    .where(
        (STANDINGS.c.partner_id == bindparam("partner"))
        & (STANDINGS.c.load < func.coalesce(STANDINGS.c.capacity, bindparam("room")))
    )
    .values(
        load=STANDINGS.c.load + 1,
        last_offer_at=bindparam("at"),
        received=case((STANDINGS.c.month == bindparam("now_month"), STANDINGS.c.received + 1), else_=1),
        month=bindparam("now_month"),
        seq=bindparam("number"),
    )
)
_CHANGED = select(STANDINGS).where(STANDINGS.c.seq > bindparam("known"))
_LEAD = select(LEADS).where((LEADS.c.owner == bindparam("who")) & (LEADS.c.lead_id == bindparam("what")))
_OFFERS = (
    select(OFFERS)
    .where((OFFERS.c.owner == bindparam("who")) & (OFFERS.c.lead_id == bindparam("what")))
    .order_by(OFFERS.c.turn)
)


def tick(connection: Connection) -> int:
    """The number of this change; on PostgreSQL later changes wait here until it is committed."""
    return int(connection.execute(_TICK).scalar_one())


def take(
    connection: Connection, partner_id: str, *, capacity: int, at: datetime, seq: int, sqlite_: bool
) -> bool:
    """Take a unit of a partner's capacity; False when there is none left.

    Args:
        connection: Of a write.
        partner_id: Whose.
        capacity: What the roster and the policy allow; a person's own setting in the row goes before.
        at: When, naive UTC.
        seq: Number of the change.
        sqlite_: Dialect.
    """
    month = f"{at:%Y-%m}"
    given = {"partner": partner_id, "room": capacity, "at": iso(at), "now_month": month, "number": seq}
    if connection.execute(_TAKE, given).rowcount:
        return True
    if capacity < 1:
        return False
    fresh = {"partner_id": partner_id, "load": 1, "opted_out": 0, "last_offer_at": iso(at),
             "month": month, "received": 1, "seq": seq}  # fmt: skip
    # What comes back says whether the row is ours: PostgreSQL's driver counts no rows of an insert.
    return connection.execute(_FIRST[sqlite_], fresh).first() is not None


def give_back(connection: Connection, partner_id: str, *, seq: int) -> None:
    """Give a unit of capacity back."""
    mine = (STANDINGS.c.partner_id == partner_id) & (STANDINGS.c.load > 0)
    connection.execute(update(STANDINGS).where(mine).values(load=STANDINGS.c.load - 1, seq=seq))


def set_standing(
    connection: Connection, partner_id: str, values: Mapping[str, Any], *, sqlite_: bool
) -> None:
    """Set a person's wishes about a partner: capacity, pause, opt-out."""
    seq = tick(connection)
    fresh = {"partner_id": partner_id, "load": 0, "opted_out": 0, "month": "", "received": 0, "seq": seq}
    build = sqlite.insert if sqlite_ else postgresql.insert
    statement = build(STANDINGS).values({**fresh, **values})
    connection.execute(
        statement.on_conflict_do_update(index_elements=["partner_id"], set_={**values, "seq": seq})
    )


def add_offer(connection: Connection, offer: OfferRow) -> None:
    """Keep a new offer."""
    connection.execute(_ADD_OFFER, vars(offer))


def put_lead(connection: Connection, lead: LeadRow, *, new: bool) -> None:
    """Keep a lead as it is now."""
    values = {**vars(lead), "lead": json.dumps(lead.lead, ensure_ascii=False, sort_keys=True),
              "conflict": json.dumps(lead.conflict, ensure_ascii=False, sort_keys=True)}  # fmt: skip
    if new:
        connection.execute(_ADD_LEAD, values)
        return
    connection.execute(update(LEADS).where(_is(LEADS, lead.owner, lead.lead_id)).values(values))


def change_offer(connection: Connection, offer: OfferRow, *, was: str, **values: Any) -> bool:
    """Change an offer that is still as it was seen; False when somebody else was first."""
    mine = _is(OFFERS, offer.owner, offer.lead_id) & (OFFERS.c.turn == offer.turn) & (OFFERS.c.state == was)
    return bool(connection.execute(update(OFFERS).where(mine).values(values)).rowcount)


def read_lead(connection: Connection, owner: str, lead_id: str) -> tuple[LeadRow, list[OfferRow]]:
    """A lead and its offers, first to last.

    Raises:
        NotFoundError: The owner has no such lead.
    """
    found = find_lead(connection, owner, lead_id)
    if found is None:
        raise NotFoundError("There is no such lead.")
    return found


def find_lead(connection: Connection, owner: str, lead_id: str) -> tuple[LeadRow, list[OfferRow]] | None:
    """A lead and its offers, first to last; None where the owner has no such lead."""
    mine = {"who": owner, "what": lead_id}
    row = connection.execute(_LEAD, mine).mappings().first()
    if row is None:
        return None
    found = {**dict(row), "lead": json.loads(row["lead"]), "conflict": json.loads(row["conflict"])}
    offers = [OfferRow(**dict(o)) for o in connection.execute(_OFFERS, mine).mappings()]
    return LeadRow(**found), offers


def due_offers(connection: Connection, *, now: datetime, most: int) -> list[tuple[str, str, str]]:
    """(owner, lead, partner) of open offers whose time is over, oldest first."""
    query = (
        select(OFFERS.c.owner, OFFERS.c.lead_id, OFFERS.c.partner_id)
        .where((OFFERS.c.state == "offered") & (OFFERS.c.respond_by <= iso(now)))
        .order_by(OFFERS.c.respond_by, OFFERS.c.owner, OFFERS.c.lead_id)
        .limit(most)
    )
    return [tuple(row) for row in connection.execute(query)]


def _is(table: Any, owner: str, lead_id: str) -> Any:
    return (table.c.owner == owner) & (table.c.lead_id == lead_id)


class StandingBook:
    """How partners stand, followed by number: a request reads only what changed since the last one.

    Args:
        database: State database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = Lock()
        self._seq = -1
        self._rows: dict[str, Mapping[str, Any]] = {}
        self._known: tuple[str, Standing] | None = None

    def at(self, now: datetime) -> Standing:
        """How they stand now."""
        with self._database.read() as connection:
            return self.within(connection, now)

    def within(self, connection: Connection, now: datetime) -> Standing:
        """How they stand now, read in the caller's transaction."""
        with self._lock:
            changed = connection.execute(_CHANGED, {"known": self._seq}).mappings().all()
            month = f"{now:%Y-%m}"
            if self._known is None or self._known[0] != month:
                self._rows.update({r["partner_id"]: dict(r) for r in changed})
                standing = _standing(self._rows.values(), month, Standing.idle())
            else:
                self._rows.update({r["partner_id"]: dict(r) for r in changed})
                standing = _standing([dict(r) for r in changed], month, self._known[1])
            self._seq = max([self._seq, *(r["seq"] for r in changed)])
            self._known = (month, standing)
            paused = frozenset(p for p, until in self._paused().items() if until > iso(now))
            return replace(standing, paused=paused)

    def _paused(self) -> Mapping[str, str]:
        return {p: r["paused_until"] for p, r in self._rows.items() if r["paused_until"]}


def _standing(rows: Any, month: str, before: Standing) -> Standing:
    """What stood before, with these rows put in."""
    rows = list(rows)
    if not rows:
        return before
    load, capacity = dict(before.load), dict(before.capacity)
    offered, got, out = dict(before.last_offer), dict(before.received), set(before.opted_out)
    for row in rows:
        partner = row["partner_id"]
        _put(load, partner, row["load"] or None)
        _put(capacity, partner, row["capacity"])
        _put(got, partner, row["received"] if row["month"] == month else None)
        at = row["last_offer_at"]
        _put(offered, partner, datetime.fromisoformat(at.removesuffix("Z")) if at else None)
        (out.add if row["opted_out"] else out.discard)(partner)
    return Standing(load, capacity, frozenset(), frozenset(out), offered, got)


def _put(into: dict[str, Any], key: str, value: Any) -> None:
    if value is None:
        into.pop(key, None)
    else:
        into[key] = value


def standing_to_json(standing: Standing, wanted: frozenset[str]) -> dict[str, Any]:
    """What a decision keeps: only of partners that the standing could matter for."""
    return {
        "load": {p: n for p, n in standing.load.items() if p in wanted},
        "capacity": {p: n for p, n in standing.capacity.items() if p in wanted},
        "paused": sorted(standing.paused & wanted),
        "opted_out": sorted(standing.opted_out),
        "last_offer": {p: iso(t) for p, t in standing.last_offer.items() if p in wanted},
        "received": dict(standing.received),
    }


def standing_of_json(value: Mapping[str, Any]) -> Standing:
    """Inverse of `standing_to_json`."""
    return Standing(
        dict(value["load"]),
        dict(value["capacity"]),
        frozenset(value["paused"]),
        frozenset(value["opted_out"]),
        {p: datetime.fromisoformat(t.removesuffix("Z")) for p, t in value["last_offer"].items()},
        dict(value["received"]),
    )
