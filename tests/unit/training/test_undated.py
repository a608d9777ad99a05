"""Facts that nothing dates are as of today at every date: models must not learn from what they tell."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from data.lake import Lake
from data.simulate import simulate
from partnerintel.datasets import dataset_of
from partnerintel.settings import open_project
from training.undated import tier_of_today, undated_columns

NOW = datetime(2025, 1, 1)
PARTNERS = pd.DataFrame({"partner_id": ["p", "q"], "tier": ["gold", None], "partner_type": "reseller"})
HELD = pd.DataFrame({"partner_id": ["p"], "tier": ["gold"], "event_at": pd.Timestamp("2024-01-01")})


def lake_of(root: Path, **tables: Any) -> Lake:
    lake = Lake(root)
    for name, rows in tables.items():
        lake.append(name, rows, ingested_at=NOW)
    return lake


def test_a_tier_without_a_date_is_that_of_today(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, partners=PARTNERS)
    assert [d.column for d in tier_of_today(lake)] == ["tier"]
    assert undated_columns(lake) == {"partner_type"}


@pytest.mark.parametrize(
    "tables",
    [
        {"partners": PARTNERS, "tier_history": HELD},
        {"partners": PARTNERS.assign(known_at=pd.Timestamp("2024-01-01"))},
        {"partners": PARTNERS.assign(tier=None)},
    ],
)
def test_a_tier_that_is_dated_or_absent_is_none_of_today(tmp_path: Path, tables: dict[str, Any]) -> None:
    assert tier_of_today(lake_of(tmp_path, **tables)) == ()


def test_churn_is_not_learnt_from_the_tier_of_today(tmp_path: Path) -> None:
    world = simulate("demo", partners=60, end=date(2024, 10, 31))
    partners = world.tables["partners"].drop_duplicates("partner_id").drop(columns="known_at")
    last = world.tables["deals"].groupby("partner_id")["event_at"].max()
    gone = ~(partners["partner_id"].map(last) > pd.Timestamp("2024-05-01"))
    partners = partners.assign(tier=np.where(gone, "inactive", "gold"))
    for name, rows in {"partners": partners, "deals": world.tables["deals"]}.items():
        rows.to_csv(tmp_path / f"{name}.csv", index=False)
    (tmp_path / "partnerintel.yaml").write_text(
        "config_version: 1\ntables:\n  partners: {path: partners.csv}\n  deals: {path: deals.csv}\n"
    )
    lake_of(tmp_path / "lake", partners=partners, deals=world.tables["deals"])
    given: dict[str, Any] = {"now": NOW, "tick": lambda _what, _share: None}
    dataset, _ = dataset_of(open_project(tmp_path), "churn", **given)
    assert "tier" not in dataset.features
    assert next(d.why for d in dataset.dropped if d.column == "tier").startswith("the tier of today")
    assert "partner_type" in dataset.undated
    assert "partner_type" in dataset_of(open_project(tmp_path), "fit", **given)[0].undated
