"""A worker over a few hundred invented partners, with or without routing models, SQLite or PostgreSQL."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data.lake import Lake
from features.matrix import FeatureMatrix
from features.pairing import LEAD_COLUMNS, PAIR_COLUMNS
from models.assembly import example_rows
from models.bundle import Bundle
from models.calibration import Affine
from models.catalog import specs
from models.encoding import Encoder
from models.peers import fit_peers
from models.spread import Spread
from models.terms import BoostTerm, LinearTerm, Scaling, Terms
from serving.auth import Identity
from serving.logs import EventLog
from serving.routing.drafting import Wanted
from serving.routing.lead import Lead
from serving.routing.opening import Capability
from serving.runtime import Runtime, open_runtime
from serving.shared import Edges
from serving.view import Partners, Served, View
from tests.unit.serving.world import Clock

NOW = datetime(2026, 11, 20, 9, 30)
PRM = Identity("k1", "crm", "prm")
OTHER = Identity("k2", "another crm", "prm")
PRODUCTS = ("cloud", "backup", "edge")


def partner_features(count: int, *, seed: int = 0, equal: bool = False) -> Any:
    """Features of partners, index partner_id; `equal`: partners differ in nothing but their id."""
    rng = np.random.default_rng(seed)
    ids = [f"P{n:04}" for n in range(count)]
    frame = pd.DataFrame(
        {
            "employee_count": rng.lognormal(4, 1, count).round(),
            "partner_age_days": rng.integers(30, 2000, count).astype(float),
            "country": rng.choice(["DE", "FR"], count),
            "region": rng.choice(["BY", "HE"], count),
            "partner_type": rng.choice(["reseller", "integrator"], count),
            "industry": rng.choice(["retail", "finance"], count),
            "motion": rng.choice(["services", "resell"], count),
            "tier": rng.choice(["silver", "gold"], count),
            "login_count_30d": rng.poisson(6, count).astype(float),
            "days_since_last_event": rng.exponential(20, count).round(),
            "survey_score_mean_365d": np.where(rng.random(count) < 0.4, np.nan, rng.integers(3, 11, count)),
        },
        index=pd.Index(ids, name="partner_id"),
    )
    if equal:
        frame.loc[:, :] = frame.iloc[[0] * count].to_numpy()
        frame = frame.infer_objects()
    return frame


def pair_rows(n: int, *, seed: int) -> tuple[Any, Any]:
    """Features of pairs of invented partners and leads; and where their randomness stands."""
    rng = np.random.default_rng(seed)
    frame = partner_features(n, seed=seed).reset_index(drop=True)
    for column in (*PAIR_COLUMNS, *LEAD_COLUMNS):
        flag = column.startswith("same")
        values = rng.integers(0, 2, n).astype(float) if flag else rng.lognormal(0, 1, n)
        frame[column] = np.where(rng.random(n) < 0.1, np.nan, values)
    for column in ("lead_accept_rate", "lead_win_rate", "lead_offer_count_365d"):
        frame[column] = rng.random(n)
    return frame, rng


@cache
def pair_bundle(name: str, seed: int = 1) -> Bundle:
    """A routing model with a linear part and trees, on pairs of invented partners and leads."""
    n = 600
    frame, rng = pair_rows(n, seed=seed)
    spec = specs()[name].restricted_to(frame.columns)
    encoder = Encoder.fit(frame, spec)
    matrix = encoder.encode(frame)
    eta = np.nan_to_num(frame["same_industry"]) + np.nan_to_num(frame["product_known_share"]).clip(0, 2) - 1.5
    eta = eta - frame["days_since_last_event"].to_numpy() / 40
    y = (rng.random(n) < 1 / (1 + np.exp(-eta))).astype(float)
    import lightgbm

    options = {"objective": "binary", "max_depth": 3, "num_leaves": 8, "min_data_in_leaf": 10, "verbose": -1,
               "num_threads": 1, "seed": 3, "deterministic": True}  # fmt: skip
    booster = lightgbm.train(options, lightgbm.Dataset(encoder.filled(matrix), y), num_boost_round=30)
    scaling = Scaling.fit(matrix, encoder)
    linear = LinearTerm(scaling, tuple(float(c) for c in 0.1 * rng.normal(size=matrix.shape[1])))
    return Bundle(
        model=name,
        kind="boosted",
        spec=spec,
        terms=Terms(encoder, -0.2, None, linear, BoostTerm(booster, 0.7, timed=False)),
        calibrator=Affine(0.05, 0.95),
        horizons={0: 0.0},
        link="log_odds",
        spread=Spread(constant=0.3, missing=0.6),
        peers=fit_peers(frame, spec),
        trained={"n": n, "positives": 200, "seed": 3},
        examples=example_rows(encoder, frame),
        manifest_sha256=f"{name}-{seed}".ljust(64, "0"),
    )


@dataclass
class Shop:
    """A worker, its clock, and what it sees."""

    runtime: Runtime
    clock: Clock
    view: View
    leads: int = 0
    log: io.StringIO = field(default_factory=io.StringIO)

    @property
    def routing(self) -> Capability:
        return self.runtime.use_cases.routing

    def see(self, **changes: Any) -> None:
        """Change models or partners, and let routing look."""
        self.view = replace(self.view, **changes)
        self.routing.feed.refresh()

    def policy(self, **body: Any) -> int:
        """Put a policy in force: no exploration unless asked for."""
        from models.routing.policy import RoutingPolicy
        from serving.policies import InForce

        policies = self.runtime.shared.policies
        given = RoutingPolicy(**{"exploration_share": 0.0, **body}).to_json()
        added = policies.add("routing", "test", given, author="test", at=self.clock.at)
        policies.put_in_force(
            "routing", InForce(added.version), expected=policies.in_force("routing"), author="test",
            reason="test", at=self.clock.at,
        )  # fmt: skip
        self.routing.feed.refresh()
        return added.version

    def lead(self, **given: Any) -> Wanted:
        """A new lead; unknown company unless given, so that nothing claims it."""
        self.leads += 1
        usual: dict[str, Any] = {
            "lead_id": f"L{self.leads:05}", "country": "DE", "region": "BY", "industry": "retail",
            "employee_count": 120, "products": ("cloud",), "value_cents": 2_000_000, "currency": "USD",
            "value_usd": 20_000.0,
        }  # fmt: skip
        wishes = {k: given.pop(k) for k in ("top_k", "max_reasons", "resolved", "row") if k in given}
        return Wanted(Lead(**{**usual, **given}), **wishes)

    def route(self, wanted: Wanted | None = None, *, key: str = "", identity: Identity = PRM) -> Any:
        """Route a lead; returns the answer."""
        import json

        wanted = wanted or self.lead()
        text = self.routing.routing.route(
            wanted, key=key or f"key {wanted.lead.lead_id} {identity.owner}", request=wanted.lead.to_json(),
            personal={}, identity=identity,
        )  # fmt: skip
        return json.loads(text)

    def decision(self, decision_id: str, *, identity: Identity = PRM) -> Any:
        """A decision, replayed."""
        return self.runtime.use_cases.replay.show(decision_id, identity=identity)

    def state(self, lead_id: str) -> Any:
        return self.routing.routing.lead(lead_id, identity=PRM)

    def loads(self) -> Mapping[str, int]:
        """Leads each partner works on, as stored."""
        from sqlalchemy import select

        from serving.routing.tables import STANDINGS

        with self.runtime.shared.database.read() as connection:
            rows = connection.execute(select(STANDINGS.c.partner_id, STANDINGS.c.load))
            return {r.partner_id: r.load for r in rows if r.load}


def fill_lake(root: Path, frame: Any, *, capacity: int = 10, deals: Any = None, equal: bool = False) -> None:
    """Tables of a lake that routing reads: partners at home in their own country, and deals."""
    lake = Lake(root)
    since = pd.Timestamp("2024-01-01")
    partners = pd.DataFrame({"partner_id": frame.index, "country": frame["country"].to_numpy()})
    partners["domain"] = [f"{p.lower()}.example" for p in frame.index]
    lake.append("partners", partners.assign(known_at=since), ingested_at=NOW)
    territories = partners[["partner_id", "country"]].assign(
        territory_id="T-" + partners["country"], region=None, capacity_count=capacity, event_at=since,
        known_at=since,
    )  # fmt: skip
    lake.append("territories", territories, ingested_at=NOW)
    rng = np.random.default_rng(3)
    brought = pd.DataFrame(
        {
            "deal_id": [f"D{n}" for n in range(3 * len(frame))],
            "partner_id": np.tile(frame.index, 3) if equal else rng.choice(frame.index, 3 * len(frame)),
            "status": "registered",
            "product": "cloud" if equal else rng.choice(PRODUCTS, 3 * len(frame)),
            "sourced": True,
            "event_at": pd.Timestamp("2026-03-01"),
        }
    )
    brought["known_at"] = brought["event_at"]
    rows = brought if deals is None else pd.concat([brought, deals], ignore_index=True)
    lake.append("deals", rows, ingested_at=NOW)


@contextmanager
def shop(
    folder: Path, *, partners: int = 60, models: bool = True, equal: bool = False, capacity: int = 10,
    database_url: str | None = None, deals: Any = None, lake: bool = True, frame: Any = None,
) -> Iterator[Shop]:  # fmt: skip
    """A worker in a folder; no clock runs but the one given."""
    workspace = folder / "workspace"
    workspace.mkdir(parents=True, exist_ok=True)
    if database_url is not None:
        (workspace / "partnerintel.yaml").write_text(f"serving:\n  database_url: {database_url}\n")
    frame = partner_features(partners, equal=equal) if frame is None else frame
    if lake:
        fill_lake(workspace / "lake", frame, capacity=capacity, deals=deals, equal=equal)
    as_of = np.full(len(frame), np.datetime64("2026-11-20", "us"))
    seen = Partners(FeatureMatrix.of(frame, features_as_of=as_of), {}, NOW)
    names = ("routing_accept", "routing_win") if models else ()
    served = {n: Served(pair_bundle(n), "3", "registry") for n in names}
    clock, log = Clock(NOW), io.StringIO()
    edges = Edges(lambda: clock.at, lambda: clock.ticks, os.urandom, server_pid=1)
    runtime = open_runtime(
        workspace, edges=edges, log=EventLog(clock=lambda: clock.at, stream=log), seed=folder / "none"
    )
    made = Shop(runtime, clock, View(served, seen), log=log)
    object.__setattr__(runtime.shared, "view", lambda: made.view)
    by_name = {(s.bundle.model, s.bundle.manifest_sha256): s for s in served.values()}
    records = made.routing.records
    records._model_of = lambda model, version, sha: by_name[(model, sha)]
    if made.runtime.shared.policies.in_force("routing") is None:
        made.policy()
    try:
        yield made
    finally:
        runtime.stop()
