"""What routing needs of partners beside their views: places, certificates, history of leads, deals."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from features.leadhistory import HISTORY_COLUMNS, deals_by_product, offers_of, partner_rates

PRODUCT = "deals of "
AS_OF = "features_as_of"
ROSTER = ("tier", "partner_type", "country", "region", "employee_count", "domain", "territories",
          "certifications", "capacity_count", "ended")  # fmt: skip


@dataclass(frozen=True)
class LakeTables:
    """What is taken from the lake; None where a table is not there.

    Attributes:
        partners: Canonical rows.
        territories: Canonical rows.
        certifications: Canonical rows.
        terminations: Canonical rows.
        deals: Canonical rows.
        assignments: Canonical rows.
    """

    partners: Any | None = None
    territories: Any | None = None
    certifications: Any | None = None
    terminations: Any | None = None
    deals: Any | None = None
    assignments: Any | None = None


def join_roster(views: Any, features_as_of: Any, tables: LakeTables, *, now: datetime) -> Any:
    """Features of partners with all that routing looks at.

    Args:
        views: Index partner_id, the features of the views.
        features_as_of: (n,) times of the features, datetime64.
        tables: Of the lake.
        now: Naive UTC: nothing known later counts.
    """
    frame = views.copy()
    for name in ROSTER:
        if name not in frame:
            frame[name] = np.nan if name in ("employee_count", "capacity_count") else None
    types = frame["partner_type"] if "partner_type" in frame else frame["tier"]
    if tables.assignments is not None:
        rates = partner_rates(offers_of(tables.assignments), types, as_of=now)
        frame[list(HISTORY_COLUMNS)] = rates[list(HISTORY_COLUMNS)]
    if tables.deals is not None:
        deals = deals_by_product(tables.deals, as_of=now).reindex(frame.index).fillna(0.0)
        frame = frame.join(deals.rename(columns=lambda c: f"{PRODUCT}{c}"))
    frame["domain"] = frame.index.map(_domains(tables.partners))
    frame["ended"] = frame.index.isin(_ended(tables.terminations, now=now))
    places, capacity = _territories(tables.territories, now=now)
    frame["territories"] = [json.dumps(places.get(p, [])) for p in frame.index]
    frame["capacity_count"] = [capacity.get(p, np.nan) for p in frame.index]
    held = _certificates(tables.certifications, now=now)
    frame["certifications"] = [json.dumps(held.get(p, [])) for p in frame.index]
    times = features_as_of.astype("datetime64[s]").astype(str)
    frame[AS_OF] = [f"{t}Z" for t in times]
    return frame


def _known(rows: Any, now: datetime) -> Any:
    """Rows that hold and are known by a moment, oldest first."""
    known = rows["known_at"].fillna(rows["event_at"]) if "event_at" in rows else rows["known_at"]
    use = known.isna() | (known <= now)
    if "event_at" in rows:
        use &= rows["event_at"] <= now
    order = [c for c in ("event_at", "known_at", "row_hash") if c in rows]
    return rows[use].sort_values(order, kind="stable")


def _domains(partners: Any) -> Mapping[str, str]:
    if partners is None:
        return {}
    last = partners.sort_values(["known_at", "row_hash"]).drop_duplicates("partner_id", keep="last")
    last = last[last["domain"].notna()]
    return dict(zip(last["partner_id"].astype(str), last["domain"].astype(str), strict=True))


def _ended(terminations: Any, *, now: datetime) -> set[str]:
    return set() if terminations is None else set(_known(terminations, now)["partner_id"].astype(str))


def _territories(rows: Any, *, now: datetime) -> tuple[dict[str, list[list[str]]], dict[str, float]]:
    """Partner → places, and partner → the greatest capacity of its territories."""
    places: dict[str, list[list[str]]] = {}
    capacity: dict[str, float] = {}
    if rows is None:
        return places, capacity
    held = _known(rows, now).drop_duplicates(["territory_id", "partner_id"], keep="last")
    for row in held.sort_values(["partner_id", "territory_id"]).to_dict("records"):
        partner = str(row["partner_id"])
        country, region = (_plain(row.get(n)) for n in ("country", "region"))
        places.setdefault(partner, []).append([country, region])
        count = row.get("capacity_count")
        if count is not None and str(count) not in ("<NA>", "nan"):
            capacity[partner] = max(capacity.get(partner, 0.0), float(count))
    return places, capacity


def _certificates(rows: Any, *, now: datetime) -> dict[str, list[str]]:
    """Partner → names of certificates that are valid."""
    found: dict[str, set[str]] = {}
    if rows is None:
        return {}
    held = _known(rows, now)
    valid = held[(held["expires_at"].isna() | (held["expires_at"] > now)) & held["name"].notna()]
    for partner, name in zip(valid["partner_id"].astype(str), valid["name"].astype(str), strict=True):
        found.setdefault(partner, set()).add(name)
    return {p: sorted(names) for p, names in found.items()}


def _plain(value: Any) -> str:
    return "" if value is None or value != value else str(value)
