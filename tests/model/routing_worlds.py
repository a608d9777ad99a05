"""A simulated world whose past trains the routing models and whose future judges routers."""

from __future__ import annotations

from collections.abc import Callable
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
from data.simulate.rich.router import choice_probabilities, legacy_utility
from data.simulate.write import write
from evaluation.moments import Models, Moment, asked_of, moment_at, pair_frame, rule_scores, score_pairs
from evaluation.offpolicy import Decisions
from evaluation.policy_replay import NUMBERS
from evaluation.routers import Sample, Scene
from features.leadhistory import offers_of
from features.rosters import RosterTables
from features.settings import FeatureSettings
from features.snapshot import build_features
from features.source import lake_paths
from models.catalog import specs
from models.routing.choice import Exposure, chances
from models.routing.inputs import FEATURES, RULES
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
    offers = offers_of(tables.assignments, leads=tables.leads)
    return Past(world, lake, tables, RosterTables.of(lake), offers, until, models)


@dataclass(frozen=True)
class Stage:
    """Leads with all partners that may get them, true chances, and how two routers would choose.

    Attributes:
        decision: (m,) lead of each pair.
        truth: (m,) true chance of a win.
        logging: (m,) probability under the legacy router.
        target: (m,) probability under the product's policy.
        features: (m, p) what the reward model sees.
    """

    decision: Any
    truth: Any
    logging: Any
    target: Any
    features: Any

    @property
    def value(self) -> float:
        """Wins of a lead that the product's policy really brings."""
        return float((self.truth * self.target).sum() / (self.decision[-1] + 1))

    def redrawn(self, seed: int) -> Decisions:
        """A log of the legacy router, with other luck each time."""
        rng = np.random.default_rng(seed)
        count = int(self.decision[-1]) + 1
        starts = np.searchsorted(self.decision, np.arange(count))
        steps = np.cumsum(self.logging)
        before = np.concatenate([[0.0], steps])[starts]
        last = np.concatenate([starts[1:], [len(steps)]]) - 1
        chosen = np.minimum(np.searchsorted(steps, before + rng.random(count), side="right"), last)
        return Decisions(
            reward=(rng.random(count) < self.truth[chosen]).astype(float),
            propensity=self.logging[chosen],
            chosen=chosen,
            cluster=np.arange(count),
            decision=self.decision,
            target=self.target,
            features=self.features,
        )


def stage_of(past: Past, leads: list[dict[str, Any]], policy: RoutingPolicy) -> Stage:
    """The stage of some leads, month by month."""
    parts = []
    months = pd.Series([lead["event_at"] for lead in leads]).dt.to_period("M")
    for month in months.unique():
        mine = [lead for lead, m in zip(leads, months, strict=True) if m == month]
        parts.append(_stage(past, mine, policy))
    sizes = np.cumsum([0, *(int(p.decision[-1]) + 1 for p in parts)])
    decision = np.concatenate([p.decision + n for p, n in zip(parts, sizes, strict=False)])
    rest = ("truth", "logging", "target", "features")
    return Stage(decision, *(np.concatenate([getattr(p, n) for p in parts]) for n in rest))


def _stage(past: Past, leads: list[dict[str, Any]], policy: RoutingPolicy) -> Stage:
    moment = past.moment(leads[0]["event_at"].date())
    allowed = eligible_of(moment, leads)
    leads = [lead for lead, some in zip(leads, allowed.any(axis=1), strict=True) if some]
    allowed = allowed[allowed.any(axis=1)]
    row, column = np.nonzero(allowed)
    gain = gains(past, moment, leads, allowed)
    idle = np.zeros(len(moment.roster), dtype=np.int64)
    target = [
        chances(policy, moment.roster, np.where(ok, 0, 5).astype(np.uint8), g, explorable=True, received=idle,
                exposure=Exposure.none())
        for ok, g in zip(allowed, gain, strict=True)
    ]  # fmt: skip
    market = past.world.latent.market
    lead_at = np.array([int(lead["lead_id"][1:]) for lead in leads])
    partner_at = pd.Index(past.world.latent.who.ids).get_indexer(list(moment.roster.partner_ids))
    logging = choice_probabilities(past.world.config, legacy_utility(market, lead_at, partner_at), allowed)
    names = np.array([lead["lead_id"] for lead in leads], dtype=object)[row]
    ids = np.array(moment.roster.partner_ids, dtype=object)[column]
    truth = accept_probability(past.world, names, ids) * win_probability(past.world, names, ids)
    frame = pair_frame(moment, leads, row, column)
    return Stage(row, truth, logging[row, column], np.array(target)[row, column], _numbers(frame))


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


def best_observable(past: Past) -> Callable[[Scene], Any]:
    """Gains of a forest that was told true chances of earlier leads: what these features can tell at all."""
    from lightgbm import LGBMRegressor

    frames, truths = [], []
    for back in range(60, 660, 60):
        day = past.until - timedelta(days=back)
        moment = past.moment(day)
        leads = past.leads(day)[:60]
        row, column = np.nonzero(eligible_of(moment, leads))
        ids = np.array(moment.roster.partner_ids, dtype=object)[column]
        names = [leads[i]["lead_id"] for i in row]
        frames.append(_seen(pair_frame(moment, leads, row, column)))
        accept, win = (f(past.world, names, ids) for f in (accept_probability, win_probability))
        truths.append(np.column_stack([accept, win]))
    inputs, truth = np.concatenate(frames), np.concatenate(truths)
    given = {"n_estimators": 300, "learning_rate": 0.05, "min_child_samples": 100, "verbose": -1, "n_jobs": 1}
    there = truth[:, 0] > 0
    accept = LGBMRegressor(**given).fit(inputs, truth[:, 0])
    win = LGBMRegressor(**given).fit(inputs[there], truth[there, 1])

    def gain(scene: Scene) -> Any:
        moment = past.moment(scene.at[0].date())
        leads = past.leads(scene.at[0].date())
        by_id = {lead["lead_id"]: lead for lead in leads}
        row, column = np.nonzero(scene.eligible)
        asked = [by_id[a.lead_id] for a in scene.leads]
        seen = _seen(pair_frame(moment, asked, row, column))
        out = np.zeros(scene.eligible.shape)
        out[row, column] = np.clip(accept.predict(seen), 0, 1) * np.clip(win.predict(seen), 0, 1)
        return out

    return gain


def _seen(frame: Any) -> Any:
    """Everything the models see that is a number or a flag."""
    names = [f.name for f in FEATURES if f.kind in ("number", "flag") and f.name in frame]
    return frame[names].to_numpy(dtype=np.float64, na_value=np.nan)


def _numbers(frame: Any) -> Any:
    return frame[[n for n in NUMBERS if n in frame]].to_numpy(dtype=np.float64, na_value=np.nan)
