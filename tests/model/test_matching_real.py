"""Resellers of AdventureWorks find their representative: the project's own routing against popularity."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from data.ingest import ingest
from data.lake import Lake
from data.mapping import DataSettings
from evaluation.moments import Models, asked_of, moment_at, score_pairs
from features.leadhistory import offers_of
from features.rosters import RosterTables
from features.settings import FeatureSettings
from features.snapshot import build_features
from features.source import lake_paths
from models.catalog import specs
from models.routing.eligibility import Standing, exclusions
from models.routing.inputs import RULES
from models.routing.policy import RoutingPolicy
from models.routing.settings import RoutingSettings
from tests.model.worlds import EXAMPLES, INGESTED, example_config
from training.estimators import fit
from training.routing_rows import read_tables, routing_dataset
from training.splits import final_split

pytestmark = [pytest.mark.datasets, pytest.mark.slow, pytest.mark.timeout(900)]
NAME = "adventureworks_matching"
CUT = date(2012, 6, 1)
POPULARITY, BY_TERRITORY = 0.200, 0.544
SHOWN = 3


class Shop:
    """The example's own mapping, ingested, and a model of what was known by the cut."""

    def __init__(self, datasets: Path, tmp: Path) -> None:
        config = example_config(NAME, datasets)
        settings = DataSettings.from_config(config)
        self.lake = Lake(tmp / "lake")
        ingest(settings, base=settings.folder(EXAMPLES / NAME), lake=self.lake, ingested_at=INGESTED)
        self.tables, self.rosters = read_tables(self.lake), RosterTables.of(self.lake)
        self.offers = offers_of(self.tables.assignments, leads=self.tables.leads)
        dates = [CUT - timedelta(days=30 * k) for k in range(15, -1, -1)]
        dataset = routing_dataset(
            specs()["routing_accept"],
            self.snapshots(dates),
            self.tables,
            label="accept",
            settings=RoutingSettings.model_validate(config["routing"]),
            known_until=datetime.combine(CUT, time()),
            scorecard=RULES,
        )
        model = fit(dataset, final_split(dataset), seed=7, spread=False)
        self.models = Models(model, model)

    def snapshots(self, dates: list[date]) -> Any:
        views = build_features(lake_paths(self.lake), as_ofs=dates, settings=FeatureSettings())
        return reduce(lambda a, b: a.merge(b, on=["partner_id", "as_of"], how="outer"), views.values())

    @property
    def took(self) -> dict[str, str]:
        """Reseller → who took its first order."""
        accepted = self.offers[self.offers["answer"] == "accepted"]
        return dict(zip(accepted["lead_id"], accepted["partner_id"], strict=True))

    def hits(self, known_by: Callable[[pd.Timestamp], date]) -> list[bool]:
        """For each later reseller, whether its representative is among the first three in its territory."""
        leads = self.tables.leads[self.tables.leads["event_at"] >= pd.Timestamp(CUT)]
        found: list[bool] = []
        for day, part in leads.groupby(leads["event_at"].map(known_by)):
            at = datetime.combine(day, time())
            moment = moment_at(
                self.snapshots([day]), self.rosters, offers=self.offers, deals=self.tables.deals, as_of=at
            )
            for lead in part.to_dict("records"):
                codes = exclusions(RoutingPolicy(), moment.roster, asked_of(lead), Standing.idle(), now=at)
                who = np.flatnonzero(codes == 0)
                accept, _ = score_pairs(self.models, moment, [lead], np.zeros(who.size, dtype=int), who)
                first = who[np.argsort(-accept, kind="stable")][:SHOWN]
                names = [moment.roster.partner_ids[i] for i in first]
                found.append(self.took[lead["lead_id"]] in names)
        return found

    def popular(self, known_by: Callable[[pd.Timestamp], date]) -> list[bool]:
        """The same for the three with most orders so far."""
        leads = self.tables.leads[self.tables.leads["event_at"] >= pd.Timestamp(CUT)]
        deals, found = self.tables.deals, []
        for lead in leads.to_dict("records"):
            past = deals[deals["event_at"] < pd.Timestamp(known_by(lead["event_at"]))]
            found.append(self.took[lead["lead_id"]] in past["partner_id"].value_counts().index[:SHOWN])
        return found


@pytest.fixture(scope="module")
def shop(datasets: Path, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return Shop(datasets, tmp_path_factory.mktemp("matching"))


def test_matching_beats_popularity_and_the_territory_by_itself(shop: Shop) -> None:
    hits, popular = shop.hits(lambda _: CUT), shop.popular(lambda _: CUT)
    print("known by the cut:", len(hits), np.mean(hits).round(3), "popularity", np.mean(popular).round(3))
    assert len(hits) == 215
    assert np.mean(popular) == pytest.approx(POPULARITY, abs=0.001)
    assert np.mean(hits) > BY_TERRITORY > 2 * np.mean(popular)


def test_what_is_known_each_day_finds_new_representatives_too(shop: Shop) -> None:
    hits, popular = shop.hits(lambda at: at.date()), shop.popular(lambda at: at.date())
    print("known by the day:", np.mean(hits).round(3), "popularity", np.mean(popular).round(3))
    assert np.mean(hits) > 0.9
    assert np.mean(popular) < 0.4
