"""What comes of one test date, and the names of what is judged there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.resampling import Floats
from models.bundle import Bundle
from training.dataset import Dataset
from training.estimators import fit, usable_scorecard
from training.params import Params
from training.splits import Split

MODEL, SCORECARD, CHAMPION, POOLED, CEILING = "model", "scorecard", "champion", "pooled", "ceiling"


@dataclass(frozen=True)
class Origin:
    """Predictions for the test rows of a split.

    Attributes:
        split: Who was used for what.
        bundle: The model as of then.
        predicted: Rung → (n,) probabilities, amounts, or classes of ordered labels.
        notes: Rung → how it was made.
        bent: Other calibrators → (n,) probabilities; empty where there was too little to fit them.
    """

    split: Split
    bundle: Bundle
    predicted: Mapping[str, NDArray[Any]]
    notes: Mapping[str, str] = field(default_factory=dict)
    bent: Mapping[str, Floats] = field(default_factory=dict)


def probabilities(bundle: Bundle, dataset: Dataset, rows: NDArray[np.int64]) -> Floats:
    """Calibrated probability or expected amount at the judged horizon, whatever the evidence."""
    from models.calibration import LINKS

    matrix = bundle.encode(dataset.rows(rows))
    return np.asarray(LINKS[bundle.link](bundle.eta(matrix, horizon=dataset.horizon_days)), dtype=float)


def fitted_references(
    dataset: Dataset, split: Split, *, params: Params, seed: int, champion: Params | None
) -> dict[str, Floats]:
    """Predictions for the test rows by what is fitted on the same rows beside the candidate.

    The scorecard, where there is one that can be used; the champion's settings, where there is a champion, so
    that neither side has seen the test.
    """
    found = {}
    if usable_scorecard(dataset) is not None:
        plain = fit(dataset, split, params=params, seed=seed, spread=False, scorecard_only=True)
        found[SCORECARD] = probabilities(plain, dataset, split.test)
    if champion is not None:
        other = fit(dataset, split, params=champion, seed=seed, spread=False)
        found[CHAMPION] = probabilities(other, dataset, split.test)
    return found
