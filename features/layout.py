"""Where feature files lie in a workspace, and the columns they carry beside the features."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path

from features.catalog import VIEWS

CREATED = "created_at"
EVENT_US = "{}__event_us"
SEQUENCE = "{}__sequence"


def snapshot_folder(features_root: Path, view: str) -> Path:
    """Folder of the snapshots of a view."""
    return features_root / "snapshots" / view


def snapshot_path(features_root: Path, view: str, as_of: date) -> Path:
    """The snapshot of a view at a date."""
    return snapshot_folder(features_root, view) / f"as_of={as_of.isoformat()}.parquet"


def saved_as_ofs(features_root: Path, *, views: Iterable[str] = VIEWS) -> list[date]:
    """Dates of which each of these views has a snapshot on disk, ascending.

    A build that was killed leaves dates that only some views have: those are not there yet.
    """
    found = [
        {p.stem.removeprefix("as_of=") for p in snapshot_folder(features_root, v).glob("as_of=*.parquet")}
        for v in views
    ]
    return sorted(map(date.fromisoformat, set.intersection(*found)))


def feeds_path(features_root: Path) -> Path:
    """States of the feeds at each date."""
    return features_root / "feeds.parquet"
