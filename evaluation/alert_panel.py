"""What the policy of alerts would have seen, week by week, and what became of each partner."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd

from models.alerts.margin import margin_at_risk_cents
from models.bundle import Bundle
from models.calibration import LINKS
from models.churn.cohort import silence_days
from models.churn.label import departures
from models.churn.settings import ChurnSettings
from models.versions import Versions

RECENCY = "days_since_last_login"
COLUMNS = (
    "partner_id", "as_of", "manager_id", "model", "eta", "previous_eta", "probability", "margin_cents",
    "driver", "silent_days", "departed", "recency", "departed_at",
)  # fmt: skip


@dataclass(frozen=True)
class History:
    """Rows outcomes and owners are read from, all versions.

    Attributes:
        activity: Value activities, as `features.cohort.value_activity` gives them.
        terminations: Agreements that ended.
        managers: DataFrame[partner_id, manager_id, event_at, known_at]; may be empty.
    """

    activity: Versions
    terminations: Versions
    managers: Any


@dataclass(frozen=True)
class Stretch:
    """A model and the weeks it was in service: fitted on nothing known later than the first of them."""

    bundle: Bundle
    name: str
    weeks: tuple[date, ...]


def build_panel(
    stretches: Sequence[Stretch],
    features: Callable[[date], Any],
    history: History,
    *,
    settings: ChurnSettings,
    known_until: datetime,
    horizon: int = 90,
) -> Any:
    """One row for each week and partner that is not known to have left.

    Args:
        stretches: Models with their weeks, ascending.
        features: Gives the snapshot of a week: DataFrame[partner_id, features].
        history: What outcomes are read from.
        settings: What departure means.
        known_until: End of the data.
        horizon: Days.

    Returns:
        DataFrame with `COLUMNS`; `departed_at` is what came of it, and is never shown to the policy.
    """
    parts: list[Any] = []
    before: Bundle | None = None
    for stretch in stretches:
        for place, week in enumerate(stretch.weeks):
            previous = before if place == 0 else None
            parts.append(
                _week(stretch, week, features(week), history, settings, known_until, horizon, previous)
            )
        before = stretch.bundle
    return pd.concat(parts, ignore_index=True)


def _week(
    stretch: Stretch,
    week: date,
    rows: Any,
    history: History,
    settings: ChurnSettings,
    known_until: datetime,
    horizon: int,
    previous: Bundle | None,
) -> Any:
    moment = pd.Timestamp(week)
    rows = rows.sort_values("partner_id", ignore_index=True)
    silent = _silent_days(history, rows["partner_id"], moment)
    rows, silent = rows[np.isfinite(silent)].reset_index(drop=True), silent[np.isfinite(silent)]
    ids = rows["partner_id"].to_numpy(dtype=object)
    length = silence_days(history.activity, ids, as_of=week, settings=settings)
    gone = (silent >= length) | _ended(history, ids, moment)
    # A partner that left long ago is nobody's business any more; a week of grace closes its alert.
    keep = ~gone | (silent < length + 28)
    rows, ids, silent, gone = rows[keep].reset_index(drop=True), ids[keep], silent[keep], gone[keep]
    bundle = stretch.bundle
    matrix = bundle.encode(rows)
    eta = bundle.eta(matrix, horizon=_horizon(bundle, horizon))
    old = np.full(len(rows), np.nan)
    if previous is not None:
        old = previous.eta(previous.encode(rows), horizon=_horizon(previous, horizon))
    left = departures(
        history.activity, history.terminations, ids, as_of=week, settings=settings, known_until=known_until
    )
    explained = bundle.explain(matrix)
    return pd.DataFrame(
        {
            "partner_id": ids, "as_of": moment, "manager_id": _managers(history.managers, ids, moment),
            "model": stretch.name, "eta": eta, "previous_eta": old, "probability": LINKS[bundle.link](eta),
            "margin_cents": margin_at_risk_cents(rows),
            "driver": np.array(explained.factors, dtype=object)[explained.contributions.argmax(axis=1)],
            "silent_days": silent, "departed": gone,
            "recency": rows[RECENCY].to_numpy(dtype=np.float64) if RECENCY in rows else np.nan,
            "departed_at": left,
        }
    )  # fmt: skip


def _horizon(bundle: Bundle, wanted: int) -> int:
    return min(bundle.horizons, key=lambda h: (abs(h - wanted), h))


def _silent_days(history: History, partner_ids: Any, moment: Any) -> Any:
    """Days since the last value activity known then; NaN: there was none, so there is nothing to lose."""
    seen = history.activity.known(by=moment)
    last = seen[seen["event_at"] < moment].groupby("partner_id")["event_at"].max()
    since = moment - last.reindex(partner_ids)
    return (since / pd.Timedelta(days=1)).to_numpy(dtype=np.float64)


def _ended(history: History, ids: Any, moment: Any) -> Any:
    seen = history.terminations.known(by=moment)
    return np.isin(ids, seen.loc[seen["event_at"] < moment, "partner_id"].to_numpy(dtype=object))


def _managers(rows: Any, ids: Any, moment: Any) -> Any:
    """Who owned each partner then; empty: nobody."""
    if rows is None or not len(rows):
        return np.full(len(ids), "", dtype=object)
    known_at = rows["known_at"].fillna(rows["event_at"])
    seen = rows[(rows["event_at"] <= moment) & (known_at <= moment)]
    last = seen.sort_values(["event_at", "known_at"]).drop_duplicates("partner_id", keep="last")
    return last.set_index("partner_id")["manager_id"].reindex(ids).fillna("").to_numpy(dtype=object)
