"""A served world with tiers: partners with the figures a policy looks at, and a model of their potential."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from features.matrix import FeatureMatrix, save_matrix
from models.assembly import example_rows
from models.bundle import Bundle, save_bundle
from models.calibration import Affine
from models.encoding import Encoder
from models.peers import fit_peers
from models.spread import Spread
from models.terms import LinearTerm, Scaling, Terms
from models.tiering import SPEC
from models.tiering.points import Potential
from models.tiering.policy import read_policy
from models.tiering.simulate import Member, traits_of
from serving.lastknown import write_json
from serving.tiers.refreshing import Reviewed, refresh
from tests.unit.serving.world import AS_OF, NOW, World, open_world, write_seed

PARTNERS = 40
DATES = [f"2026-{day}T00:00:00Z" for day in ("02-20", "05-22", "08-21", "11-20")]
POLICY = read_policy("balanced_scorecard", base=Path())


def features(count: int = PARTNERS, *, seed: int = 2) -> Any:
    """Raw features: the better the partner, the more of everything."""
    rng = np.random.default_rng(seed)
    good = np.linspace(0, 1, count)
    return pd.DataFrame(
        {
            "won_amount_usd_365d": (1_400_000 * good * rng.uniform(0.7, 1.2, count)).round(2),
            "won_product_count_365d": (8 * good).round(),
            "win_rate_365d_share": 0.2 + 0.5 * good,
            "certified_users_count": (9 * good).round(),
            "training_count_180d": (10 * good).round(),
            "registered_count_180d": (14 * good).round(),
            "active_users_90d": (7 * good).round(),
            "survey_score_mean_365d": np.where(rng.random(count) < 0.3, np.nan, 4 + 5 * good),
            "employee_count": rng.lognormal(4.5, 1, count).round(),
            "region": rng.choice(["North", "South"], count),
            "partner_type": rng.choice(["reseller", "integrator"], count),
            "tier": np.where((good < 0.2) | (good > 0.5), "gold", "registered"),
        }
    )


@cache
def potential_bundle() -> Bundle:
    """An amount that grows with the value won in the last year."""
    frame = features(200, seed=9)
    spec = SPEC.restricted_to(frame.columns)
    encoder = Encoder.fit(frame, spec)
    matrix = encoder.encode(frame)
    scaling = Scaling.fit(matrix, encoder)
    weights = [0.9 if c == "won_amount_usd_365d" else 0.0 for c in encoder.columns]
    return Bundle(
        model="tiering",
        kind="boosted",
        spec=spec,
        terms=Terms(encoder, 0.0, None, LinearTerm(scaling, tuple(weights))),
        calibrator=Affine(0.0, 1.0),
        horizons={365: float(np.log(500_000))},
        link="log_amount",
        spread=Spread(constant=0.2, missing=0.4),
        peers=fit_peers(frame, spec),
        trained={"n": 200, "positives": 200, "seed": 1},
        examples=example_rows(encoder, frame),
    )


def open_tiers_world(folder: Path, *, model: bool = True) -> World:
    """A world of partners T00 to T39: M1 has the even ones, M2 the others."""
    seed = folder / "seed"
    write_seed(seed)
    if model:
        saved = save_bundle(potential_bundle(), seed / "bundles" / "tiering" / "3")
        note = {
            "version": "3",
            "manifest_sha256": saved.manifest_sha256,
            "folder": "bundles/tiering/3",
            "promoted_at": "2026-11-01T00:00:00Z",
        }
        import json

        notes = json.loads((seed / "champions.json").read_text())
        write_json(seed / "champions.json", {**notes, "tiering": note})
    frame = features()
    frame.index = pd.Index([f"T{i:02}" for i in range(PARTNERS)], name="partner_id")
    at = np.full(PARTNERS, np.datetime64(AS_OF, "us"))
    save_matrix(FeatureMatrix.of(frame, features_as_of=at), seed / "matrix")
    managers = {p: ("M1", "M2")[i % 2] for i, p in enumerate(frame.index)}
    write_json(seed / "partners.json", {"confirmed_at": NOW.isoformat(), "managers": managers})
    return open_world(folder)


def members(world: World, *, reviews: int = 4) -> list[Member]:
    """Every partner, as it is now at each review."""
    partners = world.runtime.resident.view().partners
    assert partners is not None
    found = []
    for partner_id, place in partners.places.items():
        row: dict[str, object] = {c: v[place] for c, v in partners.columns.items()}
        amount = row["won_amount_usd_365d"]
        potential = Potential(float(amount), 0.8 * float(amount), 1.2 * float(amount))  # type: ignore[arg-type]
        found.append(Member(partner_id, str(row["tier"]), ((row, potential),) * reviews, traits_of(row)))
    return found


def nightly(world: World, given: list[Member] | None = None) -> Reviewed:
    """The nightly review."""
    tiers = world.runtime.use_cases.tiers
    version, policy = tiers.rules.current(at=world.clock.at)
    chosen = given if given is not None else members(world)
    return refresh(
        tiers.store, policy, chosen, version=version,
        held={m.partner_id: (m.held,) * len(m.reviews) for m in chosen},
        dates=DATES,
        at=world.clock.at, random=os.urandom,
    )  # fmt: skip
