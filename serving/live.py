"""The live sides of a workspace: model registry, feature store, lake. Imported late: they are heavy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from data.errors import MissingDataError, NotFoundError

FEEDS = ("feast/materialised.json", "features/feeds.parquet")
WATCHED = (
    "feast/materialised.json",
    "feast/online.db",
    "feast/online.db-wal",
    "features/feeds.parquet",
    "lake/manifest.json",
)


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

    @cached_property
    def _store(self) -> Any:
        from features.settings import FeatureSettings
        from features.store import FeatureStore

        return FeatureStore(FeatureSettings.from_config(self._config), self._workspace)

    def version(self) -> str:
        """Changes with the store's files and the lake; empty where nothing was ever materialised.

        A store on another machine has no file to look at: it is read again every minute.

        Raises:
            MissingDataError: The store was there and is gone.
        """
        feast = self._workspace / "feast"
        if not (feast / "materialised.json").is_file():
            return ""
        now = self._clock()
        marks: list[object] = [self._silent(now)]
        if self._store.settings.online.type == "sqlite":
            if not (feast / "online.db").is_file():
                raise MissingDataError("The online store is gone.", next_step="Run `partnerintel features`.")
        else:
            marks.append(now.replace(second=0, microsecond=0))
        return str([*marks, *(_mark(self._workspace / name) for name in WATCHED)])

    def _silent(self, now: datetime) -> list[str]:
        """Views whose feed is silent by now: that changes with time alone, and to the second."""
        from features.freshness import read_feed_states, stale_views
        from features.layout import feeds_path

        marks = tuple(_mark(self._workspace / name) for name in FEEDS)
        if self._feeds is None or self._feeds[0] != marks:
            newest = self._store.materialised()
            path = feeds_path(self._workspace / "features")
            self._feeds = (marks, read_feed_states(path, as_of=newest[0] if newest else None))
        return sorted(stale_views(self._feeds[1], as_of=now, settings=self._store.settings))

    def load(self) -> Any:
        """The newest features of every partner."""
        from features.matrix import load_matrix

        return load_matrix(self._store, now=self._clock())

    def managers(self, *, now: datetime) -> Mapping[str, str]:
        """Partner to manager."""
        from data.lake import Lake
        from serving.managers import managers_at

        lake = Lake(self._workspace / "lake")
        return managers_at(lake.read("partner_managers"), now=now) if lake.has("partner_managers") else {}


def _mark(path: Path) -> tuple[int, int] | None:
    """Time and size of a file; None when it is not there."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_size
