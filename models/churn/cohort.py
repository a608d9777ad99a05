"""Who is asked about at an `as_of`, from what was known then; and how long a silence is unusual for whom."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from models.churn.settings import ChurnSettings
from models.versions import Versions

LONG_GAP_QUANTILE = 0.9


def build_cohort(activity: Any, terminations: Any, *, as_ofs: Sequence[date], settings: ChurnSettings) -> Any:
    """Partners eligible at each `as_of`: active within N days before it and not terminated, as known then.

    A partner whose agreement ended and who was active again afterwards is back.

    Args:
        activity: DataFrame[partner_id, event_at, known_at[, record_key]] of value activities, or `Versions`.
        terminations: The same, for agreements that ended.
        as_ofs: Midnights UTC.
        settings: The mapping's churn section.

    Returns:
        DataFrame[partner_id: str, as_of: datetime64[us]], sorted.
    """
    activity, terminations = Versions.of(activity), Versions.of(terminations)
    parts = [_cohort_at(activity, terminations, pd.Timestamp(a), settings) for a in sorted(set(as_ofs))]
    return pd.concat(parts, ignore_index=True) if parts else _frame(np.array([], dtype=object), pd.NaT)


def _cohort_at(activity: Versions, terminations: Versions, as_of: Any, settings: ChurnSettings) -> Any:
    last = activity.last_before(as_of)
    ended = terminations.last_before(as_of)
    active = last[last >= as_of - pd.Timedelta(days=settings.active_within_days)]
    end = ended.reindex(active.index)
    eligible = active[end.isna() | (active > end)]
    return _frame(np.sort(eligible.index.to_numpy(dtype=object)), as_of)


def _frame(partner_ids: Any, as_of: Any) -> Any:
    dates = pd.Series([as_of] * len(partner_ids), dtype="datetime64[us]")
    return pd.DataFrame({"partner_id": pd.Series(partner_ids, dtype=object), "as_of": dates})


def silence_days(activity: Any, partner_ids: Any, *, as_of: Any, settings: ChurnSettings) -> Any:
    """Length of a telling silence for each partner, from gaps known at `as_of`, in days (float64).

    Adaptive: the 0.9 quantile of the partner's own gaps between active days, shrunk toward the pooled one
    (weight `gap_shrinkage_count`), kept between floor and cap. A partner without gaps gets the pooled value.
    """
    if settings.silence != "adaptive":
        return np.full(len(partner_ids), float(settings.silence))
    seen = Versions.of(activity).known(by=as_of)
    seen = seen[seen["event_at"] < pd.Timestamp(as_of)]
    days = seen.assign(day=seen["event_at"].dt.floor("D"))[["partner_id", "day"]].drop_duplicates()
    days = days.sort_values(["partner_id", "day"])
    gap = (days.groupby("partner_id")["day"].diff() / pd.Timedelta(days=1)).dropna()
    by_partner = gap.groupby(days.loc[gap.index, "partner_id"])
    pooled = float(gap.quantile(LONG_GAP_QUANTILE)) if len(gap) else float(settings.silence_floor_days)
    count = by_partner.size().reindex(partner_ids, fill_value=0).to_numpy(dtype=np.float64)
    long_gap = (
        by_partner.quantile(LONG_GAP_QUANTILE).reindex(partner_ids).fillna(0).to_numpy(dtype=np.float64)
    )
    weight = settings.gap_shrinkage_count
    shrunken = (count * long_gap + weight * pooled) / (count + weight)
    # Rounded first: 250.00000000000003 days are 250.
    return np.clip(np.ceil(shrunken.round(6)), settings.silence_floor_days, settings.silence_cap_days)
