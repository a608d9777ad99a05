"""MLflow runs: what was tried, with what result; the library and a SQLite store, no server."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol


class Tracker(Protocol):
    """Where runs are recorded."""

    def start(self, model: str, /, *, tags: Mapping[str, str], parent: str | None = None) -> str:
        """Begin a run and return its id."""
        ...

    def log(
        self,
        run_id: str,
        *,
        params: Mapping[str, Any] | None = None,
        metrics: Mapping[str, float] | None = None,
    ) -> None:
        """Record parameters and metrics."""
        ...

    def attach(self, run_id: str, path: Path, /, *, folder: str) -> None:
        """Keep a file or a folder with the run."""
        ...

    def finish(self, run_id: str, /, *, failed: bool = False) -> None:
        """End the run."""
        ...


class NoTracker:
    """Records nothing."""

    def start(self, _model: str, *, tags: Mapping[str, str], parent: str | None = None) -> str:
        """An empty id."""
        del tags, parent
        return ""

    def log(
        self,
        _run_id: str,
        *,
        params: Mapping[str, Any] | None = None,
        metrics: Mapping[str, float] | None = None,
    ) -> None:
        """Nothing."""
        del params, metrics

    def attach(self, _run_id: str, _path: Path, *, folder: str) -> None:
        """Nothing."""
        del folder

    def finish(self, _run_id: str, *, failed: bool = False) -> None:
        """Nothing."""
        del failed


class MlflowTracker:
    """Runs in the workspace's MLflow store; the experiment has the model's name.

    Args:
        root: Workspace; the store is `mlflow/mlflow.db`, artifacts lie in `mlflow/artifacts`.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._opened: Any = None

    def start(self, model: str, *, tags: Mapping[str, str], parent: str | None = None) -> str:
        """Begin a run; with `parent`, nested under it."""
        client = self._client()
        found = client.get_experiment_by_name(model)
        where = (self.root / "mlflow" / "artifacts" / model).resolve().as_uri()
        experiment = found.experiment_id if found else client.create_experiment(model, where)
        nested = {"mlflow.parentRunId": parent} if parent else {}
        return str(client.create_run(experiment, tags={**tags, **nested}).info.run_id)

    def log(
        self,
        run_id: str,
        *,
        params: Mapping[str, Any] | None = None,
        metrics: Mapping[str, float] | None = None,
    ) -> None:
        """Record; a metric that is not finite is left out, since the store would take NaN for a number."""
        from mlflow.entities import Metric, Param

        known = {k: float(v) for k, v in (metrics or {}).items() if math.isfinite(v)}
        self._client().log_batch(
            run_id,
            params=[Param(k, str(v)) for k, v in (params or {}).items()],
            metrics=[Metric(k, v, 0, 0) for k, v in known.items()],
        )

    def attach(self, run_id: str, path: Path, *, folder: str) -> None:
        """Keep a file or all files of a folder."""
        if path.is_dir():
            self._client().log_artifacts(run_id, str(path), folder)
        else:
            self._client().log_artifact(run_id, str(path), folder)

    def finish(self, run_id: str, *, failed: bool = False) -> None:
        """End the run."""
        self._client().set_terminated(run_id, "FAILED" if failed else "FINISHED")

    def _client(self) -> Any:
        if self._opened is None:
            (self.root / "mlflow").mkdir(parents=True, exist_ok=True)
            os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
            from mlflow.tracking import MlflowClient

            uri = f"sqlite:///{(self.root / 'mlflow' / 'mlflow.db').resolve()}"
            self._opened = MlflowClient(tracking_uri=uri, registry_uri=uri)
        return self._opened
