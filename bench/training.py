"""Search of settings against a plain loop over the same points, on the same binned data."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from models.spec import Feature, ModelSpec
from training.arena import Arena, build_arena
from training.dataset import Dataset
from training.params import Params
from training.splits import rolling_origin
from training.tune import finished, run_study

GOAL = 1.1
TRIALS, PARTNERS, SNAPSHOTS, FEATURES, REPEATS = 12, 2_000, 24, 30, 3


def main(argv: Sequence[str] = ()) -> None:
    """Print seconds of both and their ratio; interleaved, the best of three each."""
    del argv
    data = make_dataset()
    arena = build_arena(data, rolling_origin(data)[0], scorecard=None, seed=1)
    searched, looped = [], []
    for _ in range(REPEATS):
        with tempfile.TemporaryDirectory() as folder:
            start = time.process_time()
            study = run_study(arena, trials=TRIALS, seed=1, storage=Path(folder) / "optuna.db")
            searched.append(time.process_time() - start)
        points = [(t.params, t.user_attrs.get("grown") or t.last_step) for t in study.trials]
        points = [(values, rounds) for values, rounds in points if rounds]
        start = time.process_time()
        plain_loop(arena, points)
        looped.append(time.process_time() - start)
    rows, trees = len(arena.evidence.rows), sum(rounds for _, rounds in points)
    ratio = min(searched) / min(looped)
    print(f"{finished(study)} points, {rows:,} rows x {FEATURES} columns, {trees:,} rounds")
    print(f"search     {min(searched):6.2f} s CPU (Optuna, SQLite, pruning)")
    print(f"plain loop {min(looped):6.2f} s CPU (same points, same rounds, same binned data)")
    print(f"ratio      {ratio:6.3f}   goal <= {GOAL}: {'met' if ratio <= GOAL else 'MISSED'}")


def plain_loop(arena: Arena, points: Sequence[tuple[dict[str, float], int]]) -> float:
    """What one would write by hand: every point, grown as far as the search grew it."""
    best = float("inf")
    for values, rounds in points:
        race = arena.race(replace(Params(**values), rounds=rounds))  # type: ignore[arg-type]
        while race.rounds < rounds:
            best = min(best, race.advance())
    return best


def make_dataset() -> Dataset:
    """Partners × monthly snapshots with a signal in three of thirty columns."""
    rng = np.random.default_rng(0)
    start, day = np.datetime64("2023-01-01", "us"), np.timedelta64(1, "D")
    n = PARTNERS * SNAPSHOTS
    x = rng.normal(size=(n, FEATURES))
    y = (rng.random(n) < 1 / (1 + np.exp(1.5 - x[:, 0] - 0.5 * x[:, 1] * x[:, 2]))).astype(float)
    as_of = start + np.repeat(np.arange(SNAPSHOTS), PARTNERS) * 30 * day
    names = [f"x{k}" for k in range(FEATURES)]
    ids = np.tile([f"p{k:05d}" for k in range(PARTNERS)], SNAPSHOTS)
    frame = pd.DataFrame(x, columns=names).assign(row_id=np.arange(n), partner_id=ids, group=ids, as_of=as_of)
    known = as_of + 90 * day
    outcomes = pd.DataFrame({"row_id": np.arange(n), "horizon_days": 90, "y": y, "known_at": known})
    spec = ModelSpec(
        "bench", "Bench", ("partner_id",), tuple(Feature(c) for c in names), "probability", (90,)
    )
    return Dataset(spec, frame, outcomes[known <= as_of.max()], None, 90, 90)


if __name__ == "__main__":
    main(sys.argv[1:])
