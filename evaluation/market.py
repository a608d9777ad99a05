"""Leads and partners of one moment as matrices of chances, and what ways of routing make of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.pairing import (
    LEAD_COLUMNS,
    PAIR_COLUMNS,
    lead_block,
    lead_columns,
    pair_columns,
    partner_block,
    split_products,
)
from features.roster import PRODUCT
from models.calibration import LINKS
from models.routing.chance import draw
from models.routing.eligibility import Asked, Standing, exclusions
from models.routing.optimum import NOBODY, assign, bid_prices
from models.routing.policy import RoutingPolicy
from models.routing.roster import Roster
from models.routing.rules import rule_points

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Market:
    """L leads and N partners.

    Attributes:
        lead_ids: Rows.
        roster: Columns.
        eligible: (L, N) whether the rules allow the pair, capacity aside.
        accept: (L, N) estimated chance of acceptance; NaN where not eligible.
        win: (L, N) estimated chance of winning once accepted.
        rules: (L, N) points of the rules router.
        pair: (L, N, pair columns) features of pairs.
    """

    lead_ids: tuple[str, ...]
    roster: Roster
    eligible: Any
    accept: Floats
    win: Floats
    rules: Floats
    pair: Floats

    @property
    def gain(self) -> Floats:
        """(L, N) estimated chance of a win; 0 where not eligible."""
        return np.where(self.eligible, self.accept * self.win, 0.0)

    def take(self, leads: Any, partners: Any) -> Market:
        """Some leads and partners."""
        at = np.ix_(leads, partners)
        parts = (self.eligible, self.accept, self.win, self.rules, self.pair)
        ids = tuple(self.lead_ids[i] for i in leads)
        return Market(ids, some(self.roster, partners), *(p[at] for p in parts))


def some(roster: Roster, partners: Any) -> Roster:
    """A roster of some partners, in the order given."""
    lists = (
        "partner_ids",
        "tier",
        "partner_type",
        "region",
        "size",
        "domain",
        "territories",
        "certifications",
    )
    kept = {name: tuple(getattr(roster, name)[i] for i in partners) for name in lists}
    return Roster(**kept, capacity=roster.capacity[partners], ended=roster.ended[partners])


def build_market(
    frame: Any, leads: Any, bundles: Mapping[str, Any], *, policy: RoutingPolicy, now: datetime
) -> Market:
    """Chances of all pairs.

    Args:
        frame: What `features.roster.join_roster` gave for a moment.
        leads: Canonical lead rows.
        bundles: `routing_accept` and `routing_win`.
        policy: Who is eligible, and the weights of the rules.
        now: Naive UTC.
    """
    products = [c for c in frame.columns if c.startswith(PRODUCT)]
    deals = frame[products].rename(columns=lambda c: c.removeprefix(PRODUCT)) if products else None
    block, roster = partner_block(frame, deals), Roster.of(frame)
    rows = leads.to_dict("records")
    shape = (len(rows), len(roster))
    coded = lead_block(rows, block)
    eligible, points = np.zeros(shape, dtype=bool), np.zeros(shape)
    pair = np.zeros((*shape, len(PAIR_COLUMNS)))
    chances = {name: np.full(shape, np.nan) for name in bundles}
    for i, lead in enumerate(rows):
        pair[i] = pair_columns(coded, i, block, slice(None))
        named = dict(zip(PAIR_COLUMNS, pair[i].T, strict=True))
        points[i] = rule_points(
            policy, roster, specialty=named["product_known_share"], same_region=named["same_region"],
            same_country=named["same_country"],
        )  # fmt: skip
        codes = exclusions(policy, roster, asked_of(lead), Standing.idle(), now=now)
        eligible[i] = codes == 0
        some_rows = np.flatnonzero(eligible[i])
        if some_rows.size:
            full = _features(frame, some_rows, pair[i, some_rows], lead)
            for name, bundle in bundles.items():
                horizon = next(iter(bundle.horizons))
                eta = bundle.eta(bundle.encode(full), horizon=horizon)
                chances[name][i, some_rows] = LINKS[bundle.link](eta)
    ids = tuple(map(str, leads["lead_id"]))
    return Market(ids, roster, eligible, chances["routing_accept"], chances["routing_win"], points, pair)


def asked_of(lead: Mapping[str, Any]) -> Asked:
    """A canonical lead row as the rules see it."""
    plain = {k: None if v is None or v != v or str(v) == "<NA>" else v for k, v in lead.items()}
    value = plain.get("estimated_value_usd")
    return Asked(
        str(plain["lead_id"]), plain.get("country"), plain.get("region"),
        str(plain.get("domain") or "").lower(), split_products(plain.get("products")),
        value=float("nan") if value is None else float(value),
    )  # fmt: skip


def _features(frame: Any, rows: Any, pair: Floats, lead: Mapping[str, Any]) -> Any:
    full = frame.iloc[rows].reset_index(drop=True)
    values = lead_columns(lead)
    extra = {**dict(zip(PAIR_COLUMNS, pair.T, strict=True)), **{n: values[n] for n in LEAD_COLUMNS}}
    return full.assign(**extra)


Chooser = Callable[[Market, Integers], Integers]
"""Market and (N,) capacities → (L,) positions of partners, -1 nobody; leads come one after another."""


def round_robin(market: Market, capacity: Integers) -> Integers:
    """Whoever waited longest."""
    last = np.full(len(market.roster), -1)

    def best(i: int, free: Any) -> int:
        place = int(free[np.argmin(last[free])])
        last[place] = i
        return place

    return _one_by_one(market, capacity, best)


def by_rules(market: Market, capacity: Integers, *, seed: int = 7) -> Integers:
    """Most points of the rules router; ties by the seeded draw."""

    def best(i: int, free: Any) -> int:
        points = market.rules[i, free]
        top = free[points >= points.max() - 1e-9]
        return max(top.tolist(), key=lambda j: draw(seed, market.lead_ids[i], market.roster.partner_ids[j]))

    return _one_by_one(market, capacity, best)


def greedy(market: Market, capacity: Integers, *, prices: Any = 0.0) -> Integers:
    """Greatest estimated chance of a win less the price of capacity."""
    net = market.gain - prices
    return _one_by_one(market, capacity, lambda i, free: int(free[np.argmax(net[i, free])]))


def priced(market: Market, capacity: Integers, *, sample: Market, nights: int = 5) -> Integers:
    """Greedy with bid prices from leads of the past; each night they follow what capacity is left."""
    chosen = np.full(len(market.lead_ids), NOBODY, dtype=np.int64)
    left = np.array(capacity, dtype=np.int64)
    everybody = np.arange(len(market.roster))
    for part in np.array_split(np.arange(len(chosen)), nights):
        to_come = len(chosen) - int(part[0])
        prices = bid_prices(sample.gain, sample.eligible, left * (len(sample.lead_ids) / to_come))
        found = greedy(market.take(part, everybody), left, prices=prices)
        chosen[part] = found
        left -= np.bincount(found[found != NOBODY], minlength=len(left))
    return chosen


def batched(market: Market, capacity: Integers, *, gain: Any = None) -> Integers:
    """The optimal assignment of all leads at once; with the true chances it is the oracle."""
    worth = market.gain if gain is None else np.where(market.eligible, gain, 0.0)
    ids = market.roster.partner_ids
    return assign(worth, market.eligible, capacity, lead_ids=market.lead_ids, partner_ids=ids, seed=7)


def expected_wins(truth: Floats, chosen: Integers) -> float:
    """Sum of true chances over the leads that went to somebody."""
    some_leads = np.flatnonzero(chosen != NOBODY)
    return float(truth[some_leads, chosen[some_leads]].sum())


def _one_by_one(market: Market, capacity: Integers, best: Callable[[int, Any], int]) -> Integers:
    left = np.array(capacity, dtype=np.int64)
    chosen = np.full(len(market.lead_ids), NOBODY, dtype=np.int64)
    for i in range(len(market.lead_ids)):
        free = np.flatnonzero(market.eligible[i] & (left > 0))
        if free.size:
            chosen[i] = best(i, free)
            left[chosen[i]] -= 1
    return chosen


def compare(markets: Sequence[tuple[Market, Market, Floats]], *, capacity: int) -> pd.DataFrame:
    """Wins per 100 leads of every way of routing, over repeated draws.

    Args:
        markets: (market, sample for prices, true chances (L, N)) of each draw.
        capacity: Leads that each partner can take in one draw.

    Returns:
        DataFrame, a row for each draw, a column for each way.
    """
    rows = []
    for market, sample, truth in markets:
        room = np.full(len(market.roster), capacity, dtype=np.int64)
        ways = {
            "round robin": round_robin(market, room),
            "rules": by_rules(market, room),
            "model, greedy": greedy(market, room),
            "model, bid price": priced(market, room, sample=sample),
            "model, batch": batched(market, room),
            "oracle": batched(market, room, gain=truth),
        }
        per_hundred = 100 / len(market.lead_ids)
        rows.append({name: per_hundred * expected_wins(truth, way) for name, way in ways.items()})
    return pd.DataFrame(rows)
