"""Who is asked about at an `as_of`, from what was known then; and how long a silence is unusual for whom."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from models.churn.settings import ChurnSettings

LONG_GAP_QUANTILE = 0.9


def known(rows: Any, *, by: Any) -> Any:
    """Rows known by a moment: late ones left out, corrected ones in their last version.

    Versions are told apart by an optional column `record_key`; without it every row stands for itself. A last
    version without `event_at` says that the activity did not happen after all.
    """
    return _newest(in_order(rows), by=by)


def in_order(rows: Any) -> Any:
    """Versions of a record one after the other: sorted once, they can be asked about many dates.

    The last version wins; equal times are settled by the content, so that row order does not matter.
    """
    if "record_key" not in rows.columns:
        return rows
    return rows.sort_values(["record_key", "known_at", "event_at"], kind="stable")


def _newest(ordered: Any, *, by: Any) -> Any:
    """The same of rows that stand in order."""
    seen = ordered[ordered["known_at"] <= pd.Timestamp(by)]
    if "record_key" in seen.columns:
        seen = seen.drop_duplicates("record_key", keep="last")
    return seen.dropna(subset=["event_at"])


def build_cohort(activity: Any, terminations: Any, *, as_ofs: Sequence[date], settings: ChurnSettings) -> Any:
    """Partners eligible at each `as_of`: active within N days before it and not terminated, as known then.

    A partner whose agreement ended and who was active again afterwards is back.

    Args:
        activity: DataFrame[partner_id, event_at, known_at] of value activities.
        terminations: DataFrame[partner_id, event_at, known_at].
        as_ofs: Midnights UTC.
        settings: The mapping's churn section.

    Returns:
        DataFrame[partner_id: str, as_of: datetime64[us]], sorted.
    """
    activity, terminations = in_order(activity), in_order(terminations)
    parts = [_cohort_at(activity, terminations, pd.Timestamp(a), settings) for a in sorted(set(as_ofs))]
    return pd.concat(parts, ignore_index=True) if parts else _frame(np.array([], dtype=object), pd.NaT)


def _cohort_at(activity: Any, terminations: Any, as_of: Any, settings: ChurnSettings) -> Any:
    last = _last_before(activity, as_of)
    ended = _last_before(terminations, as_of)
    active = last[last >= as_of - pd.Timedelta(days=settings.active_within_days)]
    end = ended.reindex(active.index)
    eligible = active[end.isna() | (active > end)]
    return _frame(np.sort(eligible.index.to_numpy(dtype=object)), as_of)


def _last_before(rows: Any, as_of: Any) -> Any:
    seen = _newest(rows, by=as_of)
    return seen[seen["event_at"] < as_of].groupby("partner_id")["event_at"].max()


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
    seen = known(activity, by=as_of)
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
