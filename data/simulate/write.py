"""Write a world as a customer's export: raw files, a mapping that points at them, and the truth apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pandas as pd
import yaml

from data.simulate.world import World

Format = Literal["parquet", "csv"]


def write(world: World, directory: Path, *, fmt: Format = "parquet") -> Path:
    """Write `raw/<table>`, `panels/<name>.csv`, `truth/<name>.parquet` and `partnerintel.yaml`.

    Args:
        world: What to write.
        directory: Workspace; made when absent.
        fmt: Format of the raw tables. CSV timestamps are ISO 8601, UTC, without offset.

    Returns:
        Path of partnerintel.yaml.
    """
    directory = Path(directory)
    for folder in ("raw", "truth"):
        (directory / folder).mkdir(parents=True, exist_ok=True)
    for name, frame in world.tables.items():
        _save(frame, directory / "raw" / f"{name}.{fmt}")
    for name, frame in world.truth.items():
        _save(frame, directory / "truth" / f"{name}.parquet")
    for name, frame in world.panels.items():
        (directory / "panels").mkdir(exist_ok=True)
        _save(frame, directory / "panels" / f"{name}.csv")
    path = directory / "partnerintel.yaml"
    path.write_text(_HEADER + yaml.safe_dump(mapping(world, fmt=fmt), sort_keys=False), encoding="utf-8")
    return path


_HEADER = """\
# A simulated ecosystem: figures measured on it prove the pipeline, not the market.
# The truth is in truth/, for judges only; no table below points at it.
"""


def mapping(world: World, *, fmt: Format) -> dict[str, Any]:
    """The configuration that reads what `write` wrote; departures in all worlds are silences of 90 days."""
    config: dict[str, Any] = {
        "config_version": 1,
        # A table without a row is no table: ingest would rightly ask where the rows are.
        "tables": {name: {"path": f"raw/{name}.{fmt}"} for name, rows in world.tables.items() if len(rows)},
    }
    if world.panels:
        config["snapshots"] = [
            {
                "model": "churn",
                "path": f"panels/{name}.csv",
                "entity_id": "partner_id",
                "as_of": "snapshot_date",
                "label": "churned",
                "horizon_days": 90,
            }
            for name in world.panels
        ]
    config["churn"] = {"silence": 90}
    return config


def _save(frame: pd.DataFrame, path: Path) -> None:
    if path.suffix == ".csv":
        frame.to_csv(path, index=False, date_format="%Y-%m-%dT%H:%M:%S")
    else:
        frame.to_parquet(path, index=False, coerce_timestamps="us", row_group_size=500_000)
