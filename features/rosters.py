"""What routing rules look at of partners at a date: places, certificates, capacity, who has left.

The columns are those that `models.routing.roster.Roster.of` reads; lists are JSON text, so that a frame of
them can be kept and compared.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

TEXTS = ("tier", "partner_type", "country", "region")


@dataclass(frozen=True)
class RosterTables:
    """Canonical rows of the lake, all versions; None where a table is not there."""

    partners: Any | None = None
    territories: Any | None = None
    certifications: Any | None = None
    terminations: Any | None = None

    @classmethod
    def of(cls, lake: Any) -> RosterTables:
        """The tables of a lake."""
        names = ("partners", "territories", "certifications", "terminations")
        return cls(**{n: lake.read(n) if lake.has(n) else None for n in names})


def roster_columns(frame: Any, tables: RosterTables, *, as_of: datetime) -> Any:
    """A copy of a frame of partner features with the columns of a roster.

    Args:
        frame: Index partner_id; tier, partner type, country, region and employees are its own, where it has
            them.
        tables: Where the rest comes from.
        as_of: Naive UTC; nothing that was known later counts.
    """
    out = frame.copy()
    for name in TEXTS:
        if name not in out:
            out[name] = None
    if "employee_count" not in out:
        out["employee_count"] = np.nan
    ids = out.index
    out["domain"] = _domains(tables.partners, as_of).reindex(ids).to_numpy(dtype=object)
    out["ended"] = ids.isin(_names(tables.terminations, as_of, before=True))
    places, capacity = _territories(tables.territories, as_of)
    out["territories"] = [json.dumps(places.get(p, [])) for p in ids]
    out["capacity_count"] = capacity.reindex(ids).to_numpy(dtype=np.float64)
    held = _certificates(tables.certifications, as_of)
    out["certifications"] = [json.dumps(held.get(p, [])) for p in ids]
    return out


def _known(rows: Any, as_of: datetime, *, before: bool = False) -> Any:
    """Rows that held and were known, oldest first; `before`: events of the very moment are not yet there."""
    moment = pd.Timestamp(as_of)
    known = rows["known_at"].fillna(rows["event_at"])
    began = rows["event_at"].fillna(rows["known_at"])
    use = (known.isna() | (known <= moment)) & (
        began.isna() | ((began < moment) if before else (began <= moment))
    )
    order = ["event_at", "known_at", *(["row_hash"] if "row_hash" in rows else [])]
    return rows[use].sort_values(order, kind="stable", na_position="first")


def _names(rows: Any, as_of: datetime, *, before: bool = False) -> set[str]:
    return set() if rows is None else set(_known(rows, as_of, before=before)["partner_id"].astype(str))


def _domains(partners: Any, as_of: datetime) -> pd.Series:
    if partners is None or "domain" not in partners:
        return pd.Series(dtype=object)
    known = partners[partners["known_at"].isna() | (partners["known_at"] <= pd.Timestamp(as_of))]
    order = ["known_at", *(["row_hash"] if "row_hash" in known else [])]
    last = known[known["domain"].notna()].sort_values(order, kind="stable", na_position="first")
    return last.drop_duplicates("partner_id", keep="last").set_index("partner_id")["domain"].astype(object)


def _territories(rows: Any, as_of: datetime) -> tuple[dict[str, list[list[str]]], pd.Series]:
    """Partner → places, and partner → the greatest capacity of its territories."""
    if rows is None:
        return {}, pd.Series(dtype=np.float64)
    held = _known(rows, as_of).drop_duplicates(["territory_id", "partner_id"], keep="last")
    held = held.sort_values(["partner_id", "territory_id"], kind="stable")
    places: dict[str, list[list[str]]] = {}
    for row in held[["partner_id", "country", "region"]].to_dict("records"):
        country, region = (_text(row[n]) for n in ("country", "region"))
        places.setdefault(str(row["partner_id"]), []).append([country, region])
    counts = held["capacity_count"].astype("Float64").groupby(held["partner_id"]).max()
    return places, counts.astype(object).map(lambda v: np.nan if v is pd.NA else float(v)).astype(np.float64)


def _certificates(rows: Any, as_of: datetime) -> dict[str, list[str]]:
    """Partner → names of certificates that are valid."""
    if rows is None:
        return {}
    held = _known(rows, as_of)
    valid = held[
        (held["expires_at"].isna() | (held["expires_at"] > pd.Timestamp(as_of))) & held["name"].notna()
    ]
    by_partner = valid.groupby("partner_id")["name"].agg(lambda names: sorted({str(n) for n in names}))
    return {str(p): list(names) for p, names in by_partner.items()}


def _text(value: Any) -> str:
    return "" if value is None or value is pd.NA or value != value else str(value)
