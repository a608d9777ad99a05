"""Ready-made columns: what was filled in afterwards never takes part."""

import numpy as np
import pandas as pd
import pytest

from data.errors import ConfigError
from data.mapping import SnapshotMapping
from data.snapshots import read_snapshot
from training.estimators import fit
from training.from_snapshot import from_snapshot
from training.params import Params
from training.splits import final_split, rolling_origin


def write(tmp_path, *, dated=True, n=60, dates=8):
    rng = np.random.default_rng(0)
    rows = []
    for k in range(dates if dated else 1):
        for i in range(n if dated else n * 5):
            x = rng.normal()
            y = int(rng.random() < 1 / (1 + np.exp(1 - 1.5 * x)))
            rows.append(
                {
                    "partner id": f"{i:03d}",
                    "date": f"2024-{k + 1:02d}-01",
                    "Umsatz (€)": round(x, 3),
                    "note": "none",
                    "branch": ["A", "B", "C"][i % 3],
                    "after": y,
                    "nr": i,
                    "owner": f"g{i % 20}",
                    "left": "Yes" if y else "No",
                }
            )
    path = tmp_path / "panel.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def mapping(**changes):
    given = {
        "model": "renewal", "path": "panel.csv", "entity_id": "partner id", "as_of": "date", "label": "left",
        "positive": "Yes", "horizon_days": 30, "post_outcome": ["after"], **changes,
    }  # fmt: skip
    return SnapshotMapping.model_validate(given)


def load(tmp_path, made):
    return from_snapshot(made, read_snapshot(made, base=tmp_path))


def test_a_declared_post_outcome_column_is_never_a_feature(tmp_path):
    write(tmp_path)
    data = load(tmp_path, mapping())
    assert not any("after" in name for name in data.features)
    assert "after" in {d.column for d in data.dropped}
    assert "note" in {d.column for d in data.dropped}


def test_names_with_spaces_and_signs_become_features_with_lags(tmp_path):
    write(tmp_path)
    data = load(tmp_path, mapping())
    assert {"Umsatz (€)", "Umsatz (€) (snapshot before)", "branch"} <= set(data.features)
    assert data.spec.feature("Umsatz (€) (change)").shown_factor == "Umsatz (€)"
    plain = load(tmp_path, mapping(lags=False))
    assert "Umsatz (€) (snapshot before)" not in plain.features


def test_a_dated_snapshot_is_split_by_time_and_learns(tmp_path):
    write(tmp_path)
    data = load(tmp_path, mapping())
    split = rolling_origin(data)[0]
    assert split.kind == "purged time split"
    bundle = fit(data, split, params=Params(rounds=30), spread=False)
    assert bundle.horizons.keys() == {30}


def test_identifier_label_group_and_order_are_no_features(tmp_path):
    write(tmp_path, dated=False)
    data = load(tmp_path, mapping(as_of=None, horizon_days=None, order_by="nr", group="owner"))
    assert {"partner id", "left", "nr", "owner"}.isdisjoint(data.features)
    assert rolling_origin(data)[0].kind == "ordered split"
    assert data.frame["group"].nunique() == 20


def test_undated_rows_without_an_order_are_folded_by_group(tmp_path):
    write(tmp_path, dated=False)
    data = load(tmp_path, mapping(as_of=None, horizon_days=None, group="owner"))
    assert rolling_origin(data)[0].kind == "repeated grouped folds"
    assert fit(data, final_split(data), params=Params(rounds=20), spread=False).horizons.keys() == {0}


def test_dates_without_a_horizon_are_refused_in_words(tmp_path):
    write(tmp_path)
    with pytest.raises(ConfigError, match="dates and no horizon"):
        load(tmp_path, mapping(horizon_days=None))


def test_a_numeric_label_is_cut_into_bands(tmp_path):
    write(tmp_path)
    data = load(tmp_path, mapping(label="Umsatz (€)", positive=None, bands=[-0.5, 0.5]))
    assert data.ordered
    assert set(np.unique(data.labels()[~np.isnan(data.labels())])) == {0.0, 1.0, 2.0}
