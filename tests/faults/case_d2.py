"""D2: the same records, repeated, in another order, in other batches."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Sequence
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

from data.lake import Lake
from features.build import build_features
from features.settings import FeatureSettings
from features.source import lake_paths
from tests.faults.harness import Outcome, judged
from tests.functional.features.channel import append
from tests.unit.features import worlds

TITLE = "Repeated, shuffled and split batches give identical features"
QUICK, FULL = 1, 60
AS_OFS = [date(2023, 8, 1), date(2023, 10, 1)]
EACH_WORLD = 5  # arrivals tried on one world
Append = Callable[[Lake, str, list[worlds.Row]], None]


def run(size: int) -> Outcome:
    """Random arrivals of random channels, through the lake."""
    return _tried(size, append)


def planted() -> Outcome:
    """The same with an intake that numbers events as they come."""
    return _tried(1, renumbering)


def _tried(size: int, into: Append) -> Outcome:
    faults, rows = [], 0
    for trial in range(size):
        rng = random.Random(trial)
        tables, expected = world(trial // EACH_WORLD)
        batches = {t: arrival(rng, r) for t, r in tables.items()}
        rows += sum(len(b) for table in batches.values() for b in table)
        if not _features(batches, into).equals(expected):
            faults.append(f"arrival {trial} gave other features")
    return judged(size, faults, f"{size} arrivals, {rows} rows, features equal to the last bit")


@cache
def world(seed: int) -> tuple[dict[str, list[worlds.Row]], Any]:
    """A random channel, and its features when it arrives at once."""
    tables = worlds.random_world(500 + seed, partners=5)
    # Each says since when it is known: without that, of two versions the one that came last holds.
    tables = {t: [{**r, "known_at": known_at(r)} for r in rows] for t, rows in tables.items()}
    return tables, _features({t: [r] for t, r in tables.items()}, append)


def known_at(row: worlds.Row) -> datetime:
    """When a row is known, or counts as known where nothing else was held."""
    return row.get("known_at") or row.get("event_at") or datetime(1970, 1, 1)


def arrival(rng: random.Random, rows: Sequence[worlds.Row]) -> list[list[worlds.Row]]:
    """The rows in a random order, half of them twice, in random batches."""
    mixed = [*rows, *rng.sample(rows, len(rows) // 2)]
    rng.shuffle(mixed)
    cuts = sorted(rng.sample(range(1, len(mixed)), min(rng.randrange(5), len(mixed) - 1)))
    return [mixed[a:b] for a, b in zip([0, *cuts], [*cuts, len(mixed)], strict=True)]


def _features(batches: dict[str, list[list[worlds.Row]]], into: Append) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(Path(folder))
        for table, parts in batches.items():
            for part in parts:
                into(lake, table, part)
        settings = FeatureSettings()
        return worlds.wide(build_features(lake_paths(lake), as_ofs=AS_OFS, settings=settings, threads=1))


def renumbering(lake: Lake, table: str, rows: list[worlds.Row]) -> None:
    if table == "events":
        start = lake.rows(table)
        rows = [{**row, "event_id": f"arrived-{start + i}"} for i, row in enumerate(rows)]
    append(lake, table, rows)
