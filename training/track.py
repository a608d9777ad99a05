"""Runs in MLflow: what was fitted on what, and how it did."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Tracker:
    """Records runs in the SQL store; MLflow is imported on first use.

    Attributes:
        tracking_uri: SQL store.
        artifact_uri: Folder of artifacts.
    """

    tracking_uri: str
    artifact_uri: str

    def begin(self, model: str, *, params: Mapping[str, Any], tags: Mapping[str, str]) -> str:
        """A new run of the model's experiment; returns its id."""
        from mlflow.entities import Param, RunTag

        client = self._client()
        found = client.get_experiment_by_name(model)
        experiment = (
            found.experiment_id if found else client.create_experiment(model, f"{self.artifact_uri}/{model}")
        )
        run = str(client.create_run(experiment).info.run_id)
        given = [Param(str(k), str(v)) for k, v in params.items()]
        client.log_batch(run, params=given, tags=[RunTag(k, v) for k, v in tags.items()])
        return run

    def metrics(self, run: str, values: Mapping[str, float]) -> None:
        """Record metrics. MLflow takes NaN without a word; here only finite numbers are recorded."""
        from mlflow.entities import Metric

        finite = {k: float(v) for k, v in values.items() if math.isfinite(v)}
        self._client().log_batch(run, metrics=[Metric(k, v, 0, 0) for k, v in sorted(finite.items())])

    def artifact(self, run: str, path: Path) -> None:
        """Keep a file with the run."""
        self._client().log_artifact(run, str(path))

    def end(self, run: str) -> None:
        """The run is complete."""
        self._client().set_terminated(run)

    def _client(self) -> Any:
        if self.tracking_uri.startswith("sqlite:///"):
            Path(self.tracking_uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
        from mlflow.tracking import MlflowClient

        return MlflowClient(tracking_uri=self.tracking_uri, registry_uri=self.tracking_uri)
