"""Touchpoints: the way to a decided deal, by several channels and partners, and ways that led nowhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from data.simulate.config import RichConfig
from data.simulate.rich.accounts import Accounts
from data.simulate.rich.messy import at, exported
from data.simulate.streams import below, choice, expand, poisson, uniform
from data.simulate.world import labels

CHANNELS = ("webinar", "visit", "mail", "event", "demo", "referral")
WON_WEIGHTS = (0.14, 0.2, 0.22, 0.12, 0.2, 0.12)
LOST_WEIGHTS = (0.2, 0.1, 0.4, 0.16, 0.08, 0.06)
DECIDED_SHARE = 0.35


def build_touchpoints(
    config: RichConfig, accounts: Accounts, deals: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Paths before registered deals that were won or lost, and idle paths; with the channels' true odds."""
    seed = config.seed
    closed = deals[deals["status"].isin(("won", "lost")) & deals["deal_id"].str.startswith("D")]
    number = closed["deal_id"].str[1:].astype(np.int64).to_numpy()
    keep = uniform(seed, "path.seen", number) < DECIDED_SHARE
    closed, number = closed[keep], number[keep]
    won = (closed["status"] == "won").to_numpy()
    row, nth = expand(1 + poisson(np.where(won, 2.2, 1.4), seed, "path.length", number))
    end = (closed["event_at"].to_numpy() - np.datetime64(config.start, "us")) / np.timedelta64(1, "D")
    back = 60 * uniform(seed, "path.back", number[row], nth)
    channel = np.where(
        won[row],
        choice(WON_WEIGHTS, seed, "path.channel", number[row], nth),
        choice(LOST_WEIGHTS, seed, "path.channel", number[row], nth),
    )
    helped = uniform(seed, "path.other", number[row], nth) < 0.25
    account = pd.Index(accounts.domain).get_indexer(closed["account_domain"])[row]
    helper = labels("P", below(config.partners, seed, "path.helper", account))
    parts = [
        {
            "key": number[row] * 16 + np.minimum(nth, 15),
            "account_id": closed["account_domain"].to_numpy()[row],
            "partner_id": np.where(helped, helper, closed["partner_id"].to_numpy()[row]),
            "channel": channel,
            "day": end[row] - back,
        },
        _idle(config, accounts),
    ]
    return _table(config, parts), _truth()


def _idle(config: RichConfig, accounts: Accounts) -> dict[str, Any]:
    """Touches of accounts that decided nothing; without a partner."""
    seed, number = config.seed, np.arange(len(accounts.domain))
    row, nth = expand(poisson(1.5, seed, "idle", number))
    nobody: Any = None
    return {
        "key": (1 << 52) + row * 64 + np.minimum(nth, 63),
        "account_id": accounts.domain[row],
        "partner_id": np.full(row.size, nobody, dtype=object),
        "channel": choice(LOST_WEIGHTS, seed, "idle.channel", row, nth),
        "day": config.days * uniform(seed, "idle.day", row, nth),
    }


def _table(config: RichConfig, parts: list[dict[str, Any]]) -> pd.DataFrame:
    columns = {k: np.concatenate([p[k] for p in parts]) for k in parts[0]}
    when = at(config, columns.pop("day"))
    columns["channel"] = np.array(CHANNELS, dtype=object)[columns["channel"]]
    columns["touchpoint_id"] = labels("X", columns.pop("key"), width=12)
    keep = when >= np.datetime64(config.start, "us")
    columns = {k: v[keep] for k, v in columns.items()}
    return exported(config, "touchpoints", {**columns, "event_at": when[keep], "known_at": when[keep]})


def _truth() -> pd.DataFrame:
    odds = np.array(WON_WEIGHTS) / np.array(LOST_WEIGHTS)
    return pd.DataFrame({"channel": CHANNELS, "odds_of_winning": odds})
