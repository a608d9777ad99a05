"""A simulated market with routing models that know nothing of the leads they are judged on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from data.ingest import ingest
from data.lake import Lake
from data.mapping import DataSettings, read_config
from data.simulate import simulate
from data.simulate.oracle import accept_probability, win_probability
from data.simulate.write import write
from evaluation.market import Market, build_market
from features.leadhistory import HISTORY_COLUMNS
from features.roster import LakeTables, join_roster
from features.settings import FeatureSettings
from features.snapshot import build_and_save, read_snapshots
from models.catalog import specs
from models.routing.inputs import RULES
from models.routing.policy import RoutingPolicy
from models.routing.settings import RoutingSettings
from training.estimators import fit
from training.routing_rows import read_tables, routing_dataset
from training.splits import final_split

LAKE = ("partners", "territories", "certifications", "terminations", "deals", "assignments")
POLICY = RoutingPolicy(exploration_share=0.0)


@dataclass
class RoutingWorld:
    """A world, its tables, models fitted before a moment, and the partners as they were then."""

    world: Any
    lake: Lake
    bundles: dict[str, Any]
    snapshots: Any
    moment: datetime
    frame: Any

    def market(self, leads: Any) -> Market:
        """Estimated chances of leads with all partners of then."""
        return build_market(self.frame, leads, self.bundles, policy=POLICY, now=self.moment)

    def truth(self, market: Market) -> Any:
        """True chances of a win, pair by pair."""
        n = len(market.roster)
        leads = np.repeat(market.lead_ids, n)
        partners = np.tile(market.roster.partner_ids, len(market.lead_ids))
        both = accept_probability(self.world, leads, partners) * win_probability(self.world, leads, partners)
        return both.reshape(len(market.lead_ids), n)

    def leads_between(self, first: datetime, last: datetime) -> Any:
        """Leads that arrived in a stretch of time, as the canonical table has them."""
        leads = self.lake.read("leads")
        return leads[(leads["event_at"] >= first) & (leads["event_at"] < last)].reset_index(drop=True)


def routing_world(
    tmp: Any, *, partners: int, judged_days: int, preset: str = "demo", **config: Any
) -> RoutingWorld:
    """Simulate, ingest, build features, and fit both models on what was known before the judged leads.

    Args:
        tmp: Folder.
        partners: Number of partners.
        judged_days: Length of the stretch at the end of the data whose leads are judged.
        preset: Of the simulator.
        **config: Overrides of the world.
    """
    world = simulate(preset, partners=partners, **config)
    write(world, tmp)
    settings = DataSettings.from_config({k: v for k, v in read_config(tmp).items() if k != "snapshots"})
    lake = Lake(tmp / "lake")
    end = datetime.combine(world.end, datetime.min.time())
    ingest(settings, base=tmp, lake=lake, ingested_at=end)
    moment = end - timedelta(days=judged_days)
    start = world.start + timedelta(days=120)
    months = [d.date() for d in pd.date_range(start, moment, freq="MS")]
    dates = sorted({*months, moment.date()})
    build_and_save(tmp / "features", lake=lake, as_ofs=dates, settings=FeatureSettings())
    snapshots = read_snapshots(tmp / "features", as_ofs=dates)
    tables = read_tables(lake)
    bundles = {}
    for name, label in (("routing_accept", "accept"), ("routing_win", "win")):
        data = routing_dataset(
            specs()[name], snapshots[snapshots["as_of"] < pd.Timestamp(moment)], tables, label=label,
            settings=RoutingSettings(), known_until=moment, scorecard=RULES,
        )  # fmt: skip
        bundles[name] = fit(data, final_split(data), spread=False)
    return RoutingWorld(world, lake, bundles, snapshots, moment, frame_at(lake, snapshots, moment.date()))


def frame_at(lake: Lake, snapshots: Any, day: date) -> Any:
    """Partners as routing saw them on a day of the snapshots."""
    now = datetime.combine(day, datetime.min.time())
    views = snapshots[snapshots["as_of"] == pd.Timestamp(day)].set_index("partner_id").drop(columns="as_of")
    tables = LakeTables(**{name: lake.read(name) for name in LAKE if lake.has(name)})
    as_of = np.full(len(views), np.datetime64(now, "us"))
    frame = join_roster(views, as_of, tables, now=now)
    assert set(HISTORY_COLUMNS) <= set(frame.columns)
    return frame
