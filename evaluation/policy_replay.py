"""Past leads seen by several policies: what each would have done, given what was known and who was busy then.

Each lead is looked at as the log found it: with the loads, offers and features of that moment. What the other
choices before it would have changed is left out, as in any estimate from single decisions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data.domains import bare_domain
from evaluation.moments import Models, Moment, asked_of, pair_frame, score_frame
from evaluation.offpolicy import Decisions
from features.leadhistory import RECENT
from models.routing.choice import Exposure, chances
from models.routing.eligibility import Asked, Codes, Standing, exclusions
from models.routing.inputs import FEATURES
from models.routing.optimum import bid_prices
from models.routing.policy import RoutingPolicy
from models.routing.settings import RoutingSettings

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
NUMBERS = tuple(f.name for f in FEATURES if f.kind == "number")
SAMPLE_DAYS = 45
"""Leads of so many days stand for those to come while the moment's are worked on."""
GROUPS = ("tier", "region", "size")


@dataclass(frozen=True)
class Log:
    """The past.

    Attributes:
        offers: Of `features.leadhistory.offers_of`.
        leads: Lead id → canonical row.
        known_accounts: Web domain → (partner, when it won a deal there), for partners that know the account.
        settings: How outcomes are read.
    """

    offers: Any
    leads: Mapping[str, Mapping[str, Any]]
    known_accounts: Mapping[str, Sequence[tuple[str, datetime]]]
    settings: RoutingSettings


@dataclass(frozen=True)
class Replay:
    """n first offers and the m pairs that any of the policies, or the log, could choose.

    Attributes:
        decisions: DataFrame (n): lead_id, offered_at, partner_id, propensity, accepted, won, value_usd.
        decision: (m,) decision of each pair, ascending.
        partner: (m,) partner ids.
        chosen: (n,) position of the logged pair.
        chances: Name of a policy → (m,) probability with which it chooses the pair.
        gain: (m,) expected wins by the models.
        features: (m, p) numbers a reward may depend on.
        groups: DataFrame (m): tier, region, size of the partner then.
    """

    decisions: Any
    decision: Integers
    partner: Any
    chosen: Integers
    chances: Mapping[str, Floats]
    gain: Floats
    features: Floats
    groups: Any

    def __len__(self) -> int:
        return len(self.decisions)

    def judged(self, name: str, *, reward: str = "won") -> Decisions:
        """What off-policy evaluation takes, for one of the policies."""
        return Decisions(
            reward=self.decisions[reward].to_numpy(dtype=np.float64),
            propensity=self.decisions["propensity"].to_numpy(dtype=np.float64),
            chosen=self.chosen,
            cluster=np.arange(len(self), dtype=np.int64),
            decision=self.decision,
            target=self.chances[name],
            features=self.features,
        )


def first_offers(offers: Any, settings: RoutingSettings, *, since: datetime, known_until: datetime) -> Any:
    """First offers of leads whose outcome is known whatever it was, in order.

    Returns:
        DataFrame[lead_id, partner_id, offered_at, propensity, accepted, won, value_usd].
    """
    first = offers.sort_values(["offered_at", "assignment_id"]).drop_duplicates("lead_id")
    found = outcomes_of(first[first["offered_at"] >= pd.Timestamp(since)], settings, known_until=known_until)
    return found[found["won"].notna()].reset_index(drop=True)


def outcomes_of(offers: Any, settings: RoutingSettings, *, known_until: datetime) -> Any:
    """What came of offers, as labels have it; NaN where the time for it is not over.

    Returns:
        DataFrame[lead_id, partner_id, offered_at, propensity, accepted, won, value_usd].
    """
    end, offered = pd.Timestamp(known_until), offers["offered_at"]
    in_time = offers["answered_at"] < offered + timedelta(days=settings.answer_days)
    accepted = (offers["answer"] == "accepted") & in_time
    soon = offers["closed_at"] < offers["answered_at"] + timedelta(days=settings.win_days)
    won = accepted & (offers["outcome"] == "won") & soon
    answered = offered + timedelta(days=settings.answer_days) <= end
    closed = offered + timedelta(days=settings.answer_days + settings.win_days) <= end
    return offers[["lead_id", "partner_id", "offered_at", "propensity"]].assign(
        accepted=accepted.astype(float).where(answered),
        won=won.astype(float).where(closed),
        value_usd=offers["value_usd"].where(won, 0.0).fillna(0.0).astype(float).where(closed),
    )


def log_of(offers: Any, leads: Any, deals: Any | None, settings: RoutingSettings) -> Log:
    """The past from canonical rows: offers of `offers_of`, one row for each lead, deals or None."""
    rows = {str(row["lead_id"]): row for row in leads.to_dict("records")}
    known: dict[str, list[tuple[str, datetime]]] = {}
    if deals is not None:
        won = deals[(deals["status"] == "won") & deals["account_domain"].notna()].sort_values("event_at")
        at = won["known_at"].fillna(won["event_at"])
        for domain, partner, day in zip(won["account_domain"], won["partner_id"], at, strict=True):
            known.setdefault(bare_domain(str(domain)), []).append((str(partner), day))
    return Log(offers, rows, known, settings)


def replay(
    decisions: Any, log: Log, policies: Mapping[str, RoutingPolicy], *, moment: Moment, models: Models
) -> Replay | None:
    """What each policy would have done with some past leads.

    Args:
        decisions: Part of `first_offers`; those of partners that were not there then are left out.
        log: The past.
        policies: Name → rules.
        moment: The partners then.
        models: Models that know nothing of these leads' outcomes.
    """
    known = decisions["partner_id"].isin(moment.roster.places) & decisions["lead_id"].isin(log.leads)
    decisions = decisions[known].reset_index(drop=True)
    if decisions.empty:
        return None
    cases = [_case(row, log, policies, moment) for row in decisions.to_dict("records")]
    decision, partner_at, chosen = _pairs(cases, decisions, moment)
    leads = [log.leads[i] for i in decisions["lead_id"]]
    frame = pair_frame(moment, leads, decision, partner_at)
    accept, win = score_frame(models, frame)
    gain = accept * win
    priced = {name: _prices(policy, log, moment, models) for name, policy in policies.items()}
    starts = np.searchsorted(decision, np.arange(len(decisions) + 1))
    found = {name: np.zeros(len(decision)) for name in policies}
    for place, case in enumerate(cases):
        rows = slice(starts[place], starts[place + 1])
        for name, policy in policies.items():
            worth = gain[rows] * (case.value(policy) if policy.objective == "value" else 1.0)
            net = np.full(len(moment.roster), -np.inf)
            net[partner_at[rows]] = worth - priced[name][partner_at[rows]]
            found[name][rows] = _chances(policy, moment, case, name, net)[partner_at[rows]]
    numbers = [n for n in NUMBERS if n in frame]
    return Replay(
        decisions, decision, np.array(moment.roster.partner_ids, dtype=object)[partner_at], chosen, found,
        gain, frame[numbers].to_numpy(dtype=np.float64, na_value=np.nan), _groups(moment, partner_at),
    )  # fmt: skip


def joined(parts: Sequence[Replay]) -> Replay:
    """Several stretches as one."""
    sizes = np.cumsum([0, *(len(p) for p in parts)])
    pairs = np.cumsum([0, *(len(p.decision) for p in parts)])
    return Replay(
        pd.concat([p.decisions for p in parts], ignore_index=True),
        np.concatenate([p.decision + n for p, n in zip(parts, sizes, strict=False)]),
        np.concatenate([p.partner for p in parts]),
        np.concatenate([p.chosen + n for p, n in zip(parts, pairs, strict=False)]),
        {name: np.concatenate([p.chances[name] for p in parts]) for name in parts[0].chances},
        np.concatenate([p.gain for p in parts]),
        np.concatenate([p.features for p in parts]),
        pd.concat([p.groups for p in parts], ignore_index=True),
    )


def standing_at(offers: Any, moment: datetime, settings: RoutingSettings) -> Standing:
    """Who worked on what, and who was offered what this month, just before a moment."""
    at = pd.Timestamp(moment)
    before = offers[offers["offered_at"] < at]
    held = before["answered_at"].isna() | (before["answer"] == "accepted") | (before["answered_at"] >= at)
    answered = before["answered_at"].fillna(before["offered_at"] + timedelta(days=settings.answer_days))
    ends = before["closed_at"].fillna(answered + timedelta(days=settings.win_days))
    silent = before["answered_at"].isna() & (answered < at)
    busy = before[held & (ends >= at) & ~silent]
    month = before[before["offered_at"] >= at.to_period("M").to_timestamp()]
    return Standing(
        load={str(k): int(v) for k, v in busy["partner_id"].value_counts().items()},
        capacity={},
        paused=frozenset(),
        opted_out=frozenset(),
        last_offer={str(k): v for k, v in before.groupby("partner_id")["offered_at"].max().items()},
        received={str(k): int(v) for k, v in month["partner_id"].value_counts().items()},
    )


@dataclass(frozen=True)
class _Case:
    """One lead as the log found it."""

    asked: Asked
    codes: Mapping[str, Codes]
    received: Integers
    preferred: tuple[int, ...]

    def value(self, policy: RoutingPolicy) -> float:
        return policy.value_unknown if np.isnan(self.asked.value) else self.asked.value


def _case(row: Mapping[str, Any], log: Log, policies: Mapping[str, RoutingPolicy], moment: Moment) -> _Case:
    at, roster = row["offered_at"], moment.roster
    asked = asked_of(log.leads[row["lead_id"]])
    near = log.offers[log.offers["offered_at"] >= at - RECENT]
    standing = standing_at(near, at, log.settings)
    codes = {n: exclusions(p, roster, asked, standing, now=at) for n, p in policies.items()}
    received = np.array([standing.received.get(p, 0) for p in roster.partner_ids], dtype=np.int64)
    since = at - timedelta(days=log.settings.relationship_days)
    friends = [p for p, won in log.known_accounts.get(asked.domain, ()) if since <= won <= at]
    return _Case(asked, codes, received, tuple(roster.positions(list(dict.fromkeys(friends)))))


def _pairs(cases: Sequence[_Case], decisions: Any, moment: Moment) -> tuple[Integers, Integers, Integers]:
    """Decision and partner of each pair, and the place of the logged one."""
    decision: list[Integers] = []
    partner: list[Integers] = []
    chosen, size = [], 0
    for place, (case, logged) in enumerate(zip(cases, decisions["partner_id"], strict=True)):
        mask = np.any([c == 0 for c in case.codes.values()], axis=0)
        mask[moment.roster.places[logged]] = True
        at = np.flatnonzero(mask)
        chosen.append(size + int(np.searchsorted(at, moment.roster.places[logged])))
        partner.append(at)
        decision.append(np.full(at.size, place))
        size += at.size
    return np.concatenate(decision), np.concatenate(partner), np.array(chosen, dtype=np.int64)


def _chances(policy: RoutingPolicy, moment: Moment, case: _Case, name: str, net: Floats) -> Floats:
    explorable = policy.exploration_share > 0 and case.asked.value <= policy.exploration_most_value
    return chances(
        policy,
        moment.roster,
        case.codes[name],
        net,
        explorable=bool(explorable),
        received=case.received,
        exposure=Exposure.of(policy, moment.roster, case.received),
        preferred=case.preferred,
    )


def _prices(policy: RoutingPolicy, log: Log, moment: Moment, models: Models) -> Floats:
    """(N,) price of a unit of capacity, as the nightly run works it out; 0 where the policy asks for none."""
    none = np.zeros(len(moment.roster))
    since = moment.as_of - timedelta(days=SAMPLE_DAYS)
    leads = [v for v in log.leads.values() if since <= v["event_at"] < moment.as_of]
    if not policy.use_bid_prices or not leads:
        return none
    idle = Standing.idle()
    allowed = np.array(
        [exclusions(policy, moment.roster, asked_of(v), idle, now=moment.as_of) == 0 for v in leads]
    )
    row, column = np.nonzero(allowed)
    accept, win = score_frame(models, pair_frame(moment, leads, row, column))
    gain = np.zeros(allowed.shape)
    gain[row, column] = accept * win
    if policy.objective == "value":
        values = np.array([asked_of(v).value for v in leads])
        gain *= np.where(np.isnan(values), policy.value_unknown, values)[:, None]
    return bid_prices(gain, allowed, moment.roster.capacities(policy))


def _groups(moment: Moment, partner_at: Integers) -> Any:
    roster = moment.roster
    named = {"tier": roster.tier, "region": roster.region, "size": roster.size}
    return pd.DataFrame(
        {k: np.array([x or "none" for x in v], dtype=object)[partner_at] for k, v in named.items()}
    )
