"""Alerts of a policy over the past, the two rules it is held against, and how alerts are judged."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from models.alerts.cycle import Book, Watched, turn
from models.alerts.playbook import standard_playbook
from models.alerts.settings import AlertSettings
from models.alerts.states import Doors, Reading

DAY = np.timedelta64(1, "D")
LOOK_BACK_DAYS = 180
"""An alert counts for a departure when it opened within this long before it."""


@dataclass(frozen=True)
class Raised:
    """Alerts as a frame.

    Attributes:
        name: Who raised them.
        alerts: DataFrame[partner_id, as_of, held_out, propensity, manager_id].
    """

    name: str
    alerts: Any

    @property
    def shown(self) -> Any:
        """Those that a person would see."""
        return self.alerts[~self.alerts["held_out"]]


def replay(panel: Any, *, settings: AlertSettings, link: str) -> Raised:
    """The alerts the policy would have opened, week by week.

    Args:
        panel: Of `build_panel`.
        settings: The policy.
        link: Scale of eta.
    """
    book, rows = Book(), []
    doors, playbook = Doors.of(settings, link=link), standard_playbook()
    for week, part in panel.groupby("as_of", sort=True):
        on = week.date()
        turned = turn(
            book, list(_watched(part, settings)), on=on, doors=doors, settings=settings,
            playbook=playbook, new_id=partial("{1}@{0}".format, on),
        )  # fmt: skip
        book = turned.book
        for change in turned.changes:
            if change.what == "opened":
                a = change.alert
                rows.append((a.partner_id, week, a.held_out, a.propensity, a.manager_id))
    return Raised("alerts", _frame(rows))


def _watched(part: Any, settings: AlertSettings) -> Iterable[Watched]:
    columns = ("partner_id", "manager_id", "eta", "model", "previous_eta", "probability", "margin_cents",
               "driver", "silent_days", "departed")  # fmt: skip
    for one in zip(*(part[c].tolist() for c in columns), strict=True):
        partner, manager, eta, model, old, probability, margin, driver, silent, departed = one
        yield Watched(
            partner, manager, Reading(eta, model, None if old != old else old), probability, margin,
            driver, silent <= settings.active_within_days, departed,
        )  # fmt: skip


def above(panel: Any, column: str, threshold: float, *, name: str) -> Raised:
    """The rule without a memory: an alert for every partner above the threshold, every week."""
    found = panel[~panel["departed"] & (panel[column] >= threshold)]
    return _raised(name, found)


def crossings(panel: Any, column: str, threshold: float, *, name: str) -> Raised:
    """A plain rule: an alert whenever a partner's figure rises to the threshold from below."""
    alive = panel[~panel["departed"]].sort_values(["partner_id", "as_of"])
    high = alive[column].to_numpy() >= threshold
    same = alive["partner_id"].to_numpy()[1:] == alive["partner_id"].to_numpy()[:-1]
    before = np.append(False, high[:-1] & same)
    found = alive[high & ~before]
    return _raised(name, found)


def _raised(name: str, found: Any) -> Raised:
    columns = (found["partner_id"], found["as_of"], found["manager_id"])
    rows = [(partner, week, False, 0.0, manager) for partner, week, manager in zip(*columns, strict=True)]
    return Raised(name, _frame(rows))


def _frame(rows: list[Any]) -> Any:
    names = ["partner_id", "as_of", "held_out", "propensity", "manager_id"]
    frame = pd.DataFrame(rows, columns=names)
    return frame.astype({"as_of": "datetime64[us]", "held_out": bool, "propensity": float})


Rule = Callable[..., Raised]


def matched(
    panel: Any, column: str, *, recall: float, name: str, days_ahead: int = 0, rule: Rule = crossings
) -> Raised:
    """A plain rule with the greatest threshold that reaches a recall, or comes nearest to it."""
    values = panel.loc[~panel["departed"], column].dropna().to_numpy()
    grid = np.unique(np.quantile(values, np.linspace(0.3, 0.999, 120)))
    low, high = 0, grid.size - 1
    while low < high:  # recall falls as the threshold rises
        middle = (low + high + 1) // 2
        raised = rule(panel, column, float(grid[middle]), name=name)
        reached = share_flagged(raised, panel, days_ahead=days_ahead)
        low, high = (middle, high) if reached >= recall else (low, middle - 1)
    return rule(panel, column, float(grid[low]), name=name)


def departures_of(panel: Any) -> Any:
    """Departures of partners that were there a week before: DataFrame[partner_id, departed_at], once each."""
    known = panel[panel["departed_at"].notna() & (panel["departed_at"] > panel["as_of"])]
    last = panel["as_of"].max()
    known = known[known["departed_at"] <= last]
    return known[["partner_id", "departed_at"]].drop_duplicates(ignore_index=True)


def share_flagged(raised: Raised, panel: Any, *, days_ahead: int) -> float:
    """Share of departures with a shown alert at least so many days before (negative: after)."""
    gone = departures_of(panel)
    if not len(gone):
        return float("nan")
    pairs = gone.reset_index().merge(raised.shown[["partner_id", "as_of"]], on="partner_id")
    lead = (pairs["departed_at"] - pairs["as_of"]) / pd.Timedelta(days=1)
    hit = pairs[(lead >= days_ahead) & (lead <= LOOK_BACK_DAYS)]["index"].nunique()
    return float(hit / len(gone))


def right(alerts: Any, panel: Any, *, horizon: int = 90) -> Any:
    """Whether the partner of each alert departed within the horizon: 0/1 (n,)."""
    truth = panel[["partner_id", "as_of", "departed_at"]]
    joined = alerts.merge(truth, on=["partner_id", "as_of"], how="left")
    return (joined["departed_at"] < joined["as_of"] + pd.Timedelta(days=horizon)).to_numpy(dtype=np.float64)
