"""What every process of the project runs under; set at the edge, before the heavy libraries are imported."""

from __future__ import annotations

import os
import time

ENVIRONMENT = {
    "TZ": "UTC",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "DO_NOT_TRACK": "true",
    "BENTOML_DO_NOT_TRACK": "True",
    "FEAST_USAGE": "False",
    "UV_PYTHON_DOWNLOADS": "never",
    "OMP_NUM_THREADS": "1",
}


def prepare() -> None:
    """Set the environment of this process and of its children: UTC, one thread, no telemetry."""
    os.environ.update(ENVIRONMENT)
    time.tzset()
