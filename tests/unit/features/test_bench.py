"""The peers of the benchmark answer the same question as the product."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb

from bench import features as bench

AS_OFS = [date(2022, 9, 1), date(2023, 6, 1), date(2023, 12, 1)]


def test_peers_of_the_benchmark_agree_with_the_product(tmp_path: Path) -> None:
    paths = bench.generate(tmp_path, events=5_000, partners=20)
    ours = bench.product(paths, AS_OFS)
    with duckdb.connect() as connection:
        days = ", ".join(f"(DATE '{d}')" for d in AS_OFS)
        connection.execute(f"CREATE TEMP TABLE dates AS SELECT * FROM (VALUES {days}) AS t(as_of)")
        peers = [work(connection, paths["events"][0]) for work in (bench.hand_written, bench.range_join)]
    assert [bench.largest_difference(ours, p) < 1e-12 for p in peers] == [True, True]
    assert bench.largest_difference(ours, peers[0].assign(login_count_7d=0.0)) > 0
    kept = bench.product_with_buckets(paths, AS_OFS, tmp_path / "buckets")
    assert bench.largest_difference(ours, kept) == 0.0
