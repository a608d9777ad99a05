"""The faults of real data: lateness, exact duplicates, corrections, rows not yet exported, missing values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from data.simulate.config import RichConfig
from data.simulate.streams import Floats, uniform
from data.simulate.world import conform, days_after, labels
from data.tables import TABLES

DUPLICATE_SHARE = 0.004
CORRECTION_SHARE = 0.003


def reported_late(draws: Floats, *, share: float, mean_days: float) -> Floats:
    """Days between happening and being known: 0 for most, exponential for a share (from one uniform draw)."""
    if share <= 0:
        return np.zeros_like(draws)
    return np.where(draws < share, -mean_days * np.log(np.maximum(draws, 1e-12) / share), 0.0)


def with_copies(config: RichConfig, columns: dict[str, Any]) -> Any:
    """The events table: ids given, and a few rows doubled or corrected later under the same id."""
    number = columns.pop("number")
    columns["event_id"] = labels("E", number, width=12)
    columns["user_id"] = labels("U", columns.pop("user"), width=8)
    columns["known_at"] = np.where(
        columns["source"] == "mail", np.datetime64("NaT", "us"), columns["known_at"]
    )
    if config.messy:
        draw = uniform(config.seed, "event.copy", number)
        doubled = np.flatnonzero(draw < DUPLICATE_SHARE)
        corrected = np.flatnonzero(draw > 1 - CORRECTION_SHARE)
        columns = {k: np.concatenate([v, v[doubled], v[corrected]]) for k, v in columns.items()}
        _correct(columns, corrected.size)
    return exported(config, "events", columns)


def _correct(columns: dict[str, Any], count: int) -> None:
    """The last `count` rows are corrections: known five days later, with another quantity."""
    if count:
        later = np.where(np.isnat(columns["known_at"]), columns["event_at"], columns["known_at"])
        columns["known_at"][-count:] = later[-count:] + np.timedelta64(5, "D")
        columns["quantity"][-count:] = 2.0


def exported(config: RichConfig, table: str, columns: dict[str, Any]) -> Any:
    """The canonical frame of rows known before the export; sorted by when known, so out of event order."""
    frame = conform(table, columns)
    end = np.datetime64(config.end, "us")
    known = frame["known_at"] if "known_at" in frame else frame["event_at"]
    keep = known.isna() | (known < end)
    if "event_at" in frame:
        keep &= frame["event_at"] < end
    return frame[keep.to_numpy()].reset_index(drop=True)


def at(config: RichConfig, day: Any) -> Any:
    """Timestamp of a day of this world."""
    return days_after(config.start, day)


def without_optional(tables: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The tables with every optional column empty, and no score in any survey."""
    emptied = {}
    for name, frame in tables.items():
        contract = TABLES[name]
        kept = [c.name for c in contract.columns if c.required or c.name in contract.key]
        kept = [c for c in kept if (name, c) != ("surveys", "score")]
        emptied[name] = conform(name, {c: frame[c].array for c in kept})
    return emptied
