"""Small boosters of every kind the engine claims to support, and rows that probe every edge of theirs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import lightgbm
import numpy as np
import pytest
from numpy.typing import NDArray

from models.engine import LightGBMEngine, TreeEngine, compile_engine

FEATURES = 12
Rows = NDArray[np.float64]

KINDS: dict[str, dict[str, Any]] = {
    "binary": {},
    "depth 4": {"max_depth": 4},
    "depth 5": {"max_depth": 5},
    "depth 6": {"max_depth": 6},
    "31 leaves, any depth": {"num_leaves": 31, "min_data_in_leaf": 3},
    "32 leaves": {"num_leaves": 32, "min_data_in_leaf": 3},
    "stumps": {"num_leaves": 2},
    "monotone": {
        "monotone_constraints": [1, -1, 1] + [0] * (FEATURES - 3),
        "monotone_constraints_method": "intermediate",
        "max_depth": 5,
    },
    "interaction groups": {"interaction_constraints": [[0, 1, 2], [3, 4, 5, 6], [7, 8, 9, 10, 11]]},
    "missing off": {"use_missing": False},
    "zero as missing": {"zero_as_missing": True},
    "init_score": {"start_from": 0.7, "boost_from_average": False},
    "poisson": {"objective": "poisson"},
    "tweedie": {"objective": "tweedie", "tweedie_variance_power": 1.4},
    "regression": {"objective": "regression"},
    "bagged": {"bagging_fraction": 0.5, "bagging_freq": 1},
    "dart": {"boosting": "dart"},
    "never split": {"min_data_in_leaf": 5_000},
}


def training_rows(rng: np.random.Generator, rows: int) -> Rows:
    x = rng.normal(size=(rows, FEATURES))
    x[:, 3] = rng.integers(0, 4, rows)
    x[rng.random(x.shape) < 0.1] = 0.0
    x[:, :9][rng.random((rows, 9)) < 0.1] = np.nan  # the last three columns never lack a value
    return x


@cache
def train(kind: str, *, trees: int = 30) -> lightgbm.Booster:
    given = dict(KINDS.get(kind, {}))
    return train_with(given, trees=trees)


def train_with(given: dict[str, Any], *, trees: int = 30) -> lightgbm.Booster:
    rng = np.random.default_rng(7)
    x = training_rows(rng, 1_500)
    z = np.nan_to_num(x)
    eta = z[:, 0] - z[:, 1] + z[:, 2] * z[:, 3] + np.sin(2 * z[:, 4]) + 0.5 * z[:, 9] + 1.5 * (x[:, 3] == 2)
    params = {"objective": "binary", "num_leaves": 20, "seed": 3, "verbose": -1, "num_threads": 1}
    params |= {"deterministic": True, **given}
    start = params.pop("start_from", None)
    if params["objective"] == "multiclass":
        y = rng.integers(0, 3, len(x)).astype(float)
    elif params["objective"] == "binary":
        y = (rng.random(len(x)) < 1 / (1 + np.exp(-eta))).astype(float)
    else:
        y = rng.poisson(np.exp(np.clip(eta / 2, -3, 3))).astype(float)
    data = lightgbm.Dataset(
        x,
        y,
        init_score=None if start is None else np.full(len(x), start),
        categorical_feature=params.pop("categories", "auto"),
        free_raw_data=False,
    )
    return lightgbm.train(params, data, trees)


def probing_rows(booster: lightgbm.Booster, rows: int = 1_200) -> Rows:
    """Ordinary rows mixed with missing, infinite, tiny and huge values and the model's own thresholds."""
    rng = np.random.default_rng(11)
    x = training_rows(rng, rows)
    table = booster.trees_to_dataframe()
    cuts = table["threshold"].dropna().astype(float).to_numpy()
    tiny = float(np.float32(1e-35))
    edges = np.concatenate(
        [
            [np.nan, np.inf, -np.inf, 0.0, -0.0, tiny, -tiny, 2 * tiny, -2 * tiny, 1e-36, 1e308, -1e308, 4.0],
            np.resize(cuts if len(cuts) else [0.0], 40),
            np.nextafter(np.resize(cuts if len(cuts) else [0.0], 40), np.inf),
        ]
    )
    here = rng.random(x.shape) < 0.3
    x[here] = rng.choice(edges, int(here.sum()))
    return x


@dataclass(frozen=True)
class Case:
    kind: str
    booster: lightgbm.Booster
    text: str
    rows: Rows

    @cached_property
    def engine(self) -> TreeEngine | LightGBMEngine:
        return compile_engine(self.text)


@pytest.fixture(params=list(KINDS))
def case(request: pytest.FixtureRequest) -> Case:
    return make_case(request.param)


@pytest.fixture(scope="session")
def case_of() -> Callable[[str], Case]:
    return make_case


@pytest.fixture(scope="session")
def booster_with() -> Callable[..., lightgbm.Booster]:
    return train_with


@cache
def make_case(kind: str) -> Case:
    booster = train(kind)
    return Case(kind, booster, booster.model_to_string(), probing_rows(booster))
