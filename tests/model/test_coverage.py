"""How often the truth lies in the interval, in worlds where it is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.unit.training import worlds
from training.estimators import fit
from training.splits import final_split

SEEDS = range(6)


def covered(kind: str, partners: int, seed: int) -> float:
    """Share of 2,000 new rows whose true probability of 90 days lies in the 80 % interval."""
    noise = 0.49 if kind == "plain" else 0.25
    x = np.random.default_rng(1000 + seed).normal(size=(2000, 3)) * np.sqrt(1 + noise)
    if kind == "plain":
        data, truth = worlds.dated(partners=partners, snapshots=20, seed=seed), 1 / (1 + np.exp(1 - x[:, 0]))
    else:
        data = worlds.hazard(partners=partners, snapshots=20, seed=seed)
        truth = 1 - np.exp(-90 * 0.003 * np.exp(x[:, 0]))
    bundle = fit(data, final_split(data), seed=seed)
    scores = bundle.score(bundle.encode(pd.DataFrame(x, columns=["x0", "x1", "x2"])))
    return float(((scores.low[90] <= truth) & (truth <= scores.high[90])).mean())


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["plain", "hazard"])
@pytest.mark.parametrize("partners", [60, 400])
def test_an_interval_of_80_percent_holds_the_truth_about_that_often(kind: str, partners: int) -> None:
    share = np.mean([covered(kind, partners, seed) for seed in SEEDS])
    assert 0.70 <= share <= 0.92
