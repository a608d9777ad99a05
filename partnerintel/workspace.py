"""Where things lie in a workspace."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from data.errors import ConfigError

CONFIG_NAME = "partnerintel.yaml"


@dataclass(frozen=True)
class Workspace:
    """The folder given with `-w`; the layout is documented in docs/reference/workspace.md."""

    root: Path

    @property
    def config(self) -> Path:
        """The authored settings."""
        return self.root / CONFIG_NAME

    @property
    def lake(self) -> Path:
        """Canonical rows."""
        return self.root / "lake"

    @property
    def features(self) -> Path:
        """Feature snapshots and buckets."""
        return self.root / "features"

    @property
    def reports(self) -> Path:
        """Evaluation reports, one folder a model."""
        return self.root / "reports"

    def report(self, model: str, version: int, suffix: str) -> Path:
        """Path of one evaluation report."""
        return self.reports / model / f"{version}.{suffix}"


def open_workspace(root: Path) -> Workspace:
    """The workspace at `root`.

    Raises:
        ConfigError: There is no partnerintel.yaml in it.
    """
    workspace = Workspace(root.resolve())
    if not workspace.config.is_file():
        raise ConfigError(
            f"No {CONFIG_NAME} in {root}.",
            allowed="a folder made by `partnerintel init DIR`",
            next_step=f"Run `partnerintel init {root}` and point the mapping at your tables.",
        )
    return workspace
