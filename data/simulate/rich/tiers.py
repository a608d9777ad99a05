"""Tiers as they were given: a half-yearly legacy review with favourites, seniority and inertia."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from data.simulate.config import RichConfig
from data.simulate.rich.messy import at
from data.simulate.rich.population import Population
from data.simulate.streams import Floats, Ints, uniform

TIERS = ("registered", "silver", "gold", "platinum")
CUTS_USD = (40_000, 160_000, 500_000)


def review_days(config: RichConfig) -> list[int]:
    """Days after the start of the reviews: 10 January and 10 July."""
    years = range(config.start.year, config.end.year + 1)
    days = [(date(y, m, 10) - config.start).days for y in years for m in (1, 7)]
    return [d for d in days if 0 < d < config.days]


def build_tiers(config: RichConfig, who: Population, deals: pd.DataFrame) -> pd.DataFrame:
    """Frame of (partner_id, tier, event_at): the first tier, then every change.

    Past revenue counts, but favourites get a tier more, nobody falls more than one tier, and only some of
    the due demotions happen: what a model of past tiers would imitate.
    """
    level = _first(config, who)
    parts = [_rows(config, who, np.arange(who.index.size), level, who.signed_day)]
    won = deals[deals["status"] == "won"]
    row = pd.Index(who.ids).get_indexer(won["partner_id"])
    day = (won["event_at"].to_numpy() - np.datetime64(config.start, "us")) / np.timedelta64(1, "D")
    cents = np.rint(won["amount_usd"].to_numpy() * 100).astype(np.int64)
    for number, review in enumerate(review_days(config)):
        new = _review(config, who, level, _revenue(row, day, cents, review, who.index.size), number)
        changed = np.flatnonzero((new != level) & (who.signed_day < review - 60))
        level = level.copy()
        level[changed] = new[changed]
        parts.append(_rows(config, who, changed, level, np.full(who.index.size, float(review))))
    return pd.concat(parts, ignore_index=True)


def _first(config: RichConfig, who: Population) -> Ints:
    """Older partners start higher: what seniority brought them before the data begin."""
    old = np.clip(-who.signed_day / 800, 0, 1)
    draw = uniform(config.seed, "tier.first", who.index)
    return ((draw < 0.5 * old) * 1 + (draw < 0.15 * old) * 1 + who.favourite * (who.signed_day < 0)).astype(
        np.int64
    )


def _revenue(row: Ints, day: Floats, cents: Ints, review: int, size: int) -> Floats:
    """US dollars won in the year before the review; summed in whole cents, so in any order."""
    within = (day < review) & (day >= review - 365)
    total = np.zeros(size, dtype=np.int64)
    np.add.at(total, row[within], cents[within])
    span = min(365, max(review, 90))
    return total / 100 * (365 / span)


def _review(config: RichConfig, who: Population, level: Ints, revenue: Floats, number: int) -> Ints:
    earned = np.searchsorted(np.array(CUTS_USD), revenue, side="right")
    earned = np.minimum(earned + who.favourite, len(TIERS) - 1)
    mercy = uniform(config.seed, "tier.mercy", who.index, number) < np.where(who.favourite, 0.95, 0.6)
    down = np.where(mercy, level, level - 1)
    slow = uniform(config.seed, "tier.slow", who.index, number) < 0.25
    up = np.where(slow, level, np.minimum(earned, level + 1))
    return np.where(earned > level, up, np.where(earned < level, down, level))


def _rows(config: RichConfig, who: Population, which: Ints, level: Ints, day: Floats) -> pd.DataFrame:
    values: dict[str, Any] = {
        "partner_id": who.ids[which],
        "tier": np.array(TIERS, dtype=object)[level[which]],
        "event_at": at(config, day[which]),
    }
    return pd.DataFrame(values)
