"""A lake filled with a small random channel."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pandas as pd

from data.lake import Lake
from data.tables import TABLES
from tests.unit.features import worlds

INGESTED_AT = datetime(2024, 1, 1)


def append(lake: Lake, table: str, rows: list[worlds.Row]) -> None:
    """Add rows, with the columns of the contract."""
    frame = pd.DataFrame([{c: row.get(c) for c in TABLES[table].names} for row in rows])
    for column in TABLES[table].columns:
        if column.type == "timestamp":
            frame[column.name] = pd.to_datetime(frame[column.name]).astype("datetime64[us]")
        if column.type == "integer":
            frame[column.name] = frame[column.name].astype("Int64")
    lake.append(table, frame, ingested_at=INGESTED_AT)


def fill_lake(root: Path, *, seed: int = 5) -> Lake:
    """A lake under `root` with every table features read."""
    lake = Lake(root / "lake")
    for table, rows in worlds.random_world(seed, partners=6).items():
        append(lake, table, rows)
    return lake
