"""What every process of the project runs under; set at the edge, before the heavy libraries are imported."""

from __future__ import annotations

import logging
import os
import sys
import time
import warnings
from pathlib import Path
from typing import TextIO

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
OURS = ("data", "features", "models", "training", "evaluation", "serving", "partnerintel")
ROOT = Path(__file__).resolve().parents[1]
CHATTY = ("alembic", "mlflow", "feast", "bentoml", "optuna", "shap", "matplotlib", "fsspec", "numba")


def prepare() -> None:
    """Set the environment of this process and of its children: UTC, one thread, no telemetry."""
    os.environ.update(ENVIRONMENT)
    time.tzset()


def hush() -> None:
    """Keep what libraries tell their developers off the user's terminal; warnings of our own stay.

    A library's warning about its own use of another library says nothing to the person at the terminal, and
    neither does its progress at level INFO. `--debug` leaves everything on.
    """
    os.environ["MLFLOW_LOGGING_LEVEL"] = "WARNING"
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    # Not by filters: libraries put their own in front of ours when they are imported.
    warnings.showwarning = _ours_only


def _ours_only(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Show a warning that a module of ours gave or caused."""
    path = Path(filename)
    if path.is_relative_to(ROOT) and path.relative_to(ROOT).parts[0] in OURS:
        text = warnings.formatwarning(message, category, filename, lineno, line)
        (file or sys.stderr).write(text)
