"""One served process for all: a workspace with registry, features and keys of every role, on loopback."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest

from data.lake import Lake
from features.settings import FeatureSettings
from features.snapshot import build_and_save
from features.store import FeatureStore
from serving.auth import create_key
from serving.server import launch, stop
from serving.settings import ServingSettings
from serving.state import Database
from tests.unit.serving.world import ROLES, Shop

# Partners of the one server whose features some test changes: the documentation names the first, and tests of
# events take one each of the others. Whoever compares features does so with the rest.
STIRRED = ("P0", "P30", "P31")

CONFIG = """\
config_version: 1
serving:
  refresh_seconds: 0.3
  denials_per_minute: 5000
  body_timeout_seconds: 1.5
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Served:
    """A running server and what is needed to talk to it."""

    workspace: Path
    shop: Shop
    url: str
    port: int
    keys: dict[str, str]
    process: subprocess.Popen[bytes]
    log: Path
    database: Database
    # Plain HTTP: without TLS set-up for each call.
    client: httpx.Client = field(default_factory=lambda: httpx.Client(verify=False, timeout=30))

    def close(self) -> None:
        self.client.close()
        self.database.close()

    def headers(self, role: str | None = "admin") -> dict[str, str]:
        return {} if role is None else {"authorization": f"Bearer {self.keys[role]}"}

    def call(self, method: str, path: str, *, role: str | None = "admin", **more: Any) -> httpx.Response:
        headers = {**self.headers(role), **more.pop("headers", {})}
        return self.client.request(method, self.url + path, headers=headers, **more)

    def rows_written(self) -> int:
        from serving.decisions import DecisionLog

        return DecisionLog(self.database).count()

    def wait_for(self, path: str = "/readyz", *, seconds: float = 180) -> httpx.Response:
        deadline = time.monotonic() + seconds
        while True:
            try:
                answer = self.call("GET", path, role=None)
                if answer.status_code == 200:
                    return answer
            except httpx.TransportError:
                pass
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise AssertionError(f"not ready: {self.log.read_text()[-3000:]}")
            time.sleep(0.1)


def make_workspace(root: Path, *, config: str = CONFIG) -> tuple[Shop, Database, dict[str, str]]:
    root.mkdir(parents=True, exist_ok=True)
    (root / "partnerintel.yaml").write_text(config)
    shop = Shop(root)
    shop.register(1, seed=1)
    shop.promote(1, expected=None)
    database = Database(f"sqlite:///{root / 'state.db'}")
    database.migrate()
    now = datetime.now(UTC).replace(tzinfo=None)
    keys = {
        role: create_key(
            database,
            owner=f"{role}-owner",
            role=role,
            manager_id=manager,
            now=now,
            random=secrets.token_bytes,
        )
        for role, manager in ROLES.items()
    }
    return shop, database, keys


def build_features(root: Path, *, now: datetime, partners: int = 32) -> None:
    """A small lake, its features of today, and the online store; M1 has the even partners, M2 the others."""
    ids = [f"P{i}" for i in range(partners)]
    rng = np.random.default_rng(1)
    days = np.sort(rng.uniform(1, 120, 20 * partners))
    at = pd.Series([now - timedelta(days=float(d)) for d in days]).astype("datetime64[us]")
    since = pd.Series([datetime(2025, 1, 1)] * partners).astype("datetime64[us]")
    tables = {
        "partners": {
            "partner_id": ids,
            "country": [("DE", "FR", "US")[i % 3] for i in range(partners)],
            "partner_type": "reseller",
            "employee_count": pd.array([10 + i for i in range(partners)], dtype="Int64"),
        },
        "partner_managers": {
            "partner_id": ids,
            "manager_id": ["M1", "M2"] * (partners // 2),
            "event_at": since,
        },
        "events": {
            "event_id": [f"e{i}" for i in range(len(at))],
            "partner_id": rng.choice(ids, len(at)),
            "event_type": "portal_login",
            "source": "portal",
            "event_at": at,
            "known_at": at,
        },
    }
    lake = Lake(root / "lake")
    for name, columns in tables.items():
        lake.append(name, pd.DataFrame(columns), ingested_at=now)
    settings = FeatureSettings()
    build_and_save(root / "features", lake=lake, as_ofs=[now.date()], settings=settings, threads=1)
    store = FeatureStore(settings, root)
    store.apply()
    store.materialise(now.date(), now=now)


def start(root: Path, made: tuple[Shop, Database, dict[str, str]], **settings: Any) -> Served:
    port = free_port()
    plan = launch(root, ServingSettings(port=port, **settings))
    log = root / "server.log"
    with log.open("ab") as out:
        process = subprocess.Popen(
            plan.command,
            env={**os.environ, **plan.environment},
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    shop, database, keys = made
    return Served(root, shop, f"http://127.0.0.1:{port}", port, keys, process, log, database)


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    root = tmp_path_factory.mktemp("served")
    made = make_workspace(root)
    build_features(root, now=datetime.now(UTC).replace(tzinfo=None))
    server = start(root, made)
    try:
        server.wait_for()
        yield server
    finally:
        stop(server.process, root, drain_seconds=0)
        server.close()
