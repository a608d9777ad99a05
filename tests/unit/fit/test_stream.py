"""The stream for long lists: the same answers as the bundle's own, whatever the chunks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from data.errors import DataError
from serving.fit import stream
from serving.fit.stream import FastScorer, score_stream


@pytest.fixture(scope="module")
def listed(dataset: Any, tmp_path_factory: Any) -> tuple[Path, Any]:
    """Prospects as a file whose columns bear the model's names."""
    frame = dataset.population[dataset.features].reset_index(drop=True)
    frame.loc[::17, "industry"] = "alchemy"
    path = tmp_path_factory.mktemp("stream") / "list.csv"
    frame.assign(id=[f"Q{i}" for i in range(len(frame))], note="x, y").to_csv(path, index=False)
    return path, frame


def test_scores_intervals_and_reasons_are_the_bundles_own(bundle: Any, listed: Any, tmp_path: Path) -> None:
    path, frame = listed
    assert score_stream(bundle, path, tmp_path / "out.parquet", id_column="id") == len(frame)
    found = pd.read_parquet(tmp_path / "out.parquet")
    matrix = bundle.encode(frame)
    eta, scores = bundle.eta(matrix, horizon=365), bundle.score(matrix)
    assert np.abs(found["probability"] - 1 / (1 + np.exp(-eta))).max() <= 1e-12
    known = ~np.isnan(scores.low[365])
    assert np.abs(found["low"] - scores.low[365])[known].max() <= 1e-9
    explained = bundle.explain(matrix)
    strongest = explained.contributions.max(axis=1)
    assert np.abs(found["reason_for_1_part"].fillna(0) - np.maximum(strongest, 0)).max() < 1e-5
    factors = np.array(explained.factors)[explained.contributions.argmax(axis=1)]
    told = strongest > 1e-6
    assert (found["reason_for_1"].astype(str).to_numpy()[told] == factors[told]).all()
    # All ten reasons are all there is here, so they add up.
    parts = [c for c in found if c.endswith("_part")]
    if len(explained.factors) <= stream.REASONS * 2:
        total = found[parts].fillna(0).sum(axis=1) + bundle.baseline(365)
        shown = (
            found[parts].notna().sum(axis=1) == (np.abs(explained.contributions) > 1e-9).sum(axis=1)
        ).to_numpy()
        assert np.abs(total - eta)[shown].max() < 1e-5


def test_chunks_change_nothing(bundle: Any, listed: Any, tmp_path: Path, monkeypatch: Any) -> None:
    path, _ = listed
    score_stream(bundle, path, tmp_path / "a.parquet", id_column="id")
    monkeypatch.setattr(stream, "CHUNK_ROWS", 7)
    monkeypatch.setattr(stream, "CHUNK_BYTES", 4096)
    score_stream(bundle, path, tmp_path / "b.parquet", id_column="id")
    a, b = (pd.read_parquet(tmp_path / f"{n}.parquet") for n in "ab")
    pd.testing.assert_frame_equal(a, b, check_exact=True, check_categorical=False)


def test_a_column_that_is_not_there_is_missing(bundle: Any, listed: Any) -> None:
    import pyarrow as pa

    _, frame = listed
    less = frame.drop(columns=["industry", "employee_count"]).head(30)
    scorer = FastScorer(bundle)
    table = pa.Table.from_pandas(less, preserve_index=False)
    assert np.array_equal(scorer.encode(table), bundle.encode(less), equal_nan=True)


def test_a_file_that_cannot_be_streamed_is_refused_with_a_next_step(bundle: Any, tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("id,employee_count\nA,1\nB,viele\n")
    with pytest.raises(DataError, match="fit-list"):
        score_stream(bundle, path, tmp_path / "out.parquet", id_column="id")
    with pytest.raises(DataError, match="no column 'nr'"):
        score_stream(bundle, path, tmp_path / "out.parquet", id_column="nr")
