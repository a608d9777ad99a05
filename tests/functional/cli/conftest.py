"""One small simulated ecosystem, taken once through the command line; each step's answer is kept."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from data.simulate import simulate, write
from partnerintel.cli import app

UNTIL = date(2024, 10, 31)
SECTIONS = """\
training: {trials: 2}
evaluation: {origins: 2, replicates: 50, simulated: true, min_events: 5000}
"""


def run(*arguments: object, code: int = 0, env: Mapping[str, str] | None = None) -> Result:
    """The command in this process; its exit code must be the expected one."""
    result = CliRunner().invoke(app, [str(a) for a in arguments], env=env)
    told = f"{result.output}\n{result.stderr}"
    assert result.exit_code == code, f"exit {result.exit_code} instead of {code}:\n{told}"
    assert "Traceback" not in told
    return result


def run_apart(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, as users run it."""
    command = [sys.executable, "-m", "partnerintel", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, env={**os.environ})


def make_ecosystem(root: Path, *, partners: int = 150, sections: str = SECTIONS) -> Path:
    """A workspace with raw tables and a mapping; nothing is ingested yet."""
    config = write(simulate("demo", partners=partners, end=UNTIL), root)
    config.write_text(config.read_text() + sections)
    return root


@dataclass(frozen=True)
class Shop:
    """A workspace that went through `steps`, with what each command answered."""

    root: Path
    steps: Mapping[str, Any]


@pytest.fixture(scope="session")
def ecosystem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_ecosystem(tmp_path_factory.mktemp("ecosystem"))


@pytest.fixture(scope="session")
def prepared(ecosystem: Path) -> Shop:
    steps = {name: run(name, "-w", ecosystem) for name in ("ingest", "features")}
    return Shop(ecosystem, steps)


@pytest.fixture(scope="session")
def trained(prepared: Shop) -> Shop:
    return Shop(prepared.root, {**prepared.steps, "train": run("train", "churn", "-w", prepared.root)})


@pytest.fixture(scope="session")
def promoted(trained: Shop) -> Shop:
    """Refused first, then overridden."""
    refused = run("promote", "churn", "-w", trained.root, code=7)
    reason = ("--reason", "a trial with the north region", "--by", "Kim")
    overridden = run("promote", "churn", "-w", trained.root, *reason)
    return Shop(trained.root, {**trained.steps, "refused": refused, "overridden": overridden})
