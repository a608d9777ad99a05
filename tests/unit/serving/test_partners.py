from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.errors import DataError
from features.matrix import FeatureMatrix
from serving.partners import LivePartners, Shelter
from tests.unit.serving.world import AS_OF, NOW, Clock, World, open_world, partner_frame


def matrix(
    count: int = 4, *, seed: int = 0, at: datetime = AS_OF, stale: tuple[str, ...] = ()
) -> FeatureMatrix:
    frame = partner_frame(count, seed=seed)
    frame.index = [f"P{i}" for i in range(count)]
    frame.index.name = "partner_id"
    times = np.full(count, np.datetime64(at, "us"))
    return FeatureMatrix.of(frame, features_as_of=times, stale=frozenset(stale))


class Store:
    """A feature store that holds what it is given, and can be dead."""

    def __init__(self, held: FeatureMatrix) -> None:
        self.held, self.dead, self.loads = held, False, 0

    def version(self) -> str:
        if self.dead:
            raise DataError("unreachable")
        return self.held.version

    def load(self) -> Any:
        self.loads += 1
        return self.held

    def managers(self, *, now: datetime) -> Mapping[str, str]:
        return {"P0": "M1", "P1": "M2"}


@pytest.fixture
def clock() -> Clock:
    return Clock()


def live(store: Store | None, folder: Path, clock: Clock, *, seed: Shelter | None = None) -> LivePartners:
    shelter = Shelter(folder / "matrix", folder / "partners.json")
    return LivePartners(store, shelter=shelter, seed=seed, clock=lambda: clock.at)


def test_features_are_read_once_for_each_version_and_confirmed_in_between(
    tmp_path: Path, clock: Clock
) -> None:
    store = Store(matrix())
    source = live(store, tmp_path, clock)
    first, fault = source.latest(None)
    clock.advance(60)
    second, _ = source.latest(first)
    assert first is not None
    assert second is not None
    assert (store.loads, fault, second.matrix is first.matrix) == (1, "", True)
    assert second.confirmed_at - first.confirmed_at == timedelta(seconds=60)
    store.held = matrix(seed=1)
    third, _ = source.latest(second)
    assert third is not None
    assert third.matrix.version == store.held.version


def test_a_dead_store_leaves_the_features_in_place_and_says_so(tmp_path: Path, clock: Clock) -> None:
    store = Store(matrix())
    source = live(store, tmp_path, clock)
    first, _ = source.latest(None)
    store.dead = True
    second, fault = source.latest(first)
    assert first is not None
    assert second is not None
    assert (second.degraded, second.matrix is first.matrix) == (True, True)
    assert second.confirmed_at == first.confirmed_at
    assert "cannot be read" in fault
    store.dead = False
    third, fault = source.latest(second)
    assert third is not None
    assert (third.degraded, fault) == (False, "")


def test_booting_with_a_dead_store_uses_the_copy_on_disk(tmp_path: Path, clock: Clock) -> None:
    store = Store(matrix())
    live(store, tmp_path, clock).latest(None)
    store.dead = True
    clock.advance(3600)
    found, fault = live(store, tmp_path, clock).latest(None)
    assert found is not None
    assert fault
    assert (found.degraded, found.confirmed_at, dict(found.managers)) == (True, NOW, {"P0": "M1", "P1": "M2"})
    assert found.matrix.frame.equals(matrix().frame)


def test_a_damaged_copy_is_not_used(tmp_path: Path, clock: Clock) -> None:
    store = Store(matrix())
    live(store, tmp_path, clock).latest(None)
    for file in (tmp_path / "matrix").glob("*.parquet"):
        file.write_bytes(file.read_bytes()[:-40])
    store.dead = True
    assert live(store, tmp_path, clock).latest(None)[0] is None


def test_the_seed_serves_where_there_is_no_store(tmp_path: Path, clock: Clock) -> None:
    seed = Shelter(tmp_path / "seed" / "matrix", tmp_path / "seed" / "partners.json")
    found, _ = LivePartners(Store(matrix()), shelter=seed, seed=None, clock=lambda: clock.at).latest(None)
    assert found is not None
    carried, fault = live(None, tmp_path / "empty", clock, seed=seed).latest(None)
    assert carried is not None
    assert (carried.degraded, fault, carried.matrix.version) == (True, "", found.matrix.version)


def test_no_store_and_no_copy_is_no_fault(tmp_path: Path, clock: Clock) -> None:
    assert live(None, tmp_path, clock).latest(None) == (None, "")


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = open_world(tmp_path)
    store = Store(matrix(6))
    source = live(store, world.workspace / "copy", world.clock)
    world.runtime.resident._partners = source  # a store without Feast's seconds
    world.store = store  # type: ignore[attr-defined]
    world.runtime.resident.refresh()
    return world


def churn(world: World, *ids: str, role: str = "admin") -> dict[str, Any]:
    answer = world.call("POST", "/v1/churn/score", json={"partner_ids": list(ids)}, role=role)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_known_partners_are_scored_in_the_order_asked_for(world: World) -> None:
    found = churn(world, "P3", "nobody", "P0", "P3")
    assert [r["partner_id"] for r in found["results"]] == ["P3", "P0", "P3"]
    assert found["errors"] == [
        {
            "row": 1,
            "partner_id": "nobody",
            "errors": [{"pointer": "/partner_ids/1", "detail": "unknown partner"}],
        }
    ]
    score = found["results"][0]["churn_probability"]["30"]
    assert (score["features_as_of"], score["stale"], score["degraded"]) == (
        "2026-11-20T00:00:00Z",
        False,
        False,
    )


def test_a_manager_sees_only_its_own(world: World) -> None:
    found = churn(world, "P0", "P1", "P2", role="channel_manager")
    assert [r["partner_id"] for r in found["results"]] == ["P0"]
    assert [e["partner_id"] for e in found["errors"]] == ["P1", "P2"]


def test_old_features_are_stale_and_say_since_when(world: World) -> None:
    world.store.held = matrix(6, at=AS_OF - timedelta(days=3))  # type: ignore[attr-defined]
    world.runtime.resident.refresh()
    score = churn(world, "P0")["results"][0]["churn_probability"]["90"]
    assert score["stale"]
    assert all(r["stale"] for r in score["reasons"])
    assert "2026-11-17" in " ".join(score["warnings"])


def test_a_silent_feed_marks_its_own_reasons_only_and_replays(world: World) -> None:
    world.store.held = matrix(6, stale=("engagement",))  # type: ignore[attr-defined]
    world.runtime.resident.refresh()
    score = churn(world, "P0")["results"][0]["churn_probability"]["90"]
    by_factor = {r["factor"]: r["stale"] for r in score["reasons"]}
    assert score["stale"]
    assert by_factor["portal_activity"]
    assert not by_factor["deal_registrations"]
    assert "engagement" in " ".join(score["warnings"])
    shown = world.call("GET", f"/v1/decisions/{score['decision_id']}").json()
    assert shown["replayed"] == "identical"


def test_a_dead_store_degrades_and_after_its_time_expires(world: World) -> None:
    world.store.dead = True  # type: ignore[attr-defined]
    world.runtime.resident.refresh()
    score = churn(world, "P0")["results"][0]["churn_probability"]["90"]
    assert score["degraded"]
    assert "degraded" in world.call("GET", "/readyz", role=None).json()["status"]
    world.clock.advance(168 * 3600 + 1)
    answer = world.call("POST", "/v1/churn/score", json={"partner_ids": ["P0"]})
    assert answer.status_code == 503
    assert "expired" in answer.json()["detail"]


def test_known_partners_replay_after_the_features_have_moved_on(world: World) -> None:
    scores = [r["churn_probability"]["30"] for r in churn(world, *[f"P{i}" for i in range(6)])["results"]]
    world.store.held = matrix(6, seed=9)  # type: ignore[attr-defined]
    world.runtime.resident.refresh()
    for score in scores:
        shown = world.call("GET", f"/v1/decisions/{score['decision_id']}").json()
        assert shown["replayed"] == "identical"
        assert shown["response"]["scores"]["30"] == score
