"""Ways in which the future gets into the data: a panel filled after the outcome, and back-dated events."""

from __future__ import annotations

import numpy as np
import pandas as pd

from data.simulate.config import RichConfig
from data.simulate.rich.engagement import Course
from data.simulate.rich.messy import at
from data.simulate.rich.population import Population
from data.simulate.streams import uniform
from data.simulate.world import conform, labels

HORIZON_DAYS = 90
ROWS_PER_EXIT = 6


def exit_interviews(config: RichConfig, who: Population, course: Course) -> pd.DataFrame:
    """Events recorded weeks after departure but dated in the 60 days before it; `known_at` is honest."""
    row = np.repeat(np.flatnonzero(np.isfinite(course.departed_day)), ROWS_PER_EXIT)
    nth = np.arange(row.size) % ROWS_PER_EXIT
    left = course.departed_day[row]
    back = 60 * uniform(config.seed, "exit.back", who.index[row], nth)
    when = np.maximum(left - back, np.maximum(who.signed_day[row], 0))
    known = left + 20 + 40 * uniform(config.seed, "exit.known", who.index[row])
    keep = known < config.days
    row, nth, when, known = row[keep], nth[keep], when[keep], known[keep]
    return conform(
        "events",
        {
            "event_id": labels("W", who.index[row] * 8 + nth, width=7),
            "partner_id": who.ids[row],
            "event_type": np.full(row.size, "exit_interview", dtype=object),
            "source": np.full(row.size, "crm", dtype=object),
            "quantity": np.ones(row.size),
            "event_at": at(config, when),
            "known_at": at(config, known),
        },
    )


def churn_panel(
    config: RichConfig, who: Population, tables: dict[str, pd.DataFrame], course: Course
) -> pd.DataFrame:
    """Quarterly snapshots with honest counts, a label, and two columns that know it.

    `orders_next_quarter` is counted after the snapshot; `account_status_code` is as of the export.
    """
    stops = range(200, config.days - HORIZON_DAYS, 91)
    parts = [_snapshot(config, who, tables, course, stop) for stop in stops]
    return pd.concat(parts, ignore_index=True).sort_values(["snapshot_date", "partner_id"], ignore_index=True)


def _snapshot(
    config: RichConfig, who: Population, tables: dict[str, pd.DataFrame], course: Course, stop: int
) -> pd.DataFrame:
    ids = pd.Index(who.ids)
    deals, events = tables["deals"], tables["events"]
    orders = deals[deals["status"] == "won"]
    logins = events[events["event_type"] == "portal_login"]
    count = {
        "orders_90d": _between(config, ids, orders, stop - 90, stop),
        "logins_30d": _between(config, ids, logins, stop - 30, stop),
        "logins_90d": _between(config, ids, logins, stop - 90, stop),
        "registrations_90d": _between(config, ids, deals[deals["status"] == "registered"], stop - 90, stop),
        "orders_next_quarter": _between(config, ids, orders, stop, stop + HORIZON_DAYS),
    }
    churned = course.departed_day < stop + HORIZON_DAYS
    noise = uniform(config.seed, "panel.status", who.index, stop)
    frame = pd.DataFrame(
        {
            "partner_id": who.ids,
            "snapshot_date": np.full(len(ids), at(config, float(stop))),
            "employee_count": who.firms.employees,
            **count,
            "account_status_code": np.where(churned ^ (noise < 0.03), "C", "A").astype(object),
            "churned": churned.astype(np.int64),
        }
    )
    there = (who.signed_day < stop - 90) & (course.departed_day > stop) & (count["orders_90d"] > 0)
    return frame[there]


def _between(config: RichConfig, ids: pd.Index, rows: pd.DataFrame, low: int, high: int) -> np.ndarray:
    begin, end = pd.Timestamp(at(config, float(low)).item()), pd.Timestamp(at(config, float(high)).item())
    within = rows[(rows["event_at"] >= begin) & (rows["event_at"] < end)]
    return np.bincount(ids.get_indexer(within["partner_id"]), minlength=len(ids))
