"""Labels of potential: what each partner contributed in the twelve months after `as_of`.

A contribution covers [as_of, as_of + horizon) and is known after horizon + reporting lag. A window that
reaches past the end of what is known has no label: it is censored, never zero. A partner that left in the
window contributed what it did until then; that is its potential, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd

from models.tiering.settings import TieringSettings
from models.versions import Versions

DAY = np.timedelta64(1, "D")
CENTS = 100.0
COLUMNS = ("partner_id", "as_of", "horizon_days", "y", "known_at")


def build_cohort(
    agreements: Any, activity: Any, terminations: Any, *, as_ofs: Sequence[date], settings: TieringSettings
) -> Any:
    """Partners asked about at each date: under agreement, as known then.

    One whose agreement ended and who signed or was active again afterwards is back.

    Args:
        agreements: DataFrame[partner_id, event_at, known_at, record_key], dated at the signature.
        activity: The same, of won and registered deals.
        terminations: The same, of agreements that ended.
        as_ofs: Midnights UTC.
        settings: Whether recent activity is asked for, too.

    Returns:
        DataFrame[partner_id: str, as_of: datetime64[us]], sorted by date and partner.
    """
    given = tuple(Versions.of(rows) for rows in (agreements, activity, terminations))
    parts = [_cohort_at(*given, as_of=pd.Timestamp(a), settings=settings) for a in sorted(set(as_ofs))]
    empty = pd.DataFrame({"partner_id": pd.Series(dtype=object), "as_of": pd.Series(dtype="datetime64[us]")})
    return pd.concat(parts or [empty], ignore_index=True)


def _cohort_at(
    agreements: Versions,
    activity: Versions,
    terminations: Versions,
    *,
    as_of: Any,
    settings: TieringSettings,
) -> Any:
    signed, last, ended = (rows.last_before(as_of) for rows in (agreements, activity, terminations))
    alive = pd.concat([signed, last.reindex(signed.index)], axis=1).max(axis=1)
    if settings.active_within_days is not None:
        recent = last[last >= as_of - pd.Timedelta(days=settings.active_within_days)]
        alive = alive[alive.index.isin(recent.index)]
    end = ended.reindex(alive.index)
    kept = np.sort(alive[end.isna() | (alive > end)].index.to_numpy(dtype=object))
    dates = pd.Series([as_of] * len(kept), dtype="datetime64[us]")
    return pd.DataFrame({"partner_id": pd.Series(kept, dtype=object), "as_of": dates})


def build_labels(contributions: Any, cohort: Any, *, settings: TieringSettings, known_until: datetime) -> Any:
    """Contribution of every cohort row whose window is known.

    Args:
        contributions: DataFrame[partner_id, event_at, known_at, record_key, amount_usd], every version.
        cohort: DataFrame[partner_id, as_of].
        settings: Horizon and lag.
        known_until: Nothing known later is used.

    Returns:
        DataFrame[partner_id, as_of, horizon_days, y: US dollars ≥ 0, known_at].
    """
    parts, versions = [], Versions.of(contributions)
    for as_of, rows in cohort.groupby("as_of", sort=True):
        known_at = as_of + pd.Timedelta(days=settings.known_after_days)
        if known_at > pd.Timestamp(known_until):
            continue
        seen = versions.known(by=known_at)
        end = as_of + pd.Timedelta(days=settings.horizon_days)
        within = seen[(seen["event_at"] >= as_of) & (seen["event_at"] < end)]
        # Whole cents, so that the order of rows changes no bit.
        cents = (within["amount_usd"].fillna(0.0) * CENTS).round().astype("int64")
        total = cents.groupby(within["partner_id"]).sum()
        y = rows["partner_id"].map(total).fillna(0).to_numpy(dtype=float) / CENTS
        labelled = {"horizon_days": settings.horizon_days, "y": np.maximum(y, 0.0), "known_at": known_at}
        parts.append(rows[["partner_id", "as_of"]].assign(**labelled))
    if not parts:
        return pd.DataFrame({c: pd.Series(dtype=object) for c in COLUMNS})
    found = pd.concat(parts, ignore_index=True)
    return found.astype({"as_of": "datetime64[us]", "known_at": "datetime64[us]"})
