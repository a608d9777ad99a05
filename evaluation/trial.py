"""What a trial shows: leads that chance gave to a policy on trial, beside those the policy in force decided.

Which leads a version decides is drawn by their ids, so the two groups differ by nothing but the version. A
lead counts with all its offers: it is won by whoever got it last, or it is not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from evaluation.offpolicy import LEVEL, Answer, Value
from evaluation.support import Refusal
from models.routing.settings import RoutingSettings

LEAST_LEADS = 30
"""Leads of each version with a known outcome, below which nothing is said."""


@dataclass(frozen=True)
class Arm:
    """The leads of one version.

    Attributes:
        version: Of the policy.
        leads: Leads it decided.
        known: Those whose time is over.
        won: Of these.
        offers: All offers of its leads.
        in_time_share: Offers answered before their deadline, of those answered or run out; None: none yet.
        fairness_cost: Expected wins given up for bands, in all.
    """

    version: int
    leads: int
    known: int
    won: int
    offers: int
    in_time_share: float | None
    fairness_cost: float

    @property
    def rate(self) -> float:
        """Wins of a lead."""
        return self.won / self.known if self.known else math.nan


@dataclass(frozen=True)
class Trial:
    """A version on trial against the one in force.

    Attributes:
        arms: On trial, in force.
        gain: Difference of wins of a lead, with its 95 % interval.
        refusal: Why there is no verdict, or None.
        answer: The verdict on the version on trial.
    """

    arms: tuple[Arm, Arm]
    gain: Value
    refusal: Refusal | None
    answer: Answer


def judge_trial(
    offers: Any, *, on_trial: int, in_force: int, settings: RoutingSettings, now: datetime
) -> Trial:
    """Compare the leads of two versions since the first one on trial.

    Args:
        offers: DataFrame[owner, lead_id, turn, policy_version, state, fairness_cost, offered_at, respond_by,
            answered_at] of the service, times naive UTC.
        on_trial: Version.
        in_force: Version.
        settings: When an outcome is known.
        now: Naive UTC.
    """
    leads = _leads(offers, settings, now)
    began = leads.loc[leads["version"] == on_trial, "offered_at"].min()
    since = leads[leads["offered_at"] >= began] if pd.notna(began) else leads
    arms = tuple(_arm(since, offers, v) for v in (on_trial, in_force))
    first, second = arms
    gain = _difference(first, second)
    refused = _refusal(arms)
    answer: Answer = "no_difference_shown"
    if refused is not None:
        answer = "refused"
    elif gain.low > 0:
        answer = "better"
    elif gain.high < 0:
        answer = "worse"
    return Trial((first, second), gain, refused, answer)


def _leads(offers: Any, settings: RoutingSettings, now: datetime) -> Any:
    """One row for each lead: the version of its first offer, whether it was won, whether that is known."""
    order = offers.sort_values(["owner", "lead_id", "turn"])
    keys = ["owner", "lead_id"]
    first = order.drop_duplicates(keys, keep="first").set_index(keys)
    won = order.assign(won=order["state"] == "won").groupby(keys)["won"].any()
    last = order.groupby(keys)["offered_at"].max()
    wait = timedelta(days=settings.answer_days + settings.win_days)
    return pd.DataFrame(
        {
            "version": first["policy_version"],
            "offered_at": first["offered_at"],
            "won": won,
            # A win that came early does not make a lead known early: those not won yet would be missing.
            "known": last + wait <= pd.Timestamp(now),
        }
    ).reset_index()


def _arm(leads: Any, offers: Any, version: int) -> Arm:
    mine = leads[leads["version"] == version]
    rows = offers.merge(mine[["owner", "lead_id"]], on=["owner", "lead_id"])
    over = rows[(rows["state"] != "offered")]
    in_time = (over["state"] != "expired") & (over["answered_at"] <= over["respond_by"])
    known = mine[mine["known"]]
    return Arm(
        version=version,
        leads=len(mine),
        known=len(known),
        won=int(known["won"].sum()),
        offers=len(rows),
        in_time_share=float(in_time.mean()) if len(over) else None,
        fairness_cost=float(rows["fairness_cost"].sum()),
    )


def _difference(first: Arm, second: Arm) -> Value:
    """Difference of two shares with an interval that holds for few leads too.

    Source: Agresti, Caffo, Simple and effective confidence intervals for proportions (2000).
    """
    from scipy.stats import norm

    if not (first.known and second.known):
        return Value(math.nan, math.nan, math.nan)
    shares = [(a.won + 1) / (a.known + 2) for a in (first, second)]
    spread = math.sqrt(sum(p * (1 - p) / (a.known + 2) for p, a in zip(shares, (first, second), strict=True)))
    half, middle = float(norm.ppf(0.5 + LEVEL / 2)) * spread, shares[0] - shares[1]
    return Value(first.rate - second.rate, middle - half, middle + half)


def _refusal(arms: Sequence[Arm]) -> Refusal | None:
    for arm in arms:
        if arm.known < LEAST_LEADS:
            return Refusal(
                "few_leads",
                f"No verdict: since the trial began, version {arm.version} decided {arm.known} leads whose "
                f"outcome is known; at least {LEAST_LEADS} are needed.",
                "Wait, or give the trial a greater share.",
            )
    return None
