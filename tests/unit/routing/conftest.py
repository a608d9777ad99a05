"""A shop that every test may change."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.routing.shop import Shop, shop


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Shop]:
    with shop(tmp_path, partners=8, capacity=2, models=False) as made:
        yield made
