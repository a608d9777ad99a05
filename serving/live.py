"""The live sides of a workspace: model registry, feature store, lake. Imported late: they are heavy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from data.errors import MissingDataError, NotFoundError
from serving.lastknown import mark

FEEDS = ("feast/materialised.json", "features/feeds.parquet")
WATCHED = ("feast/materialised.json", "features/feeds.parquet", "lake/manifest.json")


class LiveRegistry:
    """The registry of a workspace, which may be made, or go missing, while the service runs.

    Args:
        workspace: The workspace.
    """

    def __init__(self, workspace: Path) -> None:
        self._workspace = workspace

    def names(self) -> list[str]:
        """Models to look for: the authored ones and the registered ones."""
        from models.catalog import specs

        registry = self._open()
        return sorted({*specs(), *(registry.models() if registry else ())})

    def champion(self, model: str) -> Any:
        """The champion of a model, or None."""
        registry = self._open()
        return registry.champion(model) if registry else None

    def fetch(self, model: str, version: int) -> Path:
        """Folder of a verified local copy.

        Raises:
            NotFoundError: There is no registry, or no such version in it.
        """
        registry = self._open()
        if registry is None:
            raise NotFoundError("There is no model registry in the workspace.")
        folder: Path = registry.fetch(model, version)
        return folder

    def _open(self) -> Any:
        # Opening would make an empty database where there is none.
        if not (self._workspace / "registry.db").is_file():
            return None
        from models.registry import Registry, RegistrySettings

        return Registry(RegistrySettings(root=self._workspace))


class LiveFeatures:
    """Reads the online store into one matrix, and who manages whom from the lake.

    Args:
        workspace: The workspace.
        config: Its parsed settings.
        clock: Naive UTC time.
    """

    def __init__(self, workspace: Path, config: Mapping[str, Any], *, clock: Callable[[], datetime]) -> None:
        self._workspace, self._config, self._clock = workspace, config, clock
        self._feeds: tuple[object, Any] | None = None
        self._managers: tuple[object, Mapping[str, str]] | None = None

    @cached_property
    def _store(self) -> Any:
        from features.settings import FeatureSettings
        from features.store import FeatureStore

        return FeatureStore(FeatureSettings.from_config(self._config), self._workspace)

    def version(self) -> str:
        """Changes with the store's journal and the lake; empty where nothing was ever materialised.

        A store on another machine may be written to without our journal: it is read again every minute.

        Raises:
            MissingDataError: The store was there and is gone.
        """
        feast = self._workspace / "feast"
        if not (feast / "materialised.json").is_file():
            return ""
        now = self._clock()
        marks = (self._silent(now), self._base(now), self._store.journal.head())
        return str([*marks, *(mark(self._workspace / name) for name in WATCHED)])

    def _base(self, now: datetime) -> object:
        """While this stays the same, the journal tells all that changes in the store."""
        feast = self._workspace / "feast"
        written = mark(feast / "materialised.json")
        if self._store.settings.online.type != "sqlite":
            return written, now.replace(second=0, microsecond=0)
        try:
            return written, (feast / "online.db").stat().st_ino
        except FileNotFoundError:
            raise MissingDataError(
                "The online store is gone.", next_step="Run `partnerintel features`."
            ) from None

    def _silent(self, now: datetime) -> list[str]:
        """Views whose feed is silent by now: that changes with time alone, and to the second."""
        from features.freshness import read_feed_states, stale_views
        from features.layout import feeds_path

        marks = tuple(mark(self._workspace / name) for name in FEEDS)
        if self._feeds is None or self._feeds[0] != marks:
            newest = self._store.materialised()
            path = feeds_path(self._workspace / "features")
            self._feeds = (marks, read_feed_states(path, as_of=newest[0] if newest else None))
        return sorted(stale_views(self._feeds[1], as_of=now, settings=self._store.settings))

    def load(self) -> Any:
        """The newest features of every partner."""
        now = self._clock()
        return self._matrix.load(now=now, base=self._base(now))

    @cached_property
    def _matrix(self) -> Any:
        from features.matrix import FollowedMatrix

        return FollowedMatrix(self._store)

    def managers(self, *, now: datetime) -> Mapping[str, str]:
        """Partner to manager; the lake is read when it changed, and once a minute: owners come and go."""
        from data.lake import Lake
        from serving.managers import managers_at

        key = (mark(self._workspace / "lake" / "manifest.json"), now.replace(second=0, microsecond=0))
        if self._managers is None or self._managers[0] != key:
            lake = Lake(self._workspace / "lake")
            owners = lake.read("partner_managers") if lake.has("partner_managers") else None
            self._managers = (key, managers_at(owners, now=now) if owners is not None else {})
        return self._managers[1]
