"""What partners cost: market development funds, rebates, support."""

from __future__ import annotations

import numpy as np
import pandas as pd

from data.simulate.config import RichConfig
from data.simulate.rich.engagement import Course
from data.simulate.rich.messy import at, exported
from data.simulate.rich.population import Population
from data.simulate.streams import normal, uniform
from data.simulate.world import labels

KINDS = ("mdf", "rebate", "support")
MEDIAN_USD = np.array([900.0, 500.0, 250.0])
QUARTERLY_SHARE = np.array([0.35, 0.6, 0.5])


def build_costs(config: RichConfig, who: Population, course: Course) -> pd.DataFrame:
    """Quarterly postings by kind; favourites get more market development funds."""
    seed = config.seed
    weeks = np.arange(12, config.weeks, 13)
    entity, week, kind = np.broadcast_arrays(
        who.index[:, None, None], weeks[None, :, None], np.arange(len(KINDS))[None, None, :]
    )
    key = (entity, week, kind)
    posted = uniform(seed, "cost", *key) < QUARTERLY_SHARE[kind]
    posted &= course.exposure[:, weeks][:, :, None] > 0.99
    row, quarter, code = np.nonzero(posted)
    amount = MEDIAN_USD[code] * np.exp(
        0.4 * who.firms.size[row] + 0.5 * normal(seed, "cost.amount", *key)[posted]
    )
    amount *= np.where(who.favourite[row] & (code == 0), 2.0, 1.0)
    day = weeks[quarter] * 7 + 3.0
    number = (who.index[row] * config.weeks + weeks[quarter]) * 4 + code
    return exported(
        config,
        "costs",
        {
            "cost_id": labels("Y", number, width=8),
            "partner_id": who.ids[row],
            "kind": np.array(KINDS, dtype=object)[code],
            "amount_usd": np.round(amount, 2),
            "event_at": at(config, day),
            "known_at": at(config, day + 4),
        },
    )
