"""Run as a script by case F9: one night of a workspace, at a given date."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path

import typer

from partnerintel import environment, nightly
from partnerintel.failing import guarded
from partnerintel.settings import open_project


def main() -> None:
    environment.prepare()
    environment.hush()
    root, now = Path(sys.argv[1]), datetime.fromisoformat(sys.argv[2])
    night(workspace=root, now=now)


@guarded
def night(*, workspace: Path, now: datetime) -> None:
    """As the command runs it, errors included."""
    nightly.run(open_project(workspace), as_of=now.date(), now=now)


if __name__ == "__main__":
    try:
        main()
    except typer.Exit as ended:
        raise SystemExit(ended.exit_code) from None
