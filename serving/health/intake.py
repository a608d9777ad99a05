"""Engagement events coming in through the API: checked one by one, kept once, durable when acknowledged."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import delete, func, insert, select

from data.checks import finding
from data.quarantine import write_quarantine
from serving.auth import Identity
from serving.decisions import canonical
from serving.health.tables import RECEIVED
from serving.ids import new_id
from serving.moments import naive_utc
from serving.outbox import read_after
from serving.problems import FieldError, pointer
from serving.rows import MAX_TEXT, BadRow
from serving.state import Database, iso
from serving.view import View

AHEAD = timedelta(minutes=5)
EARLIEST = datetime(1970, 1, 1)
NEEDED = ("event_id", "partner_id", "event_type", "event_at")
OPTIONAL = ("known_at", "user_id", "source", "quantity")
MOST_QUANTITY = 1e9
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True)
class Incoming:
    """A good event.

    Attributes:
        event_id: Identifier.
        partner_id: Partner.
        row: Canonical columns as plain values; times naive UTC, ISO.
    """

    event_id: str
    partner_id: str
    row: Mapping[str, Any]

    @property
    def sha256(self) -> str:
        """Identity of the content, without the time at which it could be known."""
        plain = {k: v for k, v in self.row.items() if k != "known_at"}
        return hashlib.sha256(canonical(plain).encode()).hexdigest()


class EventIntake:
    """Takes events in, and tells what happened.

    Args:
        database: State database.
        view: What is in service; events of unknown partners are refused.
        quarantine: Folder for faulty rows.
        clock: Naive UTC time.
        random: Source of random bytes.
    """

    def __init__(
        self,
        database: Database,
        *,
        view: Callable[[], View],
        quarantine: Path,
        clock: Callable[[], datetime],
        random: Callable[[int], bytes],
    ) -> None:
        self._database, self._view, self._quarantine = database, view, quarantine
        self._clock, self._random = clock, random

    def take(self, events: Sequence[Any], *, identity: Identity) -> dict[str, Any]:
        """Keep the good events; faulty ones are entries under `errors`, and in the quarantine.

        An event sent again is kept once. One of the same id with other content corrects the first: it becomes
        known now, and what was known before stays as it was for every question about the past.
        """
        del identity
        now = self._clock()
        good, bad = check_events(events, now=now, knows=self._knows())
        accepted = self._keep(good, now) if good else 0
        if bad:
            self._set_aside(bad, events, now)
        return {
            "accepted": accepted,
            "repeated": len(good) - accepted,
            "errors": [b.as_dict() for b in bad],
        }

    def told(self, after: int, *, limit: int, kind: str | None, identity: Identity) -> dict[str, Any]:
        """Events of the product after a place, oldest first; a channel manager's own partners' only."""
        limited = (identity.manager_id or "") if identity.role == "channel_manager" else None
        types = (kind,) if kind else ()
        found = read_after(self._database, after, limit=limit, manager_id=limited, types=types)
        return {
            "events": [
                {"id": e.event_id, "seq": e.seq, "type": e.type, "timestamp": e.at, "data": dict(e.payload)}
                for e in found
            ],
            "next_after": found[-1].seq if found else after,
        }

    def _knows(self) -> Callable[[str], bool]:
        partners = self._view().partners
        places: Mapping[str, int] = partners.places if partners else {}
        return places.__contains__

    def _keep(self, good: Sequence[Incoming], now: datetime) -> int:
        newest = {one.event_id: one for one in good}
        with self._database.write() as connection:
            held = _held(connection, list(newest))
            sha256 = {one.event_id: one.sha256 for one in newest.values()}
            fresh = [
                one
                for one in newest.values()
                if one.event_id not in held or held[one.event_id].content_sha256 != sha256[one.event_id]
            ]
            if not fresh:
                return 0
            corrected = [one.event_id for one in fresh if one.event_id in held]
            for start in range(0, len(corrected), 500):
                connection.execute(
                    delete(RECEIVED).where(RECEIVED.c.event_id.in_(corrected[start : start + 500]))
                )
            # Whatever time the sender states: a correction was not known here before it came.
            moment = now.isoformat(timespec="microseconds")
            fresh = [
                replace(one, row={**one.row, "known_at": moment}) if one.event_id in held else one
                for one in fresh
            ]
            last = connection.execute(select(func.max(RECEIVED.c.seq))).scalar() or 0
            connection.execute(
                insert(RECEIVED),
                [
                    {"event_id": one.event_id, "seq": last + n, "partner_id": one.partner_id,
                     "content_sha256": sha256[one.event_id], "row": canonical(dict(one.row)),
                     "received_at": iso(now), "lake": False, "corrects": _earlier(held.get(one.event_id))}
                    for n, one in enumerate(fresh, start=1)
                ],
            )  # fmt: skip
        return len(fresh)

    def _set_aside(self, bad: Sequence[BadRow], events: Sequence[Any], now: datetime) -> None:
        found = [
            finding(
                "PI-D022" if "missing" in fault.detail else "PI-D023", "events", row=one.number + 1,
                field=fault.pointer.rsplit("/", 1)[-1], reason=fault.detail,
                given=json.dumps(events[one.number], ensure_ascii=False)[:200],
            )
            for one in bad
            for fault in one.errors
        ]  # fmt: skip
        name = new_id("events", at=now, random=self._random)
        write_quarantine(self._quarantine, name, found, ingested_at=now)


def _held(connection: Any, event_ids: Sequence[str]) -> dict[str, Any]:
    """What is kept of events that were received before."""
    found: dict[str, Any] = {}
    c = RECEIVED.c
    for start in range(0, len(event_ids), 500):
        query = select(c.event_id, c.content_sha256, c.partner_id, c.corrects)
        rows = connection.execute(query.where(c.event_id.in_(event_ids[start : start + 500])))
        found |= {r.event_id: r for r in rows}
    return found


def _earlier(held: Any | None) -> str | None:
    """Partners that earlier versions of an event were counted for, as JSON; None for a first version."""
    if held is None:
        return None
    return json.dumps(sorted({held.partner_id, *json.loads(held.corrects or "[]")}))


def check_events(
    events: Sequence[Any], *, now: datetime, knows: Callable[[str], bool]
) -> tuple[list[Incoming], list[BadRow]]:
    """Good events and faulty ones, each in order.

    Args:
        events: Of any type.
        now: Naive UTC; what lies more than five minutes ahead has not happened yet.
        knows: Whether there is a partner of that id.
    """
    good: list[Incoming] = []
    bad: list[BadRow] = []
    for number, event in enumerate(events):
        found = _check(number, event, now, knows)
        if isinstance(found, BadRow):
            bad.append(found)
        else:
            good.append(found)
    return good, bad


def _check(number: int, event: Any, now: datetime, knows: Callable[[str], bool]) -> Incoming | BadRow:
    at = ("events", number)
    if not isinstance(event, dict):
        return BadRow(number, {"event_id": None}, (FieldError(pointer(at), "an event is an object"),))
    faults = [
        FieldError(pointer((*at, key)), "unknown field; allowed: " + ", ".join((*NEEDED, *OPTIONAL)))
        for key in event
        if key not in (*NEEDED, *OPTIONAL)
    ]
    row: dict[str, Any] = {}
    for name in (*NEEDED, *OPTIONAL):
        value, fault = _value(name, event.get(name), now)
        row[name] = value
        if fault:
            faults.append(FieldError(pointer((*at, name)), fault))
    if not faults and not knows(row["partner_id"]):
        faults.append(FieldError(pointer((*at, "partner_id")), "unknown partner"))
    if not faults and row["known_at"] is not None and row["known_at"] < row["event_at"]:
        faults.append(FieldError(pointer((*at, "known_at")), "lies before event_at"))
    shown = event.get("event_id")
    if faults:
        return BadRow(number, {"event_id": shown if isinstance(shown, str) else None}, tuple(faults))
    row["known_at"] = row["known_at"] or now.isoformat(timespec="microseconds")
    return Incoming(row["event_id"], row["partner_id"], row)


def _value(name: str, given: Any, now: datetime) -> tuple[Any, str]:
    """The canonical value, and what is wrong with it."""
    if given is None:
        return None, "missing" if name in NEEDED else ""
    if name in ("event_at", "known_at"):
        return _moment(given, now)
    if name == "quantity":
        if isinstance(given, bool) or not isinstance(given, int | float):
            return None, "must be a number"
        return (float(given), "") if 0 <= given <= MOST_QUANTITY else (None, "must lie between 0 and 1e9")
    if not isinstance(given, str) or not 1 <= len(given) <= MAX_TEXT or _CONTROL.search(given):
        return None, f"must be text of 1 to {MAX_TEXT} characters, without control characters"
    return given, ""


def _moment(given: Any, now: datetime) -> tuple[str | None, str]:
    said = "must be a time in RFC 3339, such as 2026-11-20T09:30:00Z"
    if not isinstance(given, str) or "T" not in given:
        return None, said
    try:
        plain = naive_utc(given)
    except ValueError:
        return None, said
    if plain > now + AHEAD:
        return None, "lies in the future"
    if plain < EARLIEST:
        return None, "lies before 1970"
    return plain.isoformat(timespec="microseconds"), ""
