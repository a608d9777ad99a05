"""The settings of a workspace: partnerintel.yaml read once, each package given its own section."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.mapping import DataSettings, parse_settings, read_config
from evaluation.settings import EvaluationSettings
from features.settings import FeatureSettings
from models.alerts.settings import AlertSettings
from models.churn.settings import ChurnSettings
from models.fit.settings import FitSettings
from models.routing.settings import RoutingSettings
from models.scorecard import Scorecard
from models.tiering.settings import TieringSettings
from partnerintel.workspace import Workspace, open_workspace
from serving.settings import ServingSettings
from training.settings import TrainingSettings

if TYPE_CHECKING:
    from models.registry import Registry


@dataclass(frozen=True)
class Project:
    """A workspace and its settings, composed of each package's own."""

    workspace: Workspace
    data: DataSettings
    features: FeatureSettings
    churn: ChurnSettings
    tiers: TieringSettings
    fit: FitSettings
    scorecards: Mapping[str, Scorecard]
    training: TrainingSettings
    evaluation: EvaluationSettings
    serving: ServingSettings
    alerts: AlertSettings
    routing: RoutingSettings

    def registry(self) -> Registry:
        """The model registry; made when there is none."""
        from models.registry import Registry, RegistrySettings

        return Registry(RegistrySettings(root=self.workspace.root))

    def registry_if_any(self) -> Registry | None:
        """The model registry, or None where nothing was ever trained: looking must not write."""
        return self.registry() if (self.workspace.root / "registry.db").is_file() else None


def open_project(root: Path) -> Project:
    """Read and check the settings of the workspace at `root`.

    Raises:
        ConfigError: No workspace there, or a setting that cannot be used; the message names its place.
    """
    workspace = open_workspace(root)
    config: dict[str, Any] = read_config(workspace.root)

    def section(kind: Any, name: str) -> Any:
        return parse_settings(kind, config.get(name) or {}, at=name)

    scorecards = config.get("scorecards") or {}
    return Project(
        workspace=workspace,
        data=DataSettings.from_config(config),
        features=FeatureSettings.from_config(config),
        churn=section(ChurnSettings, "churn"),
        tiers=section(TieringSettings, "tiers"),
        fit=section(FitSettings, "fit"),
        scorecards={
            name: parse_settings(Scorecard, card, at=f"scorecards.{name}")
            for name, card in scorecards.items()
        },
        training=section(TrainingSettings, "training"),
        evaluation=section(EvaluationSettings, "evaluation"),
        serving=section(ServingSettings, "serving"),
        alerts=section(AlertSettings, "alerts"),
        routing=section(RoutingSettings, "routing"),
    )
