"""What hostile cases are tried against: the served product, or a worker with one part broken on purpose."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from serving.api import create_app
from serving.guard import Guard
from serving.server import stop
from serving.state import Database
from tests.functional.serving.conftest import CONFIG, Served, make_workspace, start
from tests.unit.serving.world import World, open_world

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


@contextmanager
def served_product(
    *, config: str = CONFIG, prepare: Callable[[Path], None] = lambda _: None
) -> Iterator[Served]:
    """A BentoML process on a free loopback port, over a workspace of its own.

    Args:
        config: partnerintel.yaml.
        prepare: Called with the workspace before the server starts.
    """
    with tempfile.TemporaryDirectory(prefix="served-") as folder:
        root = Path(folder) / "workspace"
        made = make_workspace(root, config=config)
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

    @property
    def app(self) -> Any:
        return self.broken(self)


def guarded(world: World, *, by: type[Guard] = Guard, keep: Any = None) -> Guard:
    """The application of a world behind a guard of another kind, or with other gatekeeping."""
    return by(create_app(lambda: world.runtime.use_cases), keep=lambda: keep or world.runtime.keep)
