"""Serving a workspace, and building a bento that carries it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from datetime import datetime
from pathlib import Path

from data.errors import ConfigError
from partnerintel.settings import Project

REPOSITORY = Path(__file__).resolve().parents[1]


def serve(project: Project, *, host: str | None, port: int | None) -> int:
    """Serve until SIGTERM or Ctrl-C; returns the exit code."""
    from serving.server import serve as run

    changes = {k: v for k, v in {"host": host, "port": port}.items() if v is not None}
    return run(project.workspace.root, project.serving.model_copy(update=changes))


def build_bento(project: Project, *, now: datetime) -> str:
    """Build a bento that carries the champions and the last-known features; returns its tag.

    Raises:
        ConfigError: The project is installed as a package: there is no bentofile.yaml to build from.
    """
    from serving.seed import fill_seed

    if not (REPOSITORY / "bentofile.yaml").is_file():
        raise ConfigError(
            "There is no bentofile.yaml here.", next_step="Build from a checkout of the project."
        )
    seed = REPOSITORY / "seed"
    fill_seed(seed, workspace=project.workspace.root, now=now)
    try:
        home = os.environ.get("BENTOML_HOME", str(project.workspace.root / "bentos"))
        done = subprocess.run(  # noqa: S603 - our own interpreter
            [sys.executable, "-m", "bentoml", "build", "-o", "tag", str(REPOSITORY)],
            env={**os.environ, "BENTOML_HOME": home},
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        shutil.rmtree(seed, ignore_errors=True)
    if done.returncode != 0:
        raise ConfigError(f"BentoML could not build: {done.stderr.strip().splitlines()[-1:]}")
    return done.stdout.strip()
