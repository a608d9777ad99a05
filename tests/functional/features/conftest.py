"""A small workspace with snapshots, and both online stores."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from features.settings import FeatureSettings, OnlineSettings
from features.snapshot import build_and_save
from features.store import FeatureStore
from tests import servers
from tests.functional.features.channel import fill_lake

AS_OFS = (date(2023, 8, 1), date(2023, 9, 1), date(2023, 10, 1))


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace whose snapshots are built; tests only read it."""
    root = tmp_path_factory.mktemp("workspace")
    build_and_save(
        root / "features", lake=fill_lake(root), as_ofs=AS_OFS, settings=FeatureSettings(), threads=1
    )
    return root


@pytest.fixture(scope="session")
def redis() -> Iterator[servers.Redis]:
    servers.skip_without_redis()
    with servers.redis_server() as running:
        yield running


@pytest.fixture(params=["sqlite", pytest.param("redis", marks=pytest.mark.redis)])
def store(request: pytest.FixtureRequest, workspace: Path, tmp_path: Path) -> FeatureStore:
    """An empty online store, once on SQLite and once on Redis, over the shared snapshots."""
    online = OnlineSettings()
    if request.param == "redis":
        running = request.getfixturevalue("redis")
        project = "t" + request.node.name.encode().hex()[-40:]
        online = OnlineSettings(type="redis", connection_string=running.connection_string, project=project)
    (tmp_path / "features").symlink_to(workspace / "features")
    made = FeatureStore(FeatureSettings(online=online), tmp_path)
    made.apply()
    return made
