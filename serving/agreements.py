"""Whose agreement has ended, as the lake knows it; read anew whenever its manifest has changed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from serving.followed import Followed

Row = tuple[str, datetime, datetime]


class Agreements:
    """Ends of agreements.

    Args:
        lake: Folder of the lake; need not exist.
    """

    def __init__(self, lake: Path) -> None:
        self._ends = Followed[tuple[Row, ...]](lake / "manifest.json", lambda: _read(lake), empty=())

    def ended(self, *, at: datetime) -> Mapping[str, str]:
        """Partner → day its agreement ended (ISO text), for the ends known and past at a moment."""
        return {p: ended.date().isoformat() for p, ended, known in self._ends() if ended < at and known <= at}


def _read(folder: Path) -> tuple[Row, ...]:
    from data.lake import Lake
    from features.cohort import terminations

    rows = terminations(Lake(folder)).dropna(subset=["event_at"]).sort_values("event_at", kind="stable")
    known = rows["known_at"].fillna(rows["event_at"])
    columns = zip(rows["partner_id"].astype(str), rows["event_at"], known, strict=True)
    return tuple((p, ended.to_pydatetime(), at.to_pydatetime()) for p, ended, at in columns)
