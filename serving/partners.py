"""Where partner features come from: the online store, else the last known here, else the bento's seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from serving.lastknown import read_json, write_json
from serving.view import Partners

NOTE = "partners.json"


class FeatureSource(Protocol):
    """The live side: the feature store and the lake."""

    def version(self) -> str:
        """Changes whenever the newest features may have changed; cheap. Empty: there is no store."""
        ...

    def load(self) -> Any:
        """The newest features of every partner: features.matrix.FeatureMatrix."""
        ...

    def managers(self, *, now: datetime) -> Mapping[str, str]:
        """Partner to manager."""
        ...


@dataclass(frozen=True)
class Shelter:
    """A folder with last-known features: the matrix, who manages whom, and when that was confirmed.

    Attributes:
        matrix: Folder that features.matrix reads and writes.
        note: File with managers and the time of confirmation.
    """

    matrix: Path
    note: Path

    def read(self) -> Partners | None:
        """What is kept, marked as degraded; None when there is nothing usable."""
        note = read_json(self.note)
        if not isinstance(note, dict):
            return None
        from features.matrix import read_matrix

        matrix = read_matrix(self.matrix)
        if matrix is None:
            return None
        confirmed = datetime.fromisoformat(note["confirmed_at"])
        return Partners(matrix, note["managers"], confirmed, degraded=True)

    def write(self, partners: Partners, *, with_matrix: bool) -> None:
        """Keep features that the store just confirmed."""
        from features.matrix import save_matrix

        if with_matrix:
            save_matrix(partners.matrix, self.matrix)
        confirmed = partners.confirmed_at.isoformat()
        write_json(self.note, {"confirmed_at": confirmed, "managers": dict(partners.managers)})


class LivePartners:
    """Finds the features that should serve.

    Args:
        source: None where no feature store is configured.
        shelter: Where the last-known features are kept.
        seed: The bento's; None outside a bento.
        clock: Naive UTC time.
        note_every_seconds: How often an unchanged confirmation is written to disk.
        matrix_every_seconds: How often a matrix that changes all the time is written to disk.
    """

    def __init__(
        self,
        source: FeatureSource | None,
        *,
        shelter: Shelter,
        seed: Shelter | None,
        clock: Callable[[], datetime],
        note_every_seconds: float = 300.0,
        matrix_every_seconds: float = 60.0,
    ) -> None:
        self._source, self._shelter, self._seed, self._clock = source, shelter, seed, clock
        self._note_every = note_every_seconds
        self._version = ""
        self._noted_at: datetime | None = None
        self._matrix_every = matrix_every_seconds
        self._matrix_at: datetime | None = None
        self._unsaved = False

    def latest(self, current: Partners | None) -> tuple[Partners | None, str]:
        """Features that should serve now, and the fault or ''."""
        if self._source is None:
            return current or self._kept(), ""
        try:
            version = self._source.version()
            if not version:
                kept = self._last_known(current)
                # Where nothing ever was, a missing store is no fault: models of ready-made columns need none.
                return kept, "there is no feature store" if kept else ""
            return self._confirmed(self._source, current, version=version), ""
        except Exception as error:
            fault = f"the feature store cannot be read ({type(error).__name__})"
            return self._last_known(current), fault

    def _last_known(self, current: Partners | None) -> Partners | None:
        kept = current or self._kept()
        return kept if kept is None or kept.degraded else replace(kept, degraded=True)

    def _confirmed(self, source: FeatureSource, current: Partners | None, *, version: str) -> Partners | None:
        now = self._clock()
        if current is not None and not current.degraded and version == self._version:
            confirmed = replace(current, confirmed_at=now)
            if self._unsaved or _passed(self._noted_at, now, self._note_every):
                self._keep(confirmed)
            return confirmed
        matrix = source.load()
        if matrix is None or not matrix.partner_ids:
            return current or self._kept()
        fresh = Partners(matrix, source.managers(now=now), now)
        self._unsaved |= current is None or current.matrix.version != matrix.version
        self._keep(fresh)
        self._version = version
        return fresh

    def _keep(self, partners: Partners) -> None:
        """On disk; a matrix of which a version was written a moment ago waits for its turn."""
        now = partners.confirmed_at
        with_matrix = self._unsaved and _passed(self._matrix_at, now, self._matrix_every)
        if not with_matrix and not _passed(self._noted_at, now, self._note_every):
            return
        self._shelter.write(partners, with_matrix=with_matrix)
        self._noted_at = now
        if with_matrix:
            self._matrix_at, self._unsaved = now, False

    def _kept(self) -> Partners | None:
        return self._shelter.read() or (self._seed.read() if self._seed else None)


def _passed(since: datetime | None, now: datetime, seconds: float) -> bool:
    return since is None or (now - since).total_seconds() >= seconds
