"""Scores and reasons: LightGBM with `pred_contrib` beside the compiled engine, plain and factored.

Everything runs in one process, one thread, interleaved; figures are medians of processor time, so that other
work on the machine disturbs them less. What counts are the ratios.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.engine import ColumnSplit, TreeEngine, compile_engine, warm_up

Rows = NDArray[np.float64]
CANDIDATES = (200, 1_000, 5_000, 20_000)
TOP = 5
# Rows on which pred_contrib is timed; its cost a row does not depend on how many there are.
PEER_ROWS = 500
_REFERENCE: dict[str, Any] = {"trees": 300, "num_leaves": 31}
_SMALL: dict[str, Any] = {
    "trees": 120,
    "num_leaves": 20,
    "max_depth": 5,
    "monotone_constraints": [1] * 5 + [0] * 15,
    "monotone_constraints_method": "intermediate",
}


@dataclass(frozen=True)
class Model:
    """One model in both engines."""

    name: str
    booster: Any
    engine: TreeEngine


def main(argv: Sequence[str]) -> None:
    """Print the tables. `--repeat` sets the number of interleaved rounds, `--rows` the length of the list."""
    parser = argparse.ArgumentParser(prog="python -m bench engine")
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--rows", type=int, default=100_000)
    args = parser.parse_args(list(argv))
    print(f"compiling the kernels: {_cpu(warm_up):.1f} s of processor time, once per process")
    for name, features, params in (
        ("300 trees x 31 leaves x 50 features", 50, _REFERENCE),
        ("300 trees x 31 leaves x 50 features, depth at most 6", 50, _REFERENCE | {"max_depth": 6}),
        ("120 monotone trees of depth 5, 20 features", 20, _SMALL),
    ):
        _decisions(_train(name, features, **params), repeat=args.repeat)
    for depth, told in ((-1, "any depth"), (5, "depth 5")):
        name = f"list of {args.rows:,} rows x 40 columns, 300 trees x 31 leaves, {told}"
        _list(_train(name, 40, trees=300, num_leaves=31, max_depth=depth), rows=args.rows)


def _train(name: str, features: int, *, trees: int, **params: Any) -> Model:
    import lightgbm

    rng = np.random.default_rng(1)
    x = _rows(rng, 20_000, features)
    z = np.nan_to_num(x)
    eta = 0.4 * z[:, :10].sum(1) + z[:, 0] * z[:, 1] + np.sin(3 * z[:, 2]) + 0.5 * z[:, 3] * (z[:, 4] > 0)
    y = (rng.random(len(x)) < 1 / (1 + np.exp(-eta))).astype(float)
    base = {"objective": "binary", "learning_rate": 0.05, "verbose": -1, "num_threads": 1, "seed": 1}
    booster = lightgbm.train({**base, **params}, lightgbm.Dataset(x, y), trees)
    engine = compile_engine(booster.model_to_string())
    assert isinstance(engine, TreeEngine)
    seconds = _cpu(lambda: engine.tables(np.arange(features)))
    size = engine.tables(np.arange(features)).units.table.nbytes / 1e6
    print(f"\n{name}: tables {size:.1f} MB, built in {seconds:.2f} s", flush=True)
    return Model(name, booster, engine)


def _rows(rng: np.random.Generator, rows: int, features: int) -> Rows:
    x = rng.normal(size=(rows, features))
    x[rng.random(x.shape) < 0.05] = np.nan
    return x


def _decisions(model: Model, *, repeat: int) -> None:
    """Score N candidates for one lead, take the best five, explain them."""
    features = model.engine.features
    cut, pairs = features * 6 // 10, features // 6
    split = ColumnSplit(
        resident=tuple(range(cut)), request=tuple(range(cut, features - pairs)),
        pair=tuple(range(features - pairs, features)),
    )  # fmt: skip
    print("      N  LightGBM ms  compiled ms  factored ms  compiled  factored")
    for count in CANDIDATES:
        medians = _interleaved(_deciders(model, split, count), repeat=repeat)
        peer, compiled, factored = (1e3 * m for m in medians)
        print(
            f"{count:>7,} {peer:>12.2f} {compiled:>12.2f} {factored:>12.2f}"
            f" {compiled / peer:>8.3f}x {factored / peer:>8.3f}x"
        )


def _deciders(model: Model, split: ColumnSplit, count: int) -> list[Callable[[], Rows]]:
    rng = np.random.default_rng(count)
    full = _rows(rng, count, model.engine.features)
    residents, pair = (np.ascontiguousarray(full[:, list(part)]) for part in (split.resident, split.pair))
    lead = full[0, list(split.request)]
    engine, booster = model.engine, model.booster
    prepared = engine.prepare(residents, split)

    def matrix() -> Rows:
        return engine.matrix_with(prepared, lead, pair)

    def peer() -> Rows:
        x = matrix()
        best = _best(booster.predict(x, raw_score=True, num_threads=1))
        return np.asarray(booster.predict(x[best], pred_contrib=True, num_threads=1))

    def compiled() -> Rows:
        x = matrix()
        return engine.contributions(x[_best(engine.raw(x))])

    def factored() -> Rows:
        best = _best(engine.raw_with(prepared, lead, pair))
        return engine.contributions(engine.matrix_with(prepared, lead, pair[best], rows=best))

    told = peer()
    assert all(np.abs(ours() - told).max() < 1e-12 for ours in (compiled, factored)), (
        "same five, same reasons"
    )
    return [peer, compiled, factored]


def _best(scores: Rows) -> NDArray[np.int64]:
    best = np.argpartition(-scores, TOP)[:TOP]
    return best[np.argsort(-scores[best], kind="stable")]


def _list(model: Model, *, rows: int) -> None:
    """Contributions of a whole list, by column and by eight business factors."""
    engine, x = model.engine, _rows(np.random.default_rng(3), rows, 40)
    groups, few = np.arange(40) % 8, x[:PEER_ROWS]
    engine.tables(groups)
    peers, plain, summed = [], [], []
    for _ in range(3):
        peers.append(_cpu(lambda: model.booster.predict(few, pred_contrib=True, num_threads=1)) / PEER_ROWS)
        plain.append(_cpu(lambda: engine.contributions(x)) / rows)
        summed.append(_cpu(lambda: engine.grouped(x, groups)) / rows)
    peer, each, grouped = (1e6 * statistics.median(t) for t in (peers, plain, summed))
    print(f"pred_contrib {peer:,.0f} us a row (on {PEER_ROWS} rows)")
    print(f"compiled {each:.1f} us a row, {peer / each:.0f}x cheaper")
    print(f"summed into 8 factors {grouped:.1f} us a row, {peer / grouped:.0f}x cheaper")


def _interleaved(contenders: list[Callable[[], Any]], *, repeat: int) -> list[float]:
    taken: list[list[float]] = [[] for _ in contenders]
    for _ in range(repeat):
        for times, contender in zip(taken, contenders, strict=True):
            times.append(_cpu(contender))
    return [statistics.median(times) for times in taken]


def _cpu(work: Callable[[], Any]) -> float:
    started = time.thread_time()
    work()
    return time.thread_time() - started


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
