"""AdventureWorks: which representative takes on a new reseller, by territory and recent work, not by fame."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from features.leadhistory import deals_by_product
from features.pairing import PAIR_COLUMNS, lead_block, pair_columns, partner_block
from models.catalog import specs
from training.dataset import Dataset
from training.estimators import fit
from training.splits import EMPTY, Split

FOLDER = os.environ.get("PARTNERINTEL_DATASETS", str(Path(__file__).resolve().parents[3] / "shared/datasets"))
SHOP = Path(FOLDER) / "adventureworks_resellers"
AT = pd.Timestamp("2012-07-01")
TOP = 3
POPULAR, TERRITORY = 0.200, 0.544
pytestmark = [
    pytest.mark.slow,
    pytest.mark.datasets,
    pytest.mark.skipif(not SHOP.is_dir(), reason=f"{SHOP} is not there"),
]


def orders() -> Any:
    """Orders with representative, reseller and territory, oldest first."""
    lines = pd.read_parquet(SHOP / "FactResellerSales.parquet")
    places = pd.read_parquet(SHOP / "DimSalesTerritory.parquet").set_index("SalesTerritoryKey")
    found = lines.assign(event_at=pd.to_datetime(lines["OrderDate"]))
    found = found.sort_values(["event_at", "SalesOrderNumber"]).drop_duplicates("SalesOrderNumber")
    names = {"SalesOrderNumber": "deal_id", "ResellerKey": "reseller", "EmployeeKey": "partner_id"}
    found = found.rename(columns=names).assign(partner_id=found["EmployeeKey"].astype(str))
    found["product"] = found["SalesTerritoryKey"].map(places["SalesTerritoryRegion"])
    found["country"] = found["SalesTerritoryKey"].map(places["SalesTerritoryCountry"])
    return found.assign(status="won", sourced=True, known_at=found["event_at"])


def pairs(past: Any, new: Any, *, at: pd.Timestamp) -> Any:
    """New resellers beside all representatives seen by a date, with what pairs know of each other."""
    seen = past[past["event_at"] < at]
    deals = deals_by_product(seen, as_of=at.to_pydatetime())
    last = seen.groupby("partner_id")["event_at"].max().reindex(deals.index)
    home = seen.groupby("partner_id")["country"].agg(lambda c: c.mode().iloc[0]).reindex(deals.index)
    lately = seen[seen["event_at"] >= at - pd.Timedelta(days=180)]["partner_id"].value_counts()
    frame = pd.DataFrame({"country": home}, index=deals.index)
    block = partner_block(frame, deals)
    asked = [{"country": c, "products": [t]} for c, t in zip(new["country"], new["product"], strict=True)]
    lead_at, partner_at = np.divmod(np.arange(len(asked) * len(frame)), len(frame))
    found = pair_columns(lead_block(asked, block), lead_at, block, partner_at)
    rows = pd.DataFrame(found, columns=list(PAIR_COLUMNS))
    ids = np.array(deals.index, dtype=object)[partner_at]
    rows["lead_id"], rows["partner_id"] = new["reseller"].to_numpy()[lead_at].astype(str), ids
    rows["days_since_last_won"] = ((at - last) / pd.Timedelta(days=1)).to_numpy()[partner_at]
    rows["won_count_180d"] = lately.reindex(deals.index).fillna(0.0).to_numpy()[partner_at]
    rows["y"] = (new["partner_id"].to_numpy()[lead_at] == ids).astype(float)
    return rows.assign(as_of=at)


def test_matching_new_resellers_by_territory_beats_popularity() -> None:
    past = orders()
    first = past.drop_duplicates("reseller")
    quarters = pd.date_range("2011-04-01", AT, freq="QS")[:-1]
    steps = [
        (q, first[(first["event_at"] >= q) & (first["event_at"] < q + pd.DateOffset(months=3))])
        for q in quarters
    ]
    train = pd.concat([pairs(past, new, at=q) for q, new in steps if len(new)], ignore_index=True)
    spec = specs()["routing_accept"].restricted_to(train.columns)
    train = train.assign(row_id=np.arange(len(train)), group=train["lead_id"])
    outcomes = pd.DataFrame(
        {"row_id": train["row_id"], "horizon_days": 0, "y": train["y"], "known_at": train["as_of"]}
    )
    data = Dataset(spec, train, outcomes, None, horizon_days=0, gap_days=0)
    everything = np.arange(len(train))
    split = Split("all", "ordered split", everything, EMPTY, everything, EMPTY)
    bundle = fit(data, split, seed=7, spread=False)
    new = first[first["event_at"] >= AT]
    judged = pairs(past, new, at=AT)
    score = bundle.eta(bundle.encode(judged[list(spec.names)]), horizon=0)
    hit = hit_at(judged.assign(score=score), len(new))
    counts = past[past["event_at"] < AT]["partner_id"].value_counts()
    fame = hit_at(judged.assign(score=judged["partner_id"].map(counts)), len(new))
    print(
        f"hit@{TOP}: popularity {fame:.3f}, territory {TERRITORY}, matching {hit:.3f} on {len(new)} resellers"
    )
    assert fame == pytest.approx(POPULAR, abs=0.005)
    assert hit >= TERRITORY


def hit_at(judged: Any, count: int) -> float:
    """Share of new resellers whose representative is among the best few; one never seen before is a miss."""
    best = judged.sort_values(["lead_id", "score", "partner_id"], ascending=[True, False, True])
    return float(best.groupby("lead_id").head(TOP)["y"].sum() / count)
