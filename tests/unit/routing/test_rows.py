"""Training rows of the routing models: nothing from after the offer, labels that do not hang on luck."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from data.lake import Lake
from data.simulate import simulate
from features.leadhistory import offers_of
from models.catalog import specs
from models.routing.settings import RoutingSettings
from training.routing_rows import RoutingTables, read_tables, routing_dataset

SETTINGS = RoutingSettings(win_days=90)
DATES = pd.date_range("2024-01-01", "2024-10-01", freq="MS")


@pytest.fixture(scope="module")
def tables() -> RoutingTables:
    world = simulate("demo", partners=120, end=date(2024, 10, 31))
    leads = world.tables["leads"]
    return RoutingTables(leads, world.tables["assignments"], world.tables["deals"], {})


@pytest.fixture(scope="module")
def snapshots() -> Any:
    """Two features are enough to join: the rows are looked at, not the model."""
    world = simulate("demo", partners=120, end=date(2024, 10, 31))
    ids = np.sort(world.tables["partners"]["partner_id"].unique())
    frame = pd.DataFrame({"partner_id": ids, "login_count_30d": np.arange(float(len(ids)))})
    frame["partner_type"] = np.where(np.arange(len(ids)) % 2, "reseller", "referral")
    parts = [frame.assign(as_of=d, login_count_30d=frame["login_count_30d"] + n) for n, d in enumerate(DATES)]
    return pd.concat(parts, ignore_index=True)


def made(snapshots: Any, tables: RoutingTables, label: Any, until: str = "2024-10-31") -> Any:
    spec = specs()[f"routing_{label}"]
    known = pd.Timestamp(until).to_pydatetime()
    return routing_dataset(spec, snapshots, tables, label=label, settings=SETTINGS, known_until=known)


def test_features_are_those_of_the_newest_snapshot_before_the_offer(snapshots: Any, tables: Any) -> None:
    rows = made(snapshots, tables, "accept").frame
    month = (rows["offered_at"].dt.year - 2024) * 12 + rows["offered_at"].dt.month - 1
    number = rows["partner_id"].rank(method="dense").astype(int)
    ids = np.sort(snapshots["partner_id"].unique())
    number = np.searchsorted(ids, rows["partner_id"])
    np.testing.assert_array_equal(rows["login_count_30d"], number + month)


def test_every_offer_old_enough_has_a_label_whatever_came_of_it(snapshots: Any, tables: Any) -> None:
    found = made(snapshots, tables, "accept")
    offers = offers_of(tables.assignments, leads=tables.leads)
    old = offers["offered_at"].between(DATES[0], pd.Timestamp("2024-10-31") - pd.Timedelta(days=14))
    labelled = found.frame.iloc[found.outcomes["row_id"]]["assignment_id"]
    assert set(labelled) == set(offers.loc[old, "assignment_id"])
    assert found.labels()[~np.isnan(found.labels())].mean() == pytest.approx(
        (offers.loc[old, "answer"] == "accepted").mean()
    )


def test_a_win_is_known_only_when_its_time_is_over(snapshots: Any, tables: Any) -> None:
    found = made(snapshots, tables, "win")
    known = found.known_at()
    labelled = ~np.isnan(found.labels())
    answered = found.frame["answered_at"].to_numpy()
    assert (known[labelled] >= answered[labelled] + np.timedelta64(90, "D")).all()
    assert (known[labelled] <= np.datetime64("2024-10-31")).all()
    assert labelled.any()
    assert not labelled.all()


def test_rows_learnt_from_do_not_change_when_the_future_is_cut_off(snapshots: Any, tables: Any) -> None:
    cut = pd.Timestamp("2024-08-01")

    def before(frame: Any) -> Any:
        return frame[frame["known_at"] <= cut]

    past = RoutingTables(tables.leads, before(tables.assignments), before(tables.deals), {})
    names = ["assignment_id", "lead_accept_rate", "product_known_share", "product_deal_count"]
    then = made(snapshots[snapshots["as_of"] <= cut], past, "accept", "2024-08-01").frame[names]
    now = made(snapshots, tables, "accept").frame[names]
    both = then.merge(now, on="assignment_id", suffixes=("", "_now"))
    assert len(both) == len(then) > 100
    for name in names[1:]:
        np.testing.assert_array_equal(both[name], both[f"{name}_now"])


def test_a_lead_is_as_it_was_known_when_it_was_offered(tables: Any, tmp_path: Path) -> None:
    world = simulate("demo", partners=120, end=date(2024, 10, 31))
    leads, won = world.tables["leads"], world.tables["assignments"]
    won = won[won["status"] == "won"]
    # What a CRM does: the value won is written over the value estimated, once the deal is closed.
    closed = won.groupby("lead_id")["event_at"].max()
    told = leads[leads["lead_id"].isin(closed.index)].assign(estimated_value_usd=1.0)
    told["known_at"] = told["lead_id"].map(closed)
    lake = Lake(tmp_path)
    for name, rows in {**world.tables, "leads": pd.concat([leads, told])}.items():
        if name in ("partners", "leads", "assignments"):
            lake.append(name, rows, ingested_at=datetime(2024, 11, 1))
    read = read_tables(lake).leads.set_index("lead_id")
    assert read.index.is_unique
    assert set(read.index) == set(leads["lead_id"])
    assert (read.loc[closed.index, "estimated_value_usd"] != 1.0).all()


def test_test_dates_hold_enough_offers_and_lie_before_them(snapshots: Any, tables: Any) -> None:
    found = made(snapshots, tables, "win")
    assert (found.frame["as_of"] <= found.frame["offered_at"]).all()
    count = found.frame["as_of"].value_counts()
    assert count.sort_index().iloc[1:].median() >= 30
    widest = (found.frame["offered_at"] - found.frame["as_of"]).max()
    assert found.gap_days >= widest.days + SETTINGS.answer_days + SETTINGS.win_days


def test_the_folder_of_routing_holds_two_models() -> None:
    assert {"routing_accept", "routing_win"} <= set(specs())
    assert not Path("models/routing_accept").exists()
