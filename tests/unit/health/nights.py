"""A state database, a model, and partners whose features a test can move from night to night."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from features.matrix import FeatureMatrix
from models.alerts.playbook import standard_playbook
from models.alerts.settings import AlertSettings
from models.bundle import Bundle, save_bundle
from serving.auth import Identity
from serving.health.night import Night, Refreshed, Rules
from serving.health.queue import AlertQueue
from serving.health.reading import HealthReader
from serving.health.refresh import refresh
from serving.overrides import Overrides
from serving.state import Database
from serving.view import Partners, Served, View
from tests.unit.serving.world import CARD, partner_frame, small_bundle

MONDAY = datetime(2026, 11, 2)
KIM = Identity("k1", "Kim", "channel_manager", "M1")
LEE = Identity("k2", "Lee", "channel_manager", "M2")
ROOT = Identity("k3", "root", "admin")
SETTINGS = AlertSettings(holdout_share=0.0)


def model(folder: Path, *, seed: int = 1, version: str = "1") -> Served:
    """A served model, saved so that it has an identity."""
    saved: Bundle = save_bundle(small_bundle(seed), folder / version)
    return Served(saved, version, "registry")


@dataclass
class Nights:
    """Runs refreshes, a week apart."""

    folder: Path
    count: int = 60
    settings: AlertSettings = SETTINGS
    now: datetime = MONDAY + timedelta(hours=3)
    stale: frozenset[str] = frozenset()
    stale_views: frozenset[str] = frozenset()
    extra: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.database = Database(f"sqlite:///{self.folder / 'state.db'}")
        self.database.migrate()
        self.models = {"1": model(self.folder)}
        self.served = self.models["1"]
        self.frame = partner_frame(self.count, seed=5)
        self.frame.index = [f"P{i:03d}" for i in range(self.count)]
        self.frame.index.name = "partner_id"
        self.frame["days_since_last_won"] = 5.0
        self.frame["won_margin_usd_365d"] = np.linspace(1000, 50_000, self.count)
        self.overrides = Overrides(self.database, random=os.urandom)

    @property
    def managers(self) -> Mapping[str, str]:
        return {p: f"M{1 + i % 3}" for i, p in enumerate(self.frame.index)}

    def view(self) -> View:
        as_of = self.now.replace(hour=0)
        matrix = FeatureMatrix.of(
            self.frame, features_as_of=[as_of] * len(self.frame), stale=self.stale_views
        )
        return View({"churn": self.served}, Partners(matrix, self.managers, self.now))

    def run(self, *, days: float = 7, **night: Any) -> Refreshed:
        """One refresh, then let days pass."""
        given = Night(
            self.view(), self.now, os.urandom,
            old_model=lambda version, identity: self.models.get(version),
            overrides=self.overrides.holding("churn", at=self.now),
        )  # fmt: skip
        done = refresh(self.database, replace(given, **{**self.extra, **night}), self.rules)
        self.now += timedelta(days=days)
        return done

    @property
    def rules(self) -> Rules:
        return Rules(self.settings, standard_playbook(), ("deals.won",), 180)

    def promote(self, version: str, *, seed: int) -> None:
        """Another fit serves from now on."""
        self.models[version] = self.served = model(self.folder, seed=seed, version=version)

    def move(self, partner: str, **values: float) -> None:
        for name, value in values.items():
            self.frame.loc[partner, name] = value

    @property
    def queue(self) -> AlertQueue:
        return AlertQueue(
            self.database, overrides=self.overrides, view=self.view, clock=lambda: self.now, random=os.urandom
        )

    @property
    def reader(self) -> HealthReader:
        return HealthReader(
            self.database, view=self.view, overrides=self.overrides, settings=self.settings,
            activities=("deals.won",), card=CARD, clock=lambda: self.now,
        )  # fmt: skip
