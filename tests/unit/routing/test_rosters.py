"""Rosters of the past: what held and was known then, and nothing from later."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from features.rosters import RosterTables, roster_columns
from models.routing.roster import Roster

AT = datetime(2026, 5, 1)


def rows(*given: dict[str, Any]) -> Any:
    frame = pd.DataFrame(list(given))
    for name in ("event_at", "known_at", "expires_at"):
        if name in frame:
            frame[name] = pd.to_datetime(frame[name])
    return frame


def partners() -> Any:
    return pd.DataFrame({"tier": ["gold", None], "country": ["DE", "FR"]}, index=pd.Index(["A", "B"]))


def territory(
    partner: str, country: str, region: Any, count: Any, at: str, known: Any = None
) -> dict[str, Any]:
    return {"territory_id": f"{country}-{region}", "partner_id": partner, "country": country,
            "region": region, "capacity_count": count, "event_at": at, "known_at": known or at}  # fmt: skip


def test_territories_are_those_that_held_and_were_known_then() -> None:
    held = rows(
        territory("A", "DE", "BY", 3, "2026-01-01"),
        territory("A", "AT", None, 5, "2026-02-01"),
        territory("A", "CH", None, 9, "2026-06-01"),
        territory("B", "FR", None, 9, "2026-01-01", "2026-06-01"),
    )
    held["capacity_count"] = held["capacity_count"].astype("Int64")
    found = Roster.of(roster_columns(partners(), RosterTables(territories=held), as_of=AT))
    assert set(found.territories[0]) == {("DE", "BY"), ("AT", "")}
    assert found.territories[1] == ()
    assert found.capacity.tolist() == [5, -1]
    assert found.serves("AT", "Wien").tolist() == [True, False]


def test_ends_certificates_and_domains_are_of_the_date() -> None:
    ended = rows({"partner_id": "A", "event_at": "2026-04-01", "known_at": "2026-05-02"},
                 {"partner_id": "B", "event_at": "2026-04-01", "known_at": "2026-04-02"})  # fmt: skip
    held = rows(
        {
            "partner_id": "A",
            "name": "cloud",
            "event_at": "2026-01-01",
            "known_at": "2026-01-01",
            "expires_at": None,
        },
        {
            "partner_id": "A",
            "name": "data",
            "event_at": "2025-01-01",
            "known_at": None,
            "expires_at": "2026-02-01",
        },
        {
            "partner_id": "A",
            "name": "web",
            "event_at": "2026-07-01",
            "known_at": "2026-07-01",
            "expires_at": None,
        },
    )
    known = rows({"partner_id": "A", "domain": "old.example", "known_at": "2025-01-01"},
                 {"partner_id": "A", "domain": "a.example", "known_at": "2026-01-01"},
                 {"partner_id": "A", "domain": "new.example", "known_at": "2026-07-01"})  # fmt: skip
    tables = RosterTables(partners=known, certifications=held, terminations=ended)
    found = Roster.of(roster_columns(partners(), tables, as_of=AT))
    assert found.ended.tolist() == [False, True]
    assert found.certifications == (frozenset({"cloud"}), frozenset())
    assert found.domain == ("a.example", "")


def test_without_any_table_everybody_is_there_and_nothing_is_known() -> None:
    found = Roster.of(roster_columns(partners(), RosterTables(), as_of=AT))
    assert found.partner_ids == ("A", "B")
    assert found.size == ("unknown", "unknown")
    assert not np.any(found.ended | found.has_territory)
