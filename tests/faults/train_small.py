"""Run as a script by case D7: from simulated tables to a sealed artifact, whose hashes are printed."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from datetime import date, datetime
from pathlib import Path
from typing import Any

from data.ingest import ingest
from data.lake import Lake
from data.mapping import DataSettings, read_config
from data.simulate import simulate, write
from features.settings import FeatureSettings
from features.snapshot import build_and_save, read_snapshots
from models.bundle import load_bundle, save_bundle
from models.catalog import specs
from models.churn.settings import ChurnSettings
from models.scorecard import CHURN_DEFAULT
from training.dataset import Dataset
from training.estimators import fit
from training.from_tables import from_tables, read_history
from training.pipeline import searched_split
from training.splits import final_split
from training.tune import search

END = date(2024, 11, 1)
AS_OFS = [date(2023, month, 1) for month in range(9, 13)] + [date(2024, month, 1) for month in range(1, 8)]


def dataset_in(root: Path, *, seed: int) -> Dataset:
    """A simulated export, taken through the lake to rows and labels."""
    write(simulate("analytic", partners=90, seed=seed, start=date(2023, 5, 1), end=END), root)
    config = read_config(root)
    lake = Lake(root / "lake")
    ingest(DataSettings.from_config(config), base=root, lake=lake, ingested_at=datetime(2024, 11, 1))
    build_and_save(root / "features", lake=lake, as_ofs=AS_OFS, settings=FeatureSettings(), threads=2)
    settings = ChurnSettings(**config.get("churn", {}))
    return from_tables(
        specs()["churn"],
        read_snapshots(root / "features", as_ofs=AS_OFS),
        read_history(lake, settings=settings),
        settings=settings,
        known_until=datetime(2024, 11, 1),
        scorecard=CHURN_DEFAULT,
    )


def artifact_in(root: Path, *, seed: int, fit_seed: int) -> dict[str, Any]:
    """Hashes of the artifact's files, and what the loaded artifact predicts."""
    dataset = dataset_in(root, seed=seed)
    found = search(dataset, searched_split(dataset), trials=2, seed=fit_seed)
    save_bundle(fit(dataset, final_split(dataset), params=found.params, seed=fit_seed), root / "bundle")
    bundle = load_bundle(root / "bundle")
    scores = bundle.score(bundle.examples)
    golden = {h: [float(v).hex() for v in p] for h, p in scores.eta.items()}
    files = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in (root / "bundle").iterdir()}
    return {**files, "predictions": golden}


def main() -> None:
    time.tzset()
    seed, root = int(sys.argv[1]), Path(sys.argv[2])
    from_hash = "--seed-from-hash" in sys.argv
    fit_seed = int(next(iter({str(n) for n in range(50)}))) if from_hash else 3
    print(json.dumps(artifact_in(root, seed=7 + seed, fit_seed=fit_seed)))


if __name__ == "__main__":
    main()
