"""Standings and recommended changes in the state database."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, delete, insert, select, update

from data.errors import NotFoundError
from models.tiering.stability import Memory
from serving.decisions import canonical
from serving.ids import new_id
from serving.state import Database, iso
from serving.tables import TIER_CHANGES, TIER_STANDINGS

State = Literal["open", "approved", "rejected", "lapsed"]
CHUNK = 500


@dataclass(frozen=True)
class Standing:
    """A partner at its last review.

    Attributes:
        partner_id: Its id.
        reviewed_at: Date of the features, RFC 3339.
        policy_version: Rules it was judged by.
        held: Name of the tier held.
        memory: What earlier reviews left behind, this one not among them.
        chance: Of reaching the next tier by the next review; None: not known, or at the top.
        answer: What the review said, as the API tells it.
    """

    partner_id: str
    reviewed_at: str
    policy_version: int
    held: str
    memory: Memory
    chance: float | None
    answer: Mapping[str, Any]


@dataclass(frozen=True)
class TierChange:
    """A recommended change of tier.

    Attributes:
        change_id: Its id.
        partner_id: Whose.
        change: `promote` or `demote`.
        from_tier: Tier held.
        to_tier: Tier recommended.
        state: `open`; `approved` or `rejected` by a person; `lapsed` when no longer recommended.
        opened_at: RFC 3339.
        reviewed_at: Date of the features behind it.
        policy_version: Rules.
        answer: The recommendation.
        decided_at: RFC 3339; None: not yet.
        decided_by: Who.
        reason: Why.
    """

    change_id: str
    partner_id: str
    change: str
    from_tier: str
    to_tier: str
    state: State
    opened_at: str
    reviewed_at: str
    policy_version: int
    answer: Mapping[str, Any]
    decided_at: str | None = None
    decided_by: str | None = None
    reason: str | None = None


class TierStore:
    """Reads and writes both tables.

    Args:
        database: State database.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    def standings(self, partner_ids: Sequence[str]) -> dict[str, Standing]:
        """Standings of some partners; those never reviewed are absent."""
        found: dict[str, Standing] = {}
        with self.database.read() as connection:
            for start in range(0, len(partner_ids), CHUNK):
                some = TIER_STANDINGS.c.partner_id.in_(partner_ids[start : start + CHUNK])
                for row in connection.execute(select(TIER_STANDINGS).where(some)).mappings():
                    found[row["partner_id"]] = _standing(row)
        return found

    def approved(self) -> dict[str, TierChange]:
        """The newest approved change of each partner."""
        query = select(TIER_CHANGES).where(TIER_CHANGES.c.state == "approved")
        with self.database.read() as connection:
            rows = connection.execute(query.order_by(TIER_CHANGES.c.decided_at)).mappings()
            return {row["partner_id"]: _change(row) for row in rows}

    def moves(self) -> dict[str, tuple[str, str]]:
        """Partner → (tier left, tier given) of its newest approved change."""
        c = TIER_CHANGES.c
        query = select(c.partner_id, c.from_tier, c.to_tier).where(c.state == "approved")
        with self.database.read() as connection:
            return {p: (left, to) for p, left, to in connection.execute(query.order_by(c.decided_at))}

    def changes(self, *, state: State, after: str = "", limit: int = 10_000) -> list[TierChange]:
        """Changes in a state, the oldest first, after an id."""
        c = TIER_CHANGES.c
        query = select(TIER_CHANGES).where((c.state == state) & (c.change_id > after))
        with self.database.read() as connection:
            rows = connection.execute(query.order_by(c.change_id).limit(limit)).mappings()
            return [_change(row) for row in rows]

    def change(self, change_id: str) -> TierChange:
        """One change.

        Raises:
            NotFoundError: There is none.
        """
        with self.database.read() as connection:
            return change_within(connection, change_id)


def change_within(connection: Connection, change_id: str) -> TierChange:
    """One change, in the caller's transaction."""
    row = (
        connection.execute(select(TIER_CHANGES).where(TIER_CHANGES.c.change_id == change_id))
        .mappings()
        .first()
    )
    if row is None:
        raise NotFoundError("There is no such tier change.")
    return _change(row)


def hold_within(connection: Connection, change: TierChange) -> None:
    """Let a partner hold the tier of an approved change: reviews below begin anew, a promotion protects."""
    which = TIER_STANDINGS.c.partner_id == change.partner_id
    row = connection.execute(select(TIER_STANDINGS).where(which)).mappings().first()
    if row is None:
        return
    promoted = 0 if change.change == "promote" else None
    memory = replace(_standing(row).memory, below=0, since_promotion=promoted)
    values = {"held": change.to_tier, "memory": canonical(asdict(memory))}
    connection.execute(update(TIER_STANDINGS).where(which).values(values))


def replace_standings(connection: Connection, standings: Sequence[Standing]) -> None:
    """Put all standings in the place of the old ones: a partner that is gone has none."""
    connection.execute(delete(TIER_STANDINGS))
    rows = [
        {**asdict(s), "memory": canonical(asdict(s.memory)), "answer": canonical(dict(s.answer))}
        for s in standings
    ]
    if rows:
        connection.execute(insert(TIER_STANDINGS), rows)


def refresh_changes(
    connection: Connection,
    wanted: Mapping[str, TierChange],
    *,
    at: datetime,
    random: Callable[[int], bytes],
) -> tuple[int, int, int]:
    """Bring the open changes in line with what is recommended now.

    One open change a partner: the same recommendation keeps its id and its age; another one lapses the old.
    A recommendation a person rejected is not opened again for the same review.

    Args:
        connection: A connection of `Database.write()`.
        wanted: Partner → change recommended now, ids empty.
        at: Now.
        random: Source of random bytes for ids.

    Returns:
        Numbers opened, kept and lapsed.
    """
    c = TIER_CHANGES.c
    rows = connection.execute(select(TIER_CHANGES).where(c.state == "open")).mappings()
    there = {row["partner_id"]: _change(row) for row in rows}
    rejected = connection.execute(
        select(c.partner_id, c.to_tier, c.reviewed_at).where(c.state == "rejected")
    ).all()
    refused = {(r.partner_id, r.to_tier, r.reviewed_at) for r in rejected}
    opened = kept = lapsed = 0
    for partner_id, old in sorted(there.items()):
        new = wanted.get(partner_id)
        if new is not None and (new.from_tier, new.to_tier) == (old.from_tier, old.to_tier):
            values = {
                "reviewed_at": new.reviewed_at,
                "policy_version": new.policy_version,
                "answer": canonical(dict(new.answer)),
            }
            connection.execute(update(TIER_CHANGES).where(c.change_id == old.change_id).values(values))
            kept += 1
            continue
        values = {"state": "lapsed", "decided_at": iso(at), "decided_by": "nightly review"}
        connection.execute(update(TIER_CHANGES).where(c.change_id == old.change_id).values(values))
        lapsed += 1
    for partner_id, new in sorted(wanted.items()):
        last = there.get(partner_id)
        same = last is not None and (new.from_tier, new.to_tier) == (last.from_tier, last.to_tier)
        if same or (partner_id, new.to_tier, new.reviewed_at) in refused:
            continue
        row = {**asdict(new), "answer": canonical(dict(new.answer))}
        row |= {"change_id": new_id("tch", at=at, random=random), "opened_at": iso(at), "state": "open"}
        connection.execute(insert(TIER_CHANGES).values(row))
        opened += 1
    return opened, kept, lapsed


def _standing(row: Any) -> Standing:
    memory = json.loads(row["memory"])
    kept = Memory(tuple(memory["points"]), tuple(memory["lows"]), memory["below"], memory["since_promotion"])
    return Standing(**{**dict(row), "memory": kept, "answer": json.loads(row["answer"])})


def _change(row: Any) -> TierChange:
    return TierChange(**{**dict(row), "answer": json.loads(row["answer"])})
