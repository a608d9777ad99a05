"""Simulated recruited partners as a data set of fit, straight from the tables."""

from __future__ import annotations

from datetime import datetime, time
from typing import Any

from data.simulate import simulate
from models.fit import SPEC
from models.fit.card import FIT_DEFAULT
from models.fit.settings import FitSettings
from training.fit_rows import from_lake


class Tables:
    """What `from_lake` reads of a lake: all versions of all rows."""

    def __init__(self, tables: Any) -> None:
        self.tables = tables

    def read(self, name: str) -> Any:
        rows = self.tables[name].reset_index(drop=True)
        return rows.assign(row_hash=[f"{i:08d}" for i in range(len(rows))])


def world_of(partners: int, *, seed: int = 7) -> Any:
    """A rich world without the engagement that fit must not look at anyway."""
    return simulate("demo", partners=partners, seed=seed, event_rate=0.0, leads=0.01)


def dataset_of(world: Any, *, motion: str | None = None, settings: FitSettings | None = None) -> Any:
    return from_lake(
        Tables(world.tables),
        SPEC,
        settings=settings or FitSettings(),
        known_until=datetime.combine(world.end, time()),
        scorecard=FIT_DEFAULT,
        motion=motion,
    )
