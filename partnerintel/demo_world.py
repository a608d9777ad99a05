"""The simulated workspace of the demo: made once, kept while it is what was asked for, else made anew."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Literal

import typer
import yaml

from data.errors import ConfigError
from partnerintel.outputs import write_whole
from partnerintel.progress import progress
from partnerintel.settings import Project, open_project

SEED = 7
NOTE = "simulated.json"
FRESH = timedelta(days=2)
"""A world that ended this long ago is still shown; after it, its features would count as stale."""
SECTIONS = {
    # Few trials, so that the demo soon serves; the product's own default is higher.
    "training": {"trials": 5},
    "evaluation": {"simulated": True},
}


@dataclass(frozen=True)
class World:
    """What a demo workspace holds.

    Attributes:
        partners: Size.
        until: Last simulated day.
        state: `begun` while its files are written, `made` afterwards, `ready` once it can be served.
        seed: Of the simulation.
        partner: The one at the greatest risk; known once it is ready.
        manager: Who owns that partner.
    """

    partners: int
    until: date
    state: Literal["begun", "made", "ready"] = "begun"
    seed: int = SEED
    partner: str | None = None
    manager: str | None = None

    def like(self, other: World) -> bool:
        """Whether both are of the same simulation."""
        return (self.partners, self.until, self.seed) == (other.partners, other.until, other.seed)


def settle(workspace: Path, *, partners: int, until: date | None, now: datetime) -> tuple[Project, World]:
    """The workspace with the world that was asked for; simulated when it holds none, or another one.

    Args:
        workspace: Folder of the demo.
        partners: Size.
        until: Last simulated day; None: that of the world there is, if it is recent, else today.
        now: Naive UTC.

    Raises:
        ConfigError: The folder holds something that no demo made.
    """
    there = _read(workspace)
    recent = there is not None and timedelta(0) <= now.date() - there.until <= FRESH
    asked = World(partners, until or (there.until if there and recent else now.date()))
    if there is None or there.state == "begun" or not there.like(asked):
        _begin(workspace, asked, there)
        _simulate(workspace, asked)
        there = replace(asked, state="made")
        keep(workspace, there)
    return open_project(workspace), there


def keep(workspace: Path, world: World) -> None:
    """Note what the workspace holds."""
    text = json.dumps({**asdict(world), "until": str(world.until)})
    write_whole(workspace / NOTE, lambda p: p.write_text(text + "\n", encoding="utf-8"))


def _read(workspace: Path) -> World | None:
    note = workspace / NOTE
    if not note.is_file():
        return None
    found = json.loads(note.read_text(encoding="utf-8"))
    return World(**{"state": "begun", **found, "until": date.fromisoformat(found["until"])})


def _begin(workspace: Path, asked: World, there: World | None) -> None:
    """Mark the folder as a demo's and remove an earlier world: two in one lake would be neither."""
    if there is None and workspace.exists() and (not workspace.is_dir() or any(workspace.iterdir())):
        raise ConfigError(
            f"{workspace} holds something that no demo made.",
            allowed="a new or empty folder, or one of an earlier demo",
            next_step="Choose another folder with -w.",
        )
    if there is not None and there.state != "begun":
        typer.echo(f"replacing the world of {there.partners:,} partners until {there.until}")
    workspace.mkdir(parents=True, exist_ok=True)
    keep(workspace, asked)
    for path in workspace.iterdir():
        if path.name != NOTE:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _simulate(workspace: Path, asked: World) -> None:
    from data.simulate import simulate, write

    with progress("simulate") as tick:
        tick(f"{asked.partners:,} partners", 0.1)
        world = simulate("demo", partners=asked.partners, seed=asked.seed, end=asked.until)
        tick("writing", 0.7)
        config = write(world, workspace)
        sections = yaml.safe_dump(SECTIONS, sort_keys=False)
        config.write_text(config.read_text(encoding="utf-8") + sections, encoding="utf-8")
    rows = sum(map(len, world.tables.values()))
    typer.echo(f"simulate       {rows:,} rows in {len(world.tables)} tables, until {asked.until}")
