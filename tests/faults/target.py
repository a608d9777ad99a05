"""What hostile cases are tried against: the served product, or a worker with one part broken on purpose."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx

from serving.api import create_app
from serving.guard import Guard
from serving.server import stop
from serving.state import Database
from tests.functional.serving.conftest import CONFIG, Served, make_workspace, start
from tests.unit.serving.world import Shop, World, open_world

Call = Callable[..., httpx.Response]


@dataclass(frozen=True)
class Target:
    """Something that answers HTTP.

    Attributes:
        call: (method, path, role=, headers=, json= or content=) → response.
        keys: Role → API key.
        database: Keys, decisions, audit log.
        now: Naive UTC as the target sees it.
        wait: Lets seconds pass for the target.
        rows_written: Number of decisions on record.
    """

    call: Call
    keys: dict[str, str]
    database: Database
    now: Callable[[], datetime]
    wait: Callable[[float], None]
    rows_written: Callable[[], int]


def utc_now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


def of_served(served: Served) -> Target:
    """The running product."""
    return Target(served.call, served.keys, served.database, utc_now, time.sleep, served.rows_written)


class House:
    """What quick cases share: a workspace to copy, and a product that runs as it comes.

    Empty in a case that runs in full, which makes everything itself.
    """

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._made: dict[str, str] | None = None
        self._served: Served | None = None
        self._template = Path()

    def prepare(self, folder: Path) -> None:
        """Where to keep things."""
        self._folder = folder

    def open(self) -> None:
        """Start the product, unless it runs."""
        assert self._folder
        if self._served is None or self._served.process.poll() is not None:
            root = Path(tempfile.mkdtemp(prefix="product-", dir=self._folder)) / "workspace"
            self._served = start(root, self.workspace(root, config=CONFIG))
            self._served.wait_for()

    def workspace(self, root: Path, *, config: str) -> tuple[Shop, Database, dict[str, str]]:
        """A workspace with one model in service and a key of each role."""
        if self._folder is None:
            return make_workspace(root, config=config)
        if self._made is None:
            # Of this process alone: what a forked case makes, its parent does not know.
            self._template = self._folder / f"template-{os.getpid()}"
            _, database, self._made = make_workspace(self._template, config=config)
            database.close()
        shutil.copytree(self._template, root)
        (root / "partnerintel.yaml").write_text(config)
        return Shop(root), Database(f"sqlite:///{root / 'state.db'}"), dict(self._made)

    def visit(self) -> Served | None:
        """The product that runs, for a forked case: with connections of its own."""
        if self._served is None:
            return None
        mine = Database(f"sqlite:///{self._served.workspace / 'state.db'}")
        return replace(self._served, database=mine, client=httpx.Client(verify=False, timeout=30))

    def close(self) -> None:
        """Stop the product."""
        if self._served is not None:
            stop(self._served.process, self._served.workspace, drain_seconds=0)
            self._served.close()
            self._served = None


HOUSE = House()


@contextmanager
def served_product(
    *, config: str = CONFIG, prepare: Callable[[Path], None] | None = None
) -> Iterator[Served]:
    """A BentoML process on a free loopback port, over a workspace of its own.

    A quick case that asks for nothing special may get the one that other quick cases use too.

    Args:
        config: partnerintel.yaml.
        prepare: Called with the workspace before the server starts.
    """
    visited = HOUSE.visit() if config == CONFIG and prepare is None else None
    if visited is not None:
        yield visited
        visited.close()
        return
    with tempfile.TemporaryDirectory(prefix="served-") as folder:
        root = Path(folder) / "workspace"
        made = HOUSE.workspace(root, config=config)
        if prepare is not None:
            prepare(root)
        served = start(root, made)
        try:
            served.wait_for()
            yield served
        finally:
            stop(served.process, root, drain_seconds=0)
            served.close()


@contextmanager
def broken_worker(broken: Callable[[World], Any], *, config: str = CONFIG) -> Iterator[Target]:
    """A worker without BentoML whose application was broken on purpose.

    Args:
        broken: Gives the ASGI application of a world.
        config: partnerintel.yaml.
    """
    with tempfile.TemporaryDirectory(prefix="broken-") as folder:
        world = BrokenWorld(**vars(open_world(Path(folder), config=config)), broken=broken)
        runtime = world.runtime
        try:
            yield Target(
                world.call,
                world.keys,
                runtime.shared.database,
                lambda: world.clock.at,
                world.clock.advance,
                world.rows_written,
            )
        finally:
            runtime.stop()


@dataclass
class BrokenWorld(World):
    """A world with another application in front."""

    broken: Callable[[World], Any] = lambda world: world.app

    @cached_property
    def app(self) -> Any:
        return self.broken(self)


def guarded(world: World, *, by: type[Guard] = Guard, keep: Any = None) -> Guard:
    """The application of a world behind a guard of another kind, or with other gatekeeping."""
    return by(create_app(lambda: world.runtime.use_cases), keep=lambda: keep or world.runtime.keep)
