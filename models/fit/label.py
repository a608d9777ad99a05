"""Success within 12 months of signing, and when that could be known.

A success is known no earlier than a failure: both wait for the whole horizon and the reporting lag, so that
who is in the training rows depends on the signing date alone. Younger partners are censored, never zeros; so
are those signed before the deals on record begin, whose first year nobody saw.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from models.fit.settings import FitSettings


def build_labels(
    signed: Any, deals: Any, *, settings: FitSettings, data_start: datetime, known_until: datetime
) -> Any:
    """Outcome of every partner whose first year was seen and is over.

    Args:
        signed: DataFrame[partner_id, signed_at].
        deals: DataFrame[deal_id, partner_id, status, sourced, margin_usd, event_at, known_at]; all versions.
        settings: What a success is.
        data_start: When the deals on record begin.
        known_until: Nothing known later is used.

    Returns:
        DataFrame[partner_id, signed_at, y: int8, won_count, margin_usd, known_at], sorted by partner_id.
    """
    known_at = signed["signed_at"] + pd.Timedelta(days=settings.known_after_days)
    seen = (signed["signed_at"] >= pd.Timestamp(data_start)) & (known_at <= pd.Timestamp(known_until))
    cohort = signed.assign(known_at=known_at)[seen].sort_values("partner_id", ignore_index=True)
    won = _first_year(cohort, deals, settings)
    counts = won.groupby("partner_id")["deal_id"].nunique().reindex(cohort["partner_id"], fill_value=0)
    margins = won.groupby("partner_id")["margin_usd"].sum(min_count=1).reindex(cohort["partner_id"])
    enough = counts.to_numpy() >= settings.least_won_count
    if won["margin_usd"].notna().any():
        enough &= margins.fillna(0.0).to_numpy() > settings.least_margin_usd
    return cohort.assign(
        y=enough.astype(np.int8), won_count=counts.to_numpy(), margin_usd=margins.to_numpy(dtype=np.float64)
    )


def _first_year(cohort: Any, deals: Any, settings: FitSettings) -> Any:
    """Won deals a partner brought itself within the horizon, in the version known when the label is."""
    by = cohort[["partner_id", "signed_at", "known_at"]].rename(columns={"known_at": "known_by"})
    joined = deals[deals["status"] == "won"].merge(by, on="partner_id")
    joined = joined[joined["known_at"] <= joined["known_by"]]
    joined = joined.sort_values(["deal_id", "known_at", "event_at"], kind="stable")
    # The last version wins before it is asked whether it counts: a correction can take a success back.
    joined = joined.drop_duplicates("deal_id", keep="last")
    joined = joined[joined["sourced"].map(lambda s: s is True or s == 1, na_action="ignore").eq(True)]
    after = joined["event_at"] - joined["signed_at"]
    inside = (after >= pd.Timedelta(0)) & (after < pd.Timedelta(days=settings.horizon_days))
    return joined[inside]
