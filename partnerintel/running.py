"""Serving a workspace, and building a bento that carries it."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

from partnerintel.settings import Project


def serve(project: Project, *, host: str | None, port: int | None) -> int:
    """Serve until SIGTERM or Ctrl-C; returns the exit code."""
    from serving.server import serve as run

    changes = {k: v for k, v in {"host": host, "port": port}.items() if v is not None}
    return run(project.workspace.root, project.serving.model_copy(update=changes))


def build(project: Project, *, now: datetime) -> list[str]:
    """Build a bento that carries the champions and the last-known features.

    It is kept in BENTOML_HOME when that is set, else in `bentos/` of the workspace.

    Returns:
        Lines to print: what it carries, its tag, where it lies.

    Raises:
        ConfigError: The project is installed as a package: there is no bentofile.yaml to build from.
        NotFoundError: There is no champion to carry.
    """
    from serving.bento import build_bento

    given = os.environ.get("BENTOML_HOME")
    home = Path(given) if given else project.workspace.root / "bentos"
    lines: list[str] = []
    tag = build_bento(project.workspace.root, now=now, home=home, announce=lines.append)
    name, _, version = tag.partition(":")
    return [*lines, tag, f"in {home / 'bentos' / name / version}"]
