"""Dated records in all their versions, and what of them was known by a date."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd


class Versions:
    """Rows put in order once, and asked about many dates.

    Versions of a record stand one after the other. The last known one counts; equal times are settled by the
    content, so that row order does not matter. Without a column `record_key` every row stands for itself.

    Args:
        rows: DataFrame[event_at, known_at[, record_key], ...].
    """

    def __init__(self, rows: Any) -> None:
        self._runs = np.arange(len(rows))
        if "record_key" in rows.columns:
            rows = rows.sort_values(["record_key", "known_at", "event_at"], kind="stable")
            key = rows["record_key"].to_numpy(dtype=object)
            self._runs[1:] = (key[1:] != key[:-1]).cumsum()
        self._rows = rows
        self._known_at = rows["known_at"].to_numpy()

    @classmethod
    def of(cls, rows: Any) -> Versions:
        """These rows; those that were put in order already as they are."""
        return rows if isinstance(rows, Versions) else cls(rows)

    def known(self, *, by: Any) -> Any:
        """Rows known by a moment: late ones left out, corrected ones in their last version.

        A last version without `event_at` says that the activity did not happen after all.
        """
        at = np.flatnonzero(self._known_at <= pd.Timestamp(by).to_datetime64())
        runs = self._runs[at]
        newest = at[np.append(runs[1:] != runs[:-1], True)] if len(at) else at
        return self._rows.iloc[newest].dropna(subset=["event_at"])

    def last_before(self, as_of: Any) -> Any:
        """Partner → time of the last row before a date, as known then."""
        seen = self.known(by=as_of)
        return seen[seen["event_at"] < as_of].groupby("partner_id")["event_at"].max()
