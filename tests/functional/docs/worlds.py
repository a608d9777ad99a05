"""Data that pages speak of as the reader's own."""

from __future__ import annotations

import numpy as np
import pandas as pd


def panel(resellers: int = 150, dates: int = 9) -> pd.DataFrame:
    """Resellers × quarters, with a column that was filled in after the outcome."""
    rng = np.random.default_rng(3)
    days = pd.date_range("2023-01-01", periods=dates, freq="91D")
    keys = [(f"R{i:03d}", day) for day in days for i in range(resellers)]
    frame = pd.DataFrame(keys, columns=["reseller_id", "snapshot_date"])
    size = len(frame)
    effort = rng.normal(size=size)
    leaves = rng.uniform(size=size) < 1 / (1 + np.exp(1.6 + 1.5 * effort))
    return frame.assign(
        revenue=np.round(1000 * np.exp(0.5 * effort + 0.3 * rng.normal(size=size)), 2),
        portal_visits=rng.poisson(np.exp(1 + 0.6 * effort)),
        country=rng.choice(["DE", "AT", "CH"], size),
        orders_next_quarter=np.where(leaves, 0, 5),
        churned=np.where(leaves, "Yes", "No"),
    )
