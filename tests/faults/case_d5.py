"""D5: columns and rows that knew the outcome."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data.mapping import SnapshotMapping
from data.snapshots import read_snapshot
from evaluation.backtest import run_backtest
from evaluation.settings import EvaluationSettings
from tests.faults.harness import Outcome, judged
from tests.unit.features import worlds
from tests.unit.features.test_point_in_time import built, unknowable
from training.dataset import Dataset
from training.from_snapshot import from_snapshot

TITLE = "What was filled in after the outcome is never trained on, or promotion is refused"
QUICK, FULL = 1, 12  # worlds; each with every kind of leak (two when quick), declared and not
LEAK = "Exit note"
SETTINGS = EvaluationSettings(origins=1, replicates=60)
PARTNERS, SNAPSHOTS = 110, 14
Read = Callable[[SnapshotMapping, Path], Dataset]
Build = Callable[[Any, Path], Any]


def run(size: int) -> Outcome:
    """Ready-made columns with each kind of leak, declared and not; tables with rows nobody could know."""
    kinds = list(LEAKS) if size >= FULL else ["copy with errors", "gaps"]
    columns, rows = _columns(range(size), kinds, _read), _rows(range(size), built)
    faults = [*columns, *rows]
    tried = size * (2 * len(kinds) + 2)
    told = (
        f"{size * len(kinds)} declared leaks kept out, {size * len(kinds)} undeclared ones refused, "
        f"{size} honest files not; {size} × rows known too late changed nothing"
    )
    return judged(tried, faults, told)


def planted() -> Outcome:
    """The same with a reader that forgets `post_outcome:`, and with a build that forgets `known_at`."""
    columns, rows = _columns([0], ["copy"], forgetful), _rows([0], known_at_once)
    # Each of the two must be found.
    return Outcome(2, min(len(columns), len(rows)), "; ".join([*columns, *rows])[:300])


def _columns(seeds: Sequence[int], kinds: Sequence[str], read: Read) -> list[str]:
    faults = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in seeds:
            for kind in kinds:
                path = Path(folder) / f"{kind}-{seed}.csv"
                panel(seed, kind).to_csv(path, index=False)
                declared = read(mapping(path, declared=True), Path(folder))
                seen = [c for c in declared.frame.columns if LEAK in str(c)]
                faults += [f"{kind}: {seen} in training rows although declared"] if seen else []
                if "PI-G009" not in _refusals(read(mapping(path, declared=False), Path(folder))):
                    faults.append(f"{kind}: promotion was not refused")
            honest = Path(folder) / "honest.csv"
            panel(seed, None).to_csv(honest, index=False)
            if "PI-G009" in _refusals(read(mapping(honest, declared=False), Path(folder))):
                faults.append("honest columns were taken for leaks")
    return faults


def _refusals(dataset: Dataset) -> set[str]:
    return {r.code for r in run_backtest(dataset, settings=SETTINGS).report.refusals or ()}


def mapping(path: Path, *, declared: bool) -> SnapshotMapping:
    return SnapshotMapping(
        path=path.name,
        model="toy",
        entity_id=("Partner",),
        as_of="Snapshot",
        label="Left",
        horizon_days=90,
        post_outcome=(LEAK,) if declared else (),
    )


def panel(seed: int, kind: str | None) -> Any:
    """Partners × dates with two honest columns, and with a column filled in after the outcome."""
    rng = np.random.default_rng(seed)
    count = PARTNERS * SNAPSHOTS
    dates = np.repeat(pd.date_range("2023-01-01", periods=SNAPSHOTS, freq="30D"), PARTNERS)
    x = rng.normal(size=(count, 2))
    left = rng.random(count) < 1 / (1 + np.exp(1 - 0.8 * x[:, 0] - 0.7 * x[:, 1]))
    frame = pd.DataFrame(
        {
            "Partner": [f"p{i:04d}" for i in range(PARTNERS)] * SNAPSHOTS,
            "Snapshot": dates.strftime("%Y-%m-%d"),
            "Recency": x[:, 0].round(4),
            "Size": x[:, 1].round(4),
            "Left": left.astype(int),
        }
    )
    return frame if kind is None else frame.assign(**{LEAK: LEAKS[kind](rng, left, dates)})


LEAKS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "copy": lambda rng, left, dates: left.astype(int),
    "copy with errors": lambda rng, left, dates: (left ^ (rng.random(left.size) < 0.05)).astype(int),
    "stage": lambda rng, left, dates: (2 * left + rng.normal(size=left.size)).round(3),
    "gaps": lambda rng, left, dates: np.where(
        left & (rng.random(left.size) < 0.6), rng.integers(0, 11, left.size).astype(float), np.nan
    ),
    "tag": lambda rng, left, dates: np.where(
        left & (rng.random(left.size) < 0.4), "win-back call", rng.choice(["a", "b", "c"], left.size)
    ),
    "date": lambda rng, left, dates: [
        (d + pd.Timedelta(days=int(k))).strftime("%Y-%m-%d") if gone else None
        for d, k, gone in zip(dates, rng.integers(1, 80, left.size), left, strict=True)
    ],
}


def _read(given: SnapshotMapping, base: Path) -> Dataset:
    return from_snapshot(given, read_snapshot(given, base=base))


def forgetful(given: SnapshotMapping, base: Path) -> Dataset:
    return _read(given.model_copy(update={"post_outcome": ()}), base)


def _rows(seeds: Sequence[int], build: Build) -> list[str]:
    """Features before and after rows came that nobody could know."""
    faults = []
    for seed in seeds:
        tables = worlds.random_world(700 + seed, without=("certifications", "surveys", "tier_history"))
        with tempfile.TemporaryDirectory() as folder:
            before = build(tables, Path(folder) / "before")
            after = build(unknowable(random.Random(seed), tables), Path(folder) / "after")
        if not after.equals(before):
            faults.append(f"rows known after as_of changed features of channel {seed}")
    return faults


def known_at_once(tables: Any, folder: Path) -> Any:
    """A build that takes every row for known when it happened."""
    return built({t: [{**r, "known_at": None} for r in rows] for t, rows in tables.items()}, folder)
