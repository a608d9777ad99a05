"""The trees: LightGBM with signs, component groups, and the interval apart from everything else."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from data.errors import ConfigError
from models.design import Design
from models.encoding import Encoder
from models.glm import TWEEDIE_POWER
from models.hazards import interval_effects
from models.terms import BoostTerm

MAX_DEPTH = 6
SAMPLE = 16
OBJECTIVES = {"binomial": "binary", "poisson": "poisson", "tweedie": "tweedie"}


@dataclass(frozen=True)
class BoostParams:
    """What a search may change.

    Attributes:
        trees: Greatest number of trees; the fit may keep fewer.
        learning_rate: Step.
        max_depth: 1–6; explaining costs with depth.
        num_leaves: Leaves of a tree.
        min_data_in_leaf: Least observations in a leaf.
        lambda_l2: Ridge on leaf values.
        feature_fraction: Share of columns a tree may use.
        bagging_fraction: Share of observations a tree sees.
    """

    trees: int = 200
    learning_rate: float = 0.05
    max_depth: int = 4
    num_leaves: int = 12
    min_data_in_leaf: int = 30
    lambda_l2: float = 5.0
    feature_fraction: float = 0.8
    bagging_fraction: float = 0.8

    def __post_init__(self) -> None:
        if not 1 <= self.max_depth <= MAX_DEPTH:
            raise ConfigError(f"max_depth is {self.max_depth}.", allowed=f"1 to {MAX_DEPTH}")
        if self.trees < 1 or self.num_leaves < 2 or self.min_data_in_leaf < 1:
            raise ConfigError(f"Tree parameters {asdict(self)} make no tree.", allowed="positive counts")


def monotone_signs(encoder: Encoder) -> list[int]:
    """Sign of each matrix column; levels of categories are free."""
    sign = {f.name: f.monotone for f in encoder.features}
    return [sign[c.feature] if c.role == "value" else 0 for c in encoder.encoded]


def interaction_groups(encoder: Encoder, *, timed: bool) -> list[list[int]]:
    """Matrix columns by component group; the interval, last, is alone."""
    group = {f.name: f.group for f in encoder.features}
    columns: dict[str, list[int]] = {}
    for i, column in enumerate(encoder.encoded):
        columns.setdefault(group[column.feature], []).append(i)
    return [*columns.values(), *([[len(encoder.encoded)]] if timed else [])]


def lightgbm_params(encoder: Encoder, design: Design, params: BoostParams, *, seed: int) -> dict[str, Any]:
    """LightGBM's own parameters: deterministic, one thread."""
    own = asdict(params)
    own.pop("trees")
    return {
        **own,
        "objective": OBJECTIVES[design.family],
        **({"tweedie_variance_power": TWEEDIE_POWER} if design.family == "tweedie" else {}),
        "bagging_freq": 1 if params.bagging_fraction < 1 else 0,
        "monotone_constraints": [*monotone_signs(encoder), *([0] if design.timed else [])],
        # `advanced` violates monotonicity in LightGBM 4.7.
        "monotone_constraints_method": "intermediate",
        "interaction_constraints": interaction_groups(encoder, timed=design.timed),
        "feature_pre_filter": False,
        "num_threads": 1,
        "deterministic": True,
        "force_row_wise": True,
        "seed": seed,
        "verbosity": -1,
    }


def inputs_of(design: Design, encoder: Encoder) -> Any:
    """What the trees see of each observation: filled matrix columns, then the interval."""
    filled = encoder.filled(design.matrix)[design.row]
    return np.column_stack([filled, design.interval.astype(np.float64)]) if design.timed else filled


def fit_trees(
    design: Design, encoder: Encoder, params: BoostParams, *, offset: Any, seed: int, trees: int | None = None
) -> Any:
    """Boost on top of an offset.

    Args:
        design: Observations.
        encoder: Columns of the matrix.
        params: Parameters of the trees.
        offset: eta of each observation already explained, log exposure included, (m,).
        seed: Of bagging and column sampling.
        trees: Number of trees; None: `params.trees`.

    Returns:
        lightgbm.Booster, whose raw score excludes the offset.

    Raises:
        BundleError: the trees mix the interval with features.
    """
    import lightgbm as lgb

    options = lightgbm_params(encoder, design, params, seed=seed)
    data = lgb.Dataset(
        inputs_of(design, encoder), design.y, init_score=offset,
        params={"verbosity": -1, "feature_pre_filter": False, "num_threads": 1},
    )  # fmt: skip
    booster = lgb.train(options, data, num_boost_round=trees or params.trees)
    if design.timed:
        # Refused here, at the source: trees that mix time with features would let risks cross.
        sample = encoder.filled(design.matrix[:SAMPLE])
        interval_effects(BoostTerm(booster, 1.0, True), sample, len(design.lengths_days))
    return booster
