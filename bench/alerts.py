"""The nightly refresh of 5,000 partners: scores, reasons, health and alerts, against plain predict.

The first refresh opens the queues; the second finds every partner changed and a new model, and does all there
is to do: both models on both nights' features, what moved each score, reasons of every alert. The floor is
`booster.predict` of the same rows. Figures are processor seconds of one process.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

PARTNERS, MANAGERS = 5_000, 50
NOW = datetime(2026, 11, 2, 3)


def main(argv: Sequence[str]) -> None:
    """Print floor, refreshes and ratios. `--trees` sets the size of the model."""
    parser = argparse.ArgumentParser(prog="python -m bench alerts")
    parser.add_argument("--trees", type=int, default=300)
    args = parser.parse_args(list(argv))
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from bench.serving import _bundle, _frame
    from models.bundle import save_bundle
    from serving.view import Served

    frame = _frame(PARTNERS)
    with tempfile.TemporaryDirectory(prefix="bench-alerts-") as folder:
        root = Path(folder)
        models = {}
        for version in ("1", "2"):
            made = _with_scale(_bundle(frame, trees=args.trees + int(version)), frame)
            models[version] = Served(save_bundle(made, root / version), version, "registry")
        floor = _floor(models["1"].bundle, frame)
        first = _refreshed(root, models, "1", frame, NOW)
        moved = frame.copy()
        rng = np.random.default_rng(1)
        for name in [c for c in frame.columns if frame[c].dtype != object]:
            moved[name] = np.maximum(moved[name] + rng.normal(0, 2, len(frame)), 0).round(2)
        second = _refreshed(root, models, "2", moved, NOW + timedelta(days=7))
    print(f"predict of {PARTNERS:,} rows, the floor: {floor:6.2f} s")
    for name, (seconds, done) in (("first night", first), ("all changed, new model", second)):
        print(
            f"{name:<24} {seconds:6.2f} s, {seconds / floor:5.1f} x the floor; "
            f"{done.opened} opened, {done.waiting} in the queues"
        )


def _with_scale(bundle: Any, frame: Any) -> Any:
    from models.health import fit_scale

    return replace(bundle, trained={**bundle.trained, "health": fit_scale(bundle, frame)})


def _floor(bundle: Any, frame: Any) -> float:
    filled = bundle.encoder.filled(bundle.encode(frame))
    bundle.booster.predict(filled[:10], num_threads=1)
    begun = time.process_time()
    bundle.booster.predict(filled, num_threads=1)
    return time.process_time() - begun


def _refreshed(root: Path, models: Any, version: str, frame: Any, now: datetime) -> tuple[float, Any]:
    from features.matrix import FeatureMatrix
    from models.alerts.playbook import standard_playbook
    from models.alerts.settings import AlertSettings
    from serving.health.night import Night, Rules
    from serving.health.refresh import refresh
    from serving.state import Database
    from serving.view import Partners, View

    ids = [f"P{i:05d}" for i in range(len(frame))]
    named = frame.set_axis(ids, axis=0).rename_axis("partner_id")
    matrix = FeatureMatrix.of(named, features_as_of=np.full(len(ids), np.datetime64(now.date(), "us")))
    managers = {p: f"M{i % MANAGERS}" for i, p in enumerate(ids)}
    view = View({"churn": models[version]}, Partners(matrix, managers, now))
    night = Night(view, now, os.urandom, old_model=lambda v, _: models[v])
    rules = Rules(AlertSettings(), standard_playbook(), ("deals.won",), 180)
    database = Database(f"sqlite:///{root / 'state.db'}")
    database.migrate()
    try:
        begun = time.process_time()
        done = refresh(database, night, rules)
        return time.process_time() - begun, done
    finally:
        database.close()
