"""Money that leaves with a partner: the margin of the last year, in integer cents."""

from __future__ import annotations

from typing import Any

import numpy as np

MARGIN, AMOUNT = "won_margin_usd_365d", "won_amount_usd_365d"
USUAL_MARGIN_SHARE = 0.2
"""Margin where only the value won is known."""


def margin_at_risk_cents(frame: Any) -> Any:
    """Margin at risk of each row.

    Args:
        frame: DataFrame of features; the two columns may be absent.

    Returns:
        int64 (n,), never negative: last year's margin; a fifth of the value won where the margin is not
        known; 0 where nothing is.
    """
    missing = np.full(len(frame), np.nan)
    margin, amount = (
        frame[c].to_numpy(dtype=np.float64) if c in frame.columns else missing for c in (MARGIN, AMOUNT)
    )
    # A margin of exactly 0 beside a value above 0 is a margin nobody filled in.
    unknown = np.isnan(margin) | ((margin == 0) & (amount > 0))
    value = np.where(unknown, USUAL_MARGIN_SHARE * amount, margin)
    return np.rint(100 * np.clip(np.nan_to_num(value), 0, None)).astype(np.int64)
