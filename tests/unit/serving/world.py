"""A small served world: a fitted hazard bundle carried as a bento's seed, a worker's runtime, a client."""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import httpx
import lightgbm
import numpy as np
import pandas as pd

from models.assembly import example_rows
from models.bundle import Bundle, save_bundle
from models.calibration import Affine
from models.churn import SPEC
from models.encoding import Encoder
from models.health import fit_scale
from models.ledger import Ledger, Version
from models.peers import fit_peers
from models.registry import Registry, RegistrySettings
from models.scorecard import CHURN_DEFAULT
from models.spread import Spread
from models.terms import BoostTerm, PriorTerm, Terms
from serving.api import create_app
from serving.auth import create_key
from serving.champions import Champions
from serving.guard import Guard
from serving.lastknown import write_json
from serving.live import LiveRegistry
from serving.logs import EventLog
from serving.runtime import Runtime, open_runtime
from serving.shared import Edges

NOW = datetime(2026, 11, 20, 9, 30)
AS_OF = datetime(2026, 11, 20)
CARD = CHURN_DEFAULT.restricted_to(["days_since_last_login", "login_count_30d", "registered_count_90d"])[0]
ROLES = {"recruiter": None, "channel_manager": "M1", "prm": None, "admin": None}


@dataclass
class Clock:
    """A clock and a stopwatch that stand still until told otherwise."""

    at: datetime = NOW
    ticks: float = 0.0

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.at += timedelta(seconds=seconds)
        self.ticks += seconds


def partner_frame(count: int, *, seed: int = 0) -> Any:
    """Raw features of partners; some values missing."""
    rng = np.random.default_rng(seed)
    activity = rng.normal(size=count)
    return pd.DataFrame(
        {
            "login_count_30d": rng.poisson(np.exp(1.2 + 0.6 * activity)).astype(float),
            "days_since_last_login": rng.exponential(np.exp(2.5 - 0.7 * activity)).round(),
            "registered_count_90d": rng.poisson(np.exp(0.3 * activity)).astype(float),
            "survey_score_latest": np.where(rng.random(count) < 0.4, np.nan, rng.integers(0, 11, count)),
            "employee_count": rng.lognormal(4, 1.2, count).round(),
            "country": rng.choice(["DE", "FR", "US", None], count),
            "partner_type": rng.choice(["reseller", "integrator"], count),
        }
    )


@cache
def small_bundle(seed: int = 1) -> Bundle:
    """A hazard model with a scorecard and trees; another seed, another model."""
    frame = partner_frame(400, seed=seed)
    spec = SPEC.restricted_to(frame.columns)
    encoder = Encoder.fit(frame, spec)
    matrix = encoder.encode(frame)
    at = [encoder.columns.index(name) for name in CARD.features]
    prior = PriorTerm(
        CARD,
        tuple(at),
        Affine(-2.0, -0.02),
        tuple(float(v) for v in CARD.contributions(frame).mean(axis=0)),
    )
    rate = -0.6 * np.log1p(frame["login_count_30d"].to_numpy()) + 0.3 * (frame["country"] == "FR").to_numpy()
    gone = np.random.default_rng(seed + 1).random(len(frame)) < np.exp(rate - 0.5)
    options = {"objective": "binary", "max_depth": 4, "num_leaves": 12, "min_data_in_leaf": 10, "verbose": -1,
               "num_threads": 1, "seed": 3, "deterministic": True}  # fmt: skip
    filled = encoder.filled(matrix)
    booster = lightgbm.train(options, lightgbm.Dataset(filled, gone.astype(float)), num_boost_round=40)
    made = Bundle(
        model="churn",
        kind="boosted",
        spec=spec,
        terms=Terms(encoder, prior=prior, boosted=BoostTerm(booster, 0.8, timed=False)),
        calibrator=Affine(0.1, 0.9),
        horizons={30: -1.0, 90: 0.2, 180: 0.8},
        link="log_cumulative_hazard",
        spread=Spread(constant=0.3, missing=0.6),
        peers=fit_peers(frame, spec),
        trained={"n": len(frame), "positives": 200, "seed": 3},
        examples=example_rows(encoder, frame),
    )
    return replace(made, trained={**made.trained, "health": fit_scale(made, frame)})


def write_seed(seed: Path, *, version: str = "7", bundle: Bundle | None = None) -> Bundle:
    """A bento's seed folder with one champion of churn."""
    folder = seed / "bundles" / "churn" / version
    saved = save_bundle(bundle or small_bundle(), folder)
    note = {
        "version": version,
        "manifest_sha256": saved.manifest_sha256,
        "folder": f"bundles/churn/{version}",
        "promoted_at": "2026-11-01T00:00:00Z",
    }
    write_json(seed / "champions.json", {"churn": note})
    return saved


class Shop:
    """A workspace whose registry keeps real artifacts (without MLflow, which serving never needs)."""

    def __init__(self, root: Path) -> None:
        self.root, self.clock = root, Clock()
        self.ledger = Ledger(root / "registry.db")
        self.registry = Registry(RegistrySettings(root=root))

    def register(self, version: int, *, seed: int) -> str:
        """Keep an artifact as a version; returns its identity."""
        folder = self.root / "mlflow" / "artifacts" / str(version)
        saved = save_bundle(small_bundle(seed), folder)
        source = str(folder.relative_to(self.root))
        self.ledger.add(Version("churn", version, saved.manifest_sha256, "run", source, {}))
        return saved.manifest_sha256

    def promote(self, version: int, *, expected: int | None) -> None:
        """Make a version the champion."""
        at = datetime(2026, 11, version)
        self.registry.promote(
            "churn", version, expected=expected, by="Kim", reason="test", at=at, mirror=False
        )

    def champions(self, *, seed: Path | None = None) -> Champions:
        """What serving reads of this workspace."""
        return Champions(
            LiveRegistry(self.root),
            home=self.root / "serving",
            workspace=self.root,
            seed=seed,
            ticks=lambda: self.clock.ticks,
        )


def good_row(partner_id: str = "A1", *, seed: int = 5, **changes: Any) -> dict[str, Any]:
    """One row of features as a caller sends it."""
    values = partner_frame(1, seed=seed).iloc[0].to_dict()
    plain = {k: None if pd.isna(v) else v for k, v in values.items()}
    return {"partner_id": partner_id, "as_of": "2026-11-20", "features": {**plain, **changes}}


@dataclass
class World:
    """A worker without BentoML: guard, application, use cases, state."""

    workspace: Path
    seed: Path
    clock: Clock
    runtime: Runtime
    log: io.StringIO
    keys: dict[str, str] = field(default_factory=dict)

    @cached_property
    def app(self) -> Guard:
        """The guarded application; making it costs more than most calls."""
        return Guard(create_app(lambda: self.runtime.use_cases), keep=lambda: self.runtime.keep)

    def call(
        self,
        method: str,
        path: str,
        *,
        role: str | None = "admin",
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> httpx.Response:
        """One request."""
        given = dict(headers or {})
        if role is not None:
            given.setdefault("authorization", f"Bearer {self.keys[role]}")

        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                return await client.request(method, path, headers=given, **more)

        return asyncio.run(send())

    def rows_written(self) -> int:
        """Decisions on record."""
        return self.runtime.shared.decisions.count()


def open_world(folder: Path, *, bundle: Bundle | None = None, config: str | None = None) -> World:
    """A world in a folder, with one key for each role."""
    workspace, seed = folder / "workspace", folder / "seed"
    workspace.mkdir(parents=True, exist_ok=True)
    if config is not None:
        (workspace / "partnerintel.yaml").write_text(config)
    if not (seed / "champions.json").exists():
        write_seed(seed, bundle=bundle)
    clock, log = Clock(), io.StringIO()
    edges = Edges(lambda: clock.at, lambda: clock.ticks, os.urandom, server_pid=1)
    runtime = open_runtime(
        workspace, edges=edges, log=EventLog(clock=lambda: clock.at, stream=log), seed=seed
    )
    runtime.resident.refresh()
    world = World(workspace, seed, clock, runtime, log)
    for role, manager in ROLES.items():
        world.keys[role] = create_key(
            runtime.shared.database,
            owner=f"{role}-owner",
            role=role,
            manager_id=manager,
            now=NOW,
            random=os.urandom,
        )
    return world
