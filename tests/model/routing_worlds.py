"""A simulated world whose past trains the routing models and whose future judges routers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from functools import reduce
from typing import Any

import numpy as np
import pandas as pd

from data.ingest import ingest
from data.lake import Lake
from data.mapping import DataSettings, read_config
from data.simulate import World
from data.simulate.oracle import accept_probability, win_probability
from data.simulate.write import write
from evaluation.moments import Models, Moment, asked_of, moment_at, rule_scores, score_pairs
from evaluation.routers import Sample, Scene
from features.leadhistory import offers_of
from features.rosters import RosterTables
from features.settings import FeatureSettings
from features.snapshot import build_features
from features.source import lake_paths
from models.catalog import specs
from models.routing.inputs import RULES
from models.routing.policy import RoutingPolicy
from models.routing.settings import RoutingSettings
from training.estimators import fit
from training.from_tables import snapshot_grid
from training.params import Params
from training.routing_rows import RoutingTables, read_tables, routing_dataset
from training.splits import final_split

SETTINGS = RoutingSettings(win_days=120)
POLICY = RoutingPolicy(exploration_share=0.0, relationship="ignore")
FIRST_DAYS = 200


@dataclass(frozen=True)
class Past:
    """A world through the doors of a customer's export, and models that know nothing after `until`."""

    world: World
    lake: Lake
    tables: RoutingTables
    rosters: RosterTables
    offers: Any
    until: date
    models: Models

    def moment(self, as_of: date) -> Moment:
        """The partners at a date."""
        views = build_features(lake_paths(self.lake), as_ofs=[as_of], settings=FeatureSettings())
        wide = reduce(lambda a, b: a.merge(b, on=["partner_id", "as_of"], how="outer"), views.values())
        at = datetime.combine(as_of, time())
        return moment_at(wide, self.rosters, offers=self.offers, deals=self.tables.deals, as_of=at)

    def leads(self, since: date) -> list[dict[str, Any]]:
        """Leads from a day on, in order of arrival."""
        rows = self.tables.leads[self.tables.leads["event_at"] >= pd.Timestamp(since)]
        return list(rows.sort_values(["event_at", "lead_id"]).to_dict("records"))


def past_of(
    world: World, tmp: Any, *, until: date, every_days: int = 30, params: Params | None = None
) -> Past:
    """Ingest the world, and fit both models on what was known by `until`."""
    filled = {name: rows for name, rows in world.tables.items() if len(rows)}
    write(replace(world, tables=filled, truth={}), tmp)
    config = {k: v for k, v in read_config(tmp).items() if k != "snapshots"}
    lake = Lake(tmp / "lake")
    end = datetime.combine(world.end, time())
    ingest(DataSettings.from_config(config), base=tmp, lake=lake, ingested_at=end)
    tables = read_tables(lake)
    grid = snapshot_grid(world.start + timedelta(days=FIRST_DAYS), until, every_days=every_days)
    views = build_features(lake_paths(lake), as_ofs=grid, settings=FeatureSettings())
    wide = reduce(lambda a, b: a.merge(b, on=["partner_id", "as_of"], how="outer"), views.values())
    known = datetime.combine(until, time())

    def fitted(label: Any) -> Any:
        dataset = routing_dataset(
            specs()[f"routing_{label}"], wide, tables, label=label, settings=SETTINGS,
            known_until=known, scorecard=RULES,
        )  # fmt: skip
        return fit(dataset, final_split(dataset), params=params, seed=7, spread=False)

    models = Models(fitted("accept"), fitted("win"))
    offers = offers_of(tables.assignments)
    return Past(world, lake, tables, RosterTables.of(lake), offers, until, models)


def scene_of(
    past: Past, leads: list[dict[str, Any]], sample: list[dict[str, Any]], capacity: Any
) -> tuple[Scene, Any]:
    """A scene of some leads, and the (L, N) true chance of a win."""
    moment = past.moment(leads[0]["event_at"].date())
    roster = moment.roster
    empty = np.zeros((len(leads), len(roster)))
    asked = tuple(asked_of(lead) for lead in leads)
    scene = Scene(
        policy=POLICY,
        roster=roster,
        leads=asked,
        at=tuple(lead["event_at"].to_pydatetime() for lead in leads),
        gain=gains(past, moment, leads, eligible_of(moment, leads)),
        points=np.array([rule_scores(POLICY, moment, lead) for lead in leads]),
        capacity=capacity(moment),
        sample=Sample(gains(past, moment, sample, eligible_of(moment, sample)), eligible_of(moment, sample)),
    )
    row, column = np.nonzero(scene.eligible)
    ids = np.array(roster.partner_ids, dtype=object)[column]
    names = np.array([a.lead_id for a in asked], dtype=object)[row]
    truth = empty.copy()
    truth[row, column] = accept_probability(past.world, names, ids) * win_probability(past.world, names, ids)
    return scene, truth


def eligible_of(moment: Moment, leads: list[dict[str, Any]]) -> Any:
    """(L, N) whether the pair is allowed."""
    count = len(moment.roster)
    bare = Scene(
        POLICY, moment.roster, tuple(asked_of(lead) for lead in leads),
        tuple(lead["event_at"].to_pydatetime() for lead in leads), np.zeros((0, count)),
        np.zeros((0, count)), np.zeros(count, dtype=np.int64),
        Sample(np.zeros((0, count)), np.zeros((0, count))),
    )  # fmt: skip
    return bare.eligible


def gains(past: Past, moment: Moment, leads: list[dict[str, Any]], eligible: Any) -> Any:
    """(L, N) expected wins by the models; 0 where the pair is not allowed."""
    row, column = np.nonzero(eligible)
    accept, win = score_pairs(past.models, moment, leads, row, column)
    out = np.zeros(eligible.shape)
    out[row, column] = accept * win
    return out
