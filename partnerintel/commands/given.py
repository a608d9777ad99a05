"""What every command is given: the workspace, the project, the clock, dates as text."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from data.errors import InputError

if TYPE_CHECKING:
    from partnerintel.settings import Project

Dir = Annotated[Path, typer.Option("--workspace", "-w", help="Folder with partnerintel.yaml.")]
HERE = Path()


def utc_now() -> datetime:
    """The one place on the command line that asks the clock; naive UTC."""
    return datetime.now(UTC).replace(tzinfo=None)


def day_of(text: str | None) -> date | None:
    """A date given as YYYY-MM-DD, or None."""
    if text is None:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()
    except ValueError:
        raise InputError(f"{text!r} is not a date.", allowed="YYYY-MM-DD, such as 2026-10-31") from None


def project_of(workspace: Path) -> Project:
    """The settings of a workspace, read when a command runs and not when its help is asked for."""
    from partnerintel.settings import open_project

    return open_project(workspace)
