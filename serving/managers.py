"""Who manages which partner, as known now."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any


def managers_at(frame: Any, *, now: datetime) -> Mapping[str, str]:
    """Partner to manager.

    Args:
        frame: Canonical `partner_managers` rows, all versions, with `row_hash`.
        now: Rows that began or became known later do not count.

    Returns:
        For each partner the manager of the newest row valid now.
    """
    known = frame["known_at"].fillna(frame["event_at"])
    rows = frame.assign(known_at=known)
    rows = rows[(rows["event_at"] <= now) & (rows["known_at"] <= now)]
    # A correction is a later-known row of the same start; the greatest (known_at, row_hash) holds.
    newest = rows.sort_values(["partner_id", "event_at", "known_at", "row_hash"])
    last = newest.drop_duplicates("partner_id", keep="last")
    return dict(zip(last["partner_id"].astype(str), last["manager_id"].astype(str), strict=True))
