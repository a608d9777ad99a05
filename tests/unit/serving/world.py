"""A small served world: a fitted hazard bundle carried as a bento's seed, a worker's runtime, a client."""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd

from models.assembly import bootstrap_spread, build_bundle, constants_of
from models.boosting import BoostParams
from models.bundle import Bundle, save_bundle
from models.calibration import Affine
from models.churn import SPEC
from models.design import Design
from models.encoding import Encoder
from models.fitting import fit_terms
from models.scorecard import CHURN_DEFAULT
from serving.api import create_app
from serving.auth import create_key
from serving.guard import Guard
from serving.lastknown import write_json
from serving.logs import EventLog
from serving.runtime import Edges, Runtime, open_runtime

NOW = datetime(2026, 11, 20, 9, 30)
AS_OF = datetime(2026, 11, 20)
CARD = CHURN_DEFAULT.restricted_to(["days_since_last_login", "login_count_30d", "registered_count_90d"])[0]
LENGTHS = (30.0, 60.0, 90.0)
ROLES = {"recruiter": None, "channel_manager": "M1", "prm": None, "admin": None}


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
    """A fitted hazard model; another seed, another model."""
    frame = partner_frame(400, seed=seed)
    spec = SPEC.restricted_to(frame.columns)
    encoder = Encoder.fit(frame, spec)
    matrix = encoder.encode(frame)
    rate = np.exp(-2.0 - 0.5 * np.log1p(frame["login_count_30d"].to_numpy())) / 30
    at = np.random.default_rng(seed + 1).exponential(1 / rate)
    parts = []
    for k, (start, length) in enumerate(zip((0.0, 30.0, 90.0), LENGTHS, strict=True)):
        row = np.flatnonzero(at >= start)
        event = at[row] < start + length
        parts.append((row, event, np.full(len(row), k), np.where(event, length / 2, length)))
    row, event, interval, exposure = (np.concatenate(v) for v in zip(*parts, strict=True))
    design = Design.hazard(
        matrix,
        row=row,
        event=event,
        interval=interval,
        exposure_days=exposure,
        lengths_days=LENGTHS,
        group=np.arange(len(frame)),
    )
    params = BoostParams(trees=30, learning_rate=0.1, min_data_in_leaf=20)
    fitted = fit_terms(design, encoder, spec, scorecard=CARD, params=params, seed=3, folds=3)
    spread = bootstrap_spread(fitted, design, encoder, spec, scorecard=CARD, params=params, seed=5, refits=2)
    return build_bundle(
        spec,
        fitted,
        frame=frame,
        constants=constants_of(fitted, design, horizons_days=spec.horizons_days),
        calibrator=Affine(),
        spread=spread,
        timed=True,
        trained={"n": len(frame), "positives": design.positives, "seed": 3},
    )


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


def good_row(partner_id: str = "A1", *, seed: int = 5, **changes: Any) -> dict[str, Any]:
    """One row of features as a caller sends it."""
    values = partner_frame(1, seed=seed).iloc[0].to_dict()
    plain = {k: None if pd.isna(v) else v for k, v in values.items()}
    return {"partner_id": partner_id, "as_of": "2026-11-20", "features": {**plain, **changes}}


@dataclass
class Clock:
    """A clock and a stopwatch that stand still until told otherwise."""

    at: datetime = NOW
    ticks: float = 0.0

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.at += timedelta(seconds=seconds)
        self.ticks += seconds


@dataclass
class World:
    """A worker without BentoML: guard, application, use cases, state."""

    workspace: Path
    seed: Path
    clock: Clock
    runtime: Runtime
    log: io.StringIO
    keys: dict[str, str] = field(default_factory=dict)

    @property
    def app(self) -> Guard:
        """The guarded application."""
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
        return self.runtime.decisions.count()


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
            runtime.database, owner=f"{role}-owner", role=role, manager_id=manager, now=NOW, random=os.urandom
        )
    return world
