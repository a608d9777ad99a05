"""A long list of prospects with reasons: our stream beside the sum of its floor stages and beside pandas.

One process, one thread; figures are processor time. Floor stages are the least anyone needs with the
libraries here: Arrow reads with a schema, codes are looked up once, LightGBM predicts, per-leaf tables
explain, NumPy sorts, Arrow writes. The peer is what one writes first: pandas and `pred_contrib`, timed on
part of the rows where it is slow.
`python -m bench.lists --rows 1000000` for the full size.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from models.assembly import example_rows
from models.bundle import Bundle, save_bundle
from models.calibration import Affine
from models.encoding import Encoder
from models.peers import Peers
from models.spec import ModelSpec
from models.spread import Spread
from models.terms import BoostTerm, Terms
from serving.fit.stream import FastScorer, _result, _strongest, score_stream

NUMBERS, CATEGORIES, LEVELS = 25, 15, 8
PEER_ROWS = 500
LABEL = [f"level_{k}" for k in range(LEVELS)]


def main(argv: Sequence[str]) -> None:
    """Print ratios and memory. `--rows` sets the length of the list."""
    parser = argparse.ArgumentParser(prog="python -m bench lists")
    parser.add_argument("--rows", type=int, default=100_000)
    rows = parser.parse_args(list(argv)).rows
    bundle = _bundle()
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "list.csv"
        _write_list(source, rows)
        FastScorer(bundle).score(bundle.encode(_frame(200, 5)))  # compiles kernels and tables
        shown: list[str] = []

        def told(done: int, share: float) -> None:
            shown.append(f"{done:,} rows, {100 * share:.0f} %")

        ours = _cpu(
            lambda: score_stream(bundle, source, Path(folder) / "a.parquet", id_column="id", progress=told)
        )
        peaks = _peaks(bundle, source, Path(folder), rows)
        floor = _floor(bundle, source, Path(folder) / "b.parquet")
        peer = _peer(bundle, source, Path(folder) / "c.csv", rows)
        same = pd.read_parquet(Path(folder) / "a.parquet")
        _check(bundle, source, same)
    print(f"{rows:,} rows x {NUMBERS + CATEGORIES} columns, 300 trees x 31 leaves of depth at most 6")
    for name, seconds in floor.items():
        print(f"  floor: {name:<22} {seconds:8.2f} s")
    total = sum(floor.values())
    print(f"  sum of floor stages           {total:8.2f} s")
    print(
        f"  our stream, with intervals    {ours:8.2f} s   {ours / total:.2f} x the floor (goal: at most 1.3)"
    )
    print(f"  pandas + pred_contrib         {peer:8.2f} s   {peer / ours:.1f} x ours (goal: at least 12)")
    print(
        f"  {len(shown)} reports of progress; peak memory of a process that only streams (goal: 2 GiB, flat)"
    )
    for count, (before, peak) in peaks.items():
        print(f"    {count:>11,} rows: {peak:5.0f} MB, of which {before:.0f} MB before the first row")


def _frame(rows: int, seed: int) -> Any:
    rng = np.random.default_rng(seed)
    columns: dict[str, Any] = {}
    for k in range(NUMBERS):
        values = rng.normal(size=rows).round(4)
        columns[f"n{k}"] = np.where(rng.random(rows) < 0.05, np.nan, values)
    for k in range(CATEGORIES):
        texts = np.array(LABEL, dtype=object)[rng.integers(0, LEVELS, rows)]
        columns[f"c{k}"] = np.where(rng.random(rows) < 0.05, None, texts)
    return pd.DataFrame(columns)


def _bundle() -> Bundle:
    import lightgbm

    frame = _frame(20_000, 1)
    spec = ModelSpec.from_columns("fit", frame, entity_id=("id",))
    encoder = Encoder.fit(frame, spec)
    matrix = encoder.encode(frame)
    filled = encoder.filled(matrix)
    z = np.nan_to_num(filled)
    eta = 0.4 * z[:, :10].sum(axis=1) + z[:, 0] * z[:, 1] + z[:, 30] - z[:, 60]
    y = (np.random.default_rng(2).random(len(z)) < 1 / (1 + np.exp(-eta))).astype(float)
    params = {"objective": "binary", "num_leaves": 31, "max_depth": 6, "learning_rate": 0.05, "verbose": -1,
              "num_threads": 1, "seed": 1}  # fmt: skip
    booster = lightgbm.train(params, lightgbm.Dataset(filled, y), 300)
    return Bundle(
        model="fit",
        kind="boosted",
        spec=spec,
        terms=Terms(encoder, boosted=BoostTerm(booster, 1.0, timed=False)),
        calibrator=Affine(0.0, 1.0),
        horizons={365: 0.0},
        link="log_odds",
        spread=Spread(constant=0.3, missing=0.6),
        peers=Peers(),
        trained={"n": 20_000, "positives": 9_000},
        examples=example_rows(encoder, frame),
    )


def _write_list(path: Path, rows: int) -> None:
    part = 100_000
    for start in range(0, rows, part):
        frame = _frame(min(part, rows - start), 10 + start)
        frame.insert(0, "id", [f"P{start + i:08d}" for i in range(len(frame))])
        frame.to_csv(path, mode="a" if start else "w", header=not start, index=False)


def _floor(bundle: Bundle, source: Path, output: Path) -> dict[str, float]:
    """Each stage alone, over the whole list."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from pyarrow import csv

    scorer = FastScorer(bundle)
    types = {f.name: pa.string() if f.kind == "category" else pa.float64() for f in bundle.spec.features}
    held: dict[str, Any] = {}

    def parse() -> None:
        options = csv.ConvertOptions(column_types={**types, "id": pa.string()}, strings_can_be_null=True)
        held["table"] = csv.read_csv(str(source), csv.ReadOptions(use_threads=False), None, options)

    def encode() -> None:
        table = held["table"]
        held["parts"] = [scorer.encode(table.slice(s, 50_000)) for s in range(0, table.num_rows, 50_000)]

    def predict() -> None:
        booster = bundle.booster
        held["raw"] = [booster.predict(m, raw_score=True, num_threads=1) for m in held["parts"]]

    def explain() -> None:
        held["why"] = [scorer._engine.grouped(m, scorer._groups) for m in held["parts"]]

    def top() -> None:
        held["top"] = [_strongest(w[:, : len(scorer.factors)]) for w in held["why"]]

    def write() -> None:
        from serving.fit.stream import Chunk

        with_top = zip(held["raw"], held["top"], strict=True)
        tables = []
        at = 0
        for raw, (factors, parts) in with_top:
            ids = held["table"].column("id").slice(at, len(raw))
            at += len(raw)
            tables.append(_result(scorer, ids, Chunk(raw, raw, raw, factors, parts)))
        pq.write_table(pa.concat_tables(tables), output, compression="lz4")

    stages: dict[str, Callable[[], None]] = {
        "parse (Arrow, schema)": parse, "encode": encode, "predict (LightGBM)": predict,
        "reasons (tables)": explain, "top reasons": top, "write (Arrow)": write,
    }  # fmt: skip
    return {name: _cpu(stage) for name, stage in stages.items()}


def _peer(bundle: Bundle, source: Path, output: Path, rows: int) -> float:
    """What one writes first; `pred_contrib` on part of the rows, its cost a row being constant."""
    held: dict[str, Any] = {}

    def read() -> None:
        held["frame"] = pd.read_csv(source)

    def encode() -> None:
        held["matrix"] = bundle.encode(held["frame"])

    def predict() -> None:
        held["p"] = bundle.booster.predict(held["matrix"], num_threads=1)

    few = min(PEER_ROWS, rows)
    seconds = _cpu(read) + _cpu(encode) + _cpu(predict)
    explain = _cpu(
        lambda: held.update(
            why=bundle.booster.predict(held["matrix"][:few], pred_contrib=True, num_threads=1)
        )
    )

    def rest() -> None:
        order = np.argsort(-np.abs(held["why"][:, :-1]), axis=1)[:, :10]
        out = pd.DataFrame({"id": held["frame"]["id"][:few], "p": held["p"][:few]})
        for k in range(10):
            out[f"reason_{k}"] = np.array(bundle.encoder.columns)[order[:, k]]
            out[f"part_{k}"] = np.take_along_axis(held["why"], order[:, k : k + 1], axis=1)[:, 0]
        out.to_csv(output, index=False)

    return seconds + (explain + _cpu(rest)) * rows / few


def _check(bundle: Bundle, source: Path, ours: Any) -> None:
    """The stream's answers are the bundle's own."""
    few = pd.read_csv(source, nrows=300, dtype={"id": str}, keep_default_na=True)
    matrix = bundle.encode(few.drop(columns="id"))
    eta = bundle.eta(matrix, horizon=365)
    assert np.array_equal(ours["probability"].to_numpy()[:300], 1 / (1 + np.exp(-eta))) or np.allclose(
        ours["probability"].to_numpy()[:300], 1 / (1 + np.exp(-eta)), rtol=0, atol=1e-12
    )
    explained = bundle.explain(matrix)
    best = np.array(explained.factors)[explained.contributions.argmax(axis=1)]
    assert (ours["reason_for_1"].astype(str).to_numpy()[:300] == best).all()


def _cpu(work: Callable[[], Any]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def _peaks(bundle: Bundle, source: Path, folder: Path, rows: int) -> dict[int, tuple[float, float]]:
    """Rows → (MB before the first row, peak MB) of a process of its own, for a tenth, three tenths and all.

    Linux counts it in VmHWM; `ru_maxrss` would begin with what the parent held when it forked.
    """
    save_bundle(bundle, folder / "bundle")
    found = {}
    for count in sorted({rows // 10, 3 * rows // 10, rows}):
        part = folder / "part.csv"
        with source.open("rb") as every, part.open("wb") as some:
            some.writelines(islice(every, count + 1))
        command = [sys.executable, "-c", _ALONE, str(folder / "bundle"), str(part), str(folder / "d.parquet")]
        said = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - our own
        before, peak = (float(text) for text in said.stdout.split())
        found[count] = before, peak
    return found


_ALONE = """
import re, sys
from pathlib import Path
from models.bundle import load_bundle
from serving.fit.stream import FastScorer, score_stream

bundle = load_bundle(Path(sys.argv[1]))
FastScorer(bundle)
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024
before = peak()
score_stream(bundle, Path(sys.argv[2]), Path(sys.argv[3]), id_column="id")
print(before, peak())
"""


if __name__ == "__main__":
    main(sys.argv[1:])
