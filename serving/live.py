"""The live sides of a workspace: model registry, feature store, lake. Imported late: they are heavy."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from data.errors import NotFoundError


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
    """Reads the online store into one matrix.

    Args:
        workspace: The workspace.
        config: Its parsed settings.
    """

    def __init__(self, workspace: Path, config: Mapping[str, Any]) -> None:
        self._workspace, self._config = workspace, config
        self._store: Any = None

    def version(self) -> str:
        """Changes with the online store and the lake; empty where there is no store."""
        return ""

    def load(self) -> Any:
        """The newest features of every partner."""
        raise NotImplementedError

    def managers(self, *, now: datetime) -> Mapping[str, str]:
        """Partner to manager, from the lake."""
        from data.lake import Lake
        from serving.managers import managers_at

        return managers_at(Lake(self._workspace / "lake").read("partner_managers"), now=now)
