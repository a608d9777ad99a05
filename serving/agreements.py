"""Whose agreement has ended, as the lake knows it; read anew whenever its manifest has changed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from threading import Lock

Row = tuple[str, datetime, datetime]


class Agreements:
    """Ends of agreements.

    Args:
        lake: Folder of the lake; need not exist.
    """

    def __init__(self, lake: Path) -> None:
        self._lake, self._lock = lake, Lock()
        self._mark: tuple[int, int] | None = None
        self._ends: tuple[Row, ...] = ()

    def ended(self, *, at: datetime) -> Mapping[str, str]:
        """Partner → day its agreement ended (ISO text), for the ends known and past at a moment."""
        return {p: ended.date().isoformat() for p, ended, known in self._rows() if ended < at and known <= at}

    def _rows(self) -> tuple[Row, ...]:
        mark = self._manifest()
        with self._lock:
            if mark != self._mark:
                self._ends, self._mark = (_read(self._lake) if mark else ()), mark
            return self._ends

    def _manifest(self) -> tuple[int, int] | None:
        try:
            found = (self._lake / "manifest.json").stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size


def _read(folder: Path) -> tuple[Row, ...]:
    from data.lake import Lake
    from features.cohort import terminations

    rows = terminations(Lake(folder)).dropna(subset=["event_at"]).sort_values("event_at", kind="stable")
    known = rows["known_at"].fillna(rows["event_at"])
    columns = zip(rows["partner_id"].astype(str), rows["event_at"], known, strict=True)
    return tuple((p, ended.to_pydatetime(), at.to_pydatetime()) for p, ended, at in columns)
