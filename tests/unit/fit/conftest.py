"""One small world for all tests of fit."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.fit.worlds import dataset_of, world_of
from training.estimators import fit
from training.splits import final_split


@pytest.fixture(scope="session")
def world() -> Any:
    return world_of(700)


@pytest.fixture(scope="session")
def dataset(world: Any) -> Any:
    return dataset_of(world)


@pytest.fixture(scope="session")
def bundle(dataset: Any) -> Any:
    return fit(dataset, final_split(dataset), seed=1)
