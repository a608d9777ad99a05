from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import NotFoundError
from serving.auth import Identity
from serving.decisions import Decision, DecisionLog, Value, pack, unpack
from serving.ids import new_id
from serving.state import Database
from tests.unit.serving.world import NOW

ME = Identity("k1", "me", "prm")
VALUE = st.none() | st.text(max_size=20) | st.floats(allow_nan=False)


@given(st.dictionaries(st.text(min_size=1, max_size=10), VALUE, max_size=12))
@settings(max_examples=50, deadline=None)
def test_packed_features_come_back_bit_for_bit(row: dict[str, Value]) -> None:
    numbers, texts = pack(row)
    assert len(numbers) == 8 * len(row)
    back = unpack(list(row), numbers, texts)
    assert [repr(v) for v in back.values()] == [repr(v) for v in row.values()]


def test_a_missing_number_stays_missing() -> None:
    row: dict[str, Value] = {"a": math.nan, "b": 1.5, "c": None, "d": "DE"}
    back = unpack(list(row), *pack(row))
    assert repr(back) == "{'a': nan, 'b': 1.5, 'c': None, 'd': 'DE'}"


@given(st.lists(st.integers(0, 10**12), min_size=2, max_size=20, unique=True))
@settings(max_examples=50, deadline=None)
def test_ids_sort_by_time_and_are_distinct(millis: list[int]) -> None:
    times = [datetime(2020, 1, 1) + timedelta(milliseconds=m) for m in sorted(millis)]
    ids = [new_id("dec", at=t, random=os.urandom) for t in times]
    assert ids == sorted(set(ids))
    assert all(len(i) == 30 for i in ids)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[DecisionLog]:
    database = Database(f"sqlite:///{tmp_path / 'state.db'}")
    database.migrate()
    yield DecisionLog(database)
    database.close()


def decision(n: int, **features: Value) -> Decision:
    return Decision(
        decision_id=f"dec_{n:026d}",
        entity_id={"partner_id": f"P{n}"},
        model="churn",
        model_version="7",
        manifest_sha256="0" * 64,
        matrix_version=None,
        features_as_of=None,
        features=features,
        options={"horizons": [30]},
        request={"partner_id": f"P{n}"},
        response={"scores": {"30": {"value": 0.1 + n * 1e-17}}},
    )


def test_a_thousand_decisions_are_stored_together_and_read_one_by_one(log: DecisionLog) -> None:
    log.record([decision(n, a=n / 7, b="x") for n in range(1000)], identity=ME, at=NOW)
    assert log.count() == 1000
    stored = log.read("dec_" + f"{999:026d}", identity=ME)
    assert stored.decision == decision(999, a=999 / 7, b="x")
    assert stored.created_at == "2026-11-20T09:30:00.000000Z"


def test_one_bad_decision_leaves_none_behind(log: DecisionLog) -> None:
    with pytest.raises(Exception, match="UNIQUE"):
        log.record([decision(1, a=1.0), decision(2, a=1.0), decision(1, a=1.0)], identity=ME, at=NOW)
    assert log.count() == 0


def test_a_decision_belongs_to_its_owner_and_to_admins(log: DecisionLog) -> None:
    log.record([decision(1, a=1.0)], identity=ME, at=NOW)
    name = f"dec_{1:026d}"
    assert log.read(name, identity=Identity("k2", "me", "prm")).owner == "me"
    assert log.read(name, identity=Identity("k3", "boss", "admin")).owner == "me"
    with pytest.raises(NotFoundError) as others:
        log.read(name, identity=Identity("k4", "else", "prm"))
    with pytest.raises(NotFoundError) as nobodys:
        log.read("dec_none", identity=Identity("k4", "else", "prm"))
    assert str(others.value) == str(nobodys.value)


def test_looking_again_is_the_same_decision_until_something_changes(log: DecisionLog) -> None:
    first = decision(1, a=1.5, b=math.nan, country="DE")
    log.record([first], identity=ME, at=NOW)
    again = replace(first, decision_id=new_id("dec", at=NOW, random=os.urandom), matrix_version="later")
    assert log.same(again, identity=ME) == first.response
    assert log.same(again, identity=Identity("k2", "somebody", "prm")) is None
    for other in (
        replace(again, features={**first.features, "a": 1.6}),
        replace(again, manifest_sha256="1" * 64),
        replace(again, options={"horizons": [90]}),
        replace(again, features_as_of="2026-01-01T00:00:00Z"),
        replace(again, response={"scores": {"30": {"value": 0.2}}}),
    ):
        assert log.same(other, identity=ME) is None
