"""Building the bento: the code, the lock, and the champions of a workspace as its seed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from data.errors import ConfigError
from serving.seed import fill_seed
from serving.server import ENVIRONMENT

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("data", "features", "models", "training", "evaluation", "serving", "partnerintel")
FILES = ("bentofile.yaml", "requirements.lock", "pyproject.toml")


def build_bento(
    workspace: Path, *, now: datetime, home: Path | None = None, announce: Callable[[str], None] = print
) -> str:
    """Build a bento that carries the champions and the last-known features of a workspace.

    Nothing is resolved or downloaded: the bento holds the lock as it is.

    Args:
        workspace: Its champions and features are packed.
        now: Naive UTC.
        home: BentoML's store; None: BentoML's own default.
        announce: Called with what is packed.

    Returns:
        Tag of the bento.

    Raises:
        ConfigError: The project's files are not beside this package, or BentoML refused to build.
        NotFoundError: No model of the workspace can be served.
    """
    missing = [name for name in FILES if not (ROOT / name).is_file()]
    if missing:
        raise ConfigError(
            f"{missing[0]} is not beside the packages.", next_step="Build from a checkout of the project."
        )
    with tempfile.TemporaryDirectory(prefix="partnerintel-bento-") as scratch:
        context = Path(scratch)
        for name in PACKAGES:
            shutil.copytree(ROOT / name, context / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in FILES:
            shutil.copy(ROOT / name, context / name)
        for carried in fill_seed(context / "seed", workspace=workspace, now=now):
            announce(f"carries {carried}")
        return _build(context, home)


def _build(context: Path, home: Path | None) -> str:
    environment = {**os.environ, **ENVIRONMENT, **({"BENTOML_HOME": str(home)} if home else {})}
    command = [sys.executable, "-m", "bentoml", "build", ".", "-o", "tag"]
    # BentoML refuses files outside the folder it is run in.
    done = subprocess.run(  # noqa: S603 - our own interpreter
        command, cwd=context, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no reason given"]
        raise ConfigError(f"BentoML did not build: {said[0]}", pointer="bentofile.yaml")
    return done.stdout.strip().splitlines()[-1].removeprefix("__tag__:")
