"""D6: one value of one partner, on its way from the lake to a decision."""

from __future__ import annotations

import shutil
import tempfile
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd

from data.lake import Lake
from features.matrix import load_matrix
from features.settings import FeatureSettings
from features.snapshot import build_and_save, read_snapshots
from features.store import FeatureStore
from models.assembly import example_rows
from models.bundle import Bundle, save_bundle
from models.calibration import Affine
from models.churn import SPEC
from models.encoding import Encoder
from models.ledger import Version
from models.peers import fit_peers
from models.spread import Spread
from models.terms import BoostTerm, Terms
from tests.faults.harness import Outcome, judged
from tests.faults.target import served_product, utc_now
from tests.functional.features.channel import append
from tests.functional.serving.conftest import Served
from tests.unit.features import worlds
from tests.unit.serving.world import Shop

TITLE = "A feature is the same offline, online, in memory and behind the API, and so is the score"
SLOW = True  # a channel with every feature, and a server
QUICK, FULL = 50, 1_000  # partners
AS_OF = date(2024, 6, 1)
WITHIN = 1e-9


def run(size: int) -> Outcome:
    """Snapshots on disk against Feast's online store, the resident matrix, and decisions on record."""
    offline, bundle = offline_of(size), wide_bundle(size)

    def before_start(root: Path) -> None:
        for name in ("lake", "features", "feast"):
            shutil.copytree(channel(size) / name, root / name)
        shop = Shop(root)
        identity = save_bundle(bundle, root / "wide").manifest_sha256
        shop.ledger.add(Version("churn", 2, identity, "run", "wide", {}))
        shop.promote(2, expected=1)

    with served_product(prepare=before_start) as served:
        store = FeatureStore(FeatureSettings(), served.workspace)
        matrix = load_matrix(store, now=utc_now())
        answered, scored, versions = _decided(served, list(offline.index))
    differences = {
        "online": difference(offline, store.online(list(offline.index))),
        "in memory": difference(offline, matrix.frame.loc[offline.index]),
        "in decisions": difference(offline[answered.columns], answered),
        "scores": difference(_offline_scores(bundle, offline), scored),
    }
    faults = [f"{where}: off by {d:g}" for where, d in differences.items() if not d <= WITHIN]
    faults += [] if versions == {matrix.version} else ["the server's matrix is not the one loaded here"]
    told = (
        f"{len(offline)} partners × {offline.shape[1]} features, {answered.shape[1]} of them in decisions: "
        f"greatest difference {max(differences.values()):g}"
    )
    return judged(len(offline), faults, told)


def planted() -> Outcome:
    """The same comparison with an online store that keeps numbers in single precision."""
    offline = offline_of(QUICK)
    store = FeatureStore(FeatureSettings(), channel(QUICK))
    found = difference(offline, single_precision(store, list(offline.index)))
    return judged(len(offline), [f"off by {found:g}"] if found > WITHIN else [], "")


def single_precision(store: FeatureStore, partner_ids: list[str]) -> Any:
    frame = store.online(partner_ids)
    numbers = frame.select_dtypes("number").columns
    return frame.astype(dict.fromkeys(numbers, np.float32))


def difference(left: Any, right: Any) -> float:
    """Greatest difference of two frames; infinite where a gap, a text or a name differs."""
    if list(left.index) != list(right.index) or list(left.columns) != list(right.columns):
        return float("inf")
    greatest = 0.0
    for name in left.columns:
        a, b = left[name], right[name]
        if (a.isna() != b.isna()).any():
            return float("inf")
        known = a.notna()
        if a.dtype == object:
            greatest = max(greatest, 0.0 if (a[known] == b[known]).all() else float("inf"))
        elif known.any():
            off = np.abs(a[known].to_numpy(float) - b[known].to_numpy(float))
            greatest = max(greatest, float(off.max()))
    return greatest


def _decided(served: Served, partner_ids: list[str]) -> tuple[Any, Any, set[str]]:
    """Features on record, scores as answered, and the versions of the matrix behind them."""
    features, scores, versions = [], [], set()
    answer = served.call("POST", "/v1/churn/score", json={"partner_ids": partner_ids}).json()
    for result in answer["results"]:
        by_horizon = result["churn_probability"]
        scores.append({int(h): s["value"] for h, s in by_horizon.items()})
        decision = served.call("GET", f"/v1/decisions/{by_horizon['90']['decision_id']}").json()
        features.append(decision["features"])
        versions.add(decision["matrix_version"])
    index = pd.Index([r["partner_id"] for r in answer["results"]], name="partner_id", dtype=object)
    kinds = {f.name: object if f.kind == "category" else np.float64 for f in SPEC.features}
    frame = pd.DataFrame(features, index=index)
    return frame.astype({c: kinds[c] for c in frame.columns}), pd.DataFrame(scores, index=index), versions


def _offline_scores(bundle: Bundle, offline: Any) -> Any:
    probability = bundle.score(bundle.encode(offline.reset_index())).probability
    return pd.DataFrame(probability, index=offline.index)


@cache
def _folder(size: int) -> tempfile.TemporaryDirectory[str]:
    folder = tempfile.TemporaryDirectory(prefix="d6-")
    root = Path(folder.name)
    lake = Lake(root / "lake")
    for table, rows in worlds.random_world(60, partners=size).items():
        append(lake, table, rows)
    settings = FeatureSettings()
    build_and_save(root / "features", lake=lake, as_ofs=[AS_OF], settings=settings, threads=1)
    store = FeatureStore(settings, root)
    store.apply()
    store.materialise(AS_OF, now=datetime(2024, 6, 1))
    return folder


def channel(size: int) -> Path:
    """A workspace with every feature of so many partners, offline and online; made once."""
    return Path(_folder(size).name)


@cache
def offline_of(size: int) -> Any:
    """The snapshot on disk: index partner_id, one column a feature."""
    frame = read_snapshots(channel(size) / "features", as_ofs=[AS_OF]).set_index("partner_id")
    assert len(frame) == size, len(frame)
    return frame.drop(columns="as_of")


def wide_bundle(size: int) -> Bundle:
    """A model of every feature there is; what it predicts does not matter."""
    frame = offline_of(size).reset_index()
    spec = SPEC.restricted_to(frame.columns)
    encoder = Encoder.fit(frame, spec)
    matrix = encoder.filled(encoder.encode(frame))
    options = {"objective": "binary", "min_data_in_leaf": 5, "verbose": -1, "num_threads": 1, "seed": 3}
    labels = np.random.default_rng(3).random(len(frame)) < 0.4
    booster = lightgbm.train(options, lightgbm.Dataset(matrix, labels.astype(float)), num_boost_round=20)
    return Bundle(
        model="churn",
        kind="boosted",
        spec=spec,
        terms=Terms(encoder, boosted=BoostTerm(booster, 1.0, timed=False)),
        calibrator=Affine(0.1, 0.9),
        horizons={30: -1.0, 90: 0.2, 180: 0.8},
        link="log_cumulative_hazard",
        spread=Spread(constant=0.3, missing=0.6),
        peers=fit_peers(frame, spec),
        trained={"n": len(frame), "positives": 200, "seed": 3},
        examples=example_rows(encoder, frame),
    )
