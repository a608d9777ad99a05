"""A simulated world: canonical tables, the truth kept apart, and a checksum."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from data.tables import TABLES, TableContract


@dataclass(frozen=True)
class World:
    """What was simulated.

    Attributes:
        tables: Canonical tables (columns of `data.tables`, timestamps naive UTC in microseconds), as a
            customer would export them at `end`.
        truth: What no customer could know; never part of the tables.
        config: The settings it was made with.
        start: First day.
        end: The day of the export: every row was known before it.
        panels: Feature snapshots by name, for presets that come with some.
        latent: In-memory arrays the oracle needs; not written.
    """

    tables: Mapping[str, pd.DataFrame]
    truth: Mapping[str, pd.DataFrame]
    config: Any
    start: date
    end: date
    panels: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    latent: Any = None

    def checksum(self) -> str:
        """Sha256 over the canonical bytes of all tables and panels: equal if and only if the data are."""
        digest = hashlib.sha256()
        for group in (self.tables, self.panels):
            for name in sorted(group):
                digest.update(f"\x1d{name}\x1d{len(group[name])}".encode())
                for column in group[name].columns:
                    digest.update(f"\x1e{column}\x1e".encode())
                    digest.update(_column_bytes(group[name][column]))
        return digest.hexdigest()


def _column_bytes(column: pd.Series) -> bytes:
    """Bytes that depend on values and order only, not on dtype details."""
    if pd.api.types.is_datetime64_any_dtype(column):
        return bytes(column.to_numpy("datetime64[us]").astype("<i8").tobytes())
    if column.dtype == object:
        return "\x1f".join(["\x00" if v is None or v is pd.NA or v != v else str(v) for v in column]).encode()
    return bytes(column.to_numpy(np.float64, na_value=np.nan).astype("<f8").tobytes())


def conform(table: str, columns: Mapping[str, Any]) -> pd.DataFrame:
    """A frame of the table's contract: all columns in order and typed, rows sorted by when they were known.

    Args:
        table: Name of a canonical table.
        columns: Arrays by column name; a column that is absent is empty.
    """
    contract = TABLES[table]
    size = len(next(iter(columns.values())))
    frame = pd.DataFrame(
        {c.name: _typed(columns.get(c.name), kind=c.type, size=size) for c in contract.columns}
    )
    unknown = set(columns) - set(contract.names)
    if unknown:
        raise KeyError(f"{table} has no columns {sorted(unknown)}")
    return frame.iloc[_order(frame, contract)].reset_index(drop=True)


def _order(frame: pd.DataFrame, contract: TableContract) -> np.ndarray:
    """Positions by known_at, event_at and key; keys, which are text, are compared only at equal times."""
    dated = [c for c in ("known_at", "event_at") if c in frame]
    rank = frame[list(dict.fromkeys([*dated, *contract.key]))].copy()
    if len(dated) == 2:
        rank["known_at"] = rank["known_at"].fillna(rank["event_at"])
    times = [rank[c].to_numpy().astype(np.int64) for c in dated]
    order = np.lexsort(times[::-1])
    same = np.ones(max(len(order) - 1, 0), dtype=bool)
    for time in times:
        same &= time[order][1:] == time[order][:-1]
    tied = np.append(same, False) | np.insert(same, 0, False) if len(order) else same
    places = order[tied]
    order[tied] = places[
        rank.iloc[places].reset_index(drop=True).sort_values(list(rank), kind="stable").index
    ]
    return order


def _typed(values: Any, *, kind: str, size: int) -> Any:
    if kind == "timestamp":
        empty = np.full(size, "NaT", dtype="datetime64[us]")
        return empty if values is None else np.asarray(values, dtype="datetime64[us]")
    if kind == "integer":
        return pd.array([pd.NA] * size if values is None else values, dtype="Int64")
    if kind == "number":
        return np.full(size, np.nan) if values is None else np.asarray(values, dtype=np.float64)
    if kind == "boolean":
        return pd.array([pd.NA] * size if values is None else values, dtype="boolean")
    return np.full(size, None, dtype=object) if values is None else np.asarray(values, dtype=object)


def days_after(start: date, days: Any) -> np.ndarray:
    """Timestamps a fractional number of days after midnight of `start`, to the second; NaN gives NaT."""
    seconds = np.asarray(days, dtype=np.float64) * 86_400.0
    missing = np.isnan(seconds)
    stamps = np.datetime64(start, "us") + np.where(missing, 0, seconds).astype("int64").astype(
        "timedelta64[s]"
    )
    return np.where(missing, np.datetime64("NaT", "us"), stamps)


def labels(prefix: str, codes: Any, *, width: int = 6) -> np.ndarray:
    """Identifiers such as P000123 for integer codes."""
    unique, inverse = np.unique(np.asarray(codes), return_inverse=True)
    names = np.array([f"{prefix}{code:0{width}d}" for code in unique.tolist()], dtype=object)
    return names[inverse] if unique.size else np.zeros(0, dtype=object)
