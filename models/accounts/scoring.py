"""The probability that two records are one company: stored weights, no training at run time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from data.errors import BundleError
from models.accounts.compare import SIGNS, Floats

FORMAT = "company matching 1"


@dataclass(frozen=True)
class Weights:
    """A logistic model over the signs of `models.accounts.compare`.

    Attributes:
        intercept: Log-odds of a candidate pair without any sign.
        weights: Sign → log-odds.
        merge: Probability from which two records count as one company.
        provenance: How each weight was found, and what was measured.
    """

    intercept: float
    weights: Mapping[str, float]
    merge: float
    provenance: Mapping[str, Any]

    def log_odds(self, signs: Floats) -> Floats:
        """(n,) log-odds of (n, signs) rows, added up in the order of SIGNS."""
        total = np.full(signs.shape[0], self.intercept)
        for column, sign in enumerate(SIGNS):
            total = total + signs[:, column] * self.weights[sign]
        return total

    def probability(self, signs: Floats) -> Floats:
        """(n,) probabilities."""
        return 1.0 / (1.0 + np.exp(-self.log_odds(signs)))


@cache
def load_weights() -> Weights:
    """The weights stored beside this module.

    Raises:
        BundleError: They belong to another version of the signs.
    """
    stored = json.loads((files("models.accounts") / "weights.json").read_text(encoding="utf-8"))
    if stored.get("format") != FORMAT or set(stored["signs"]) != set(SIGNS):
        raise BundleError(
            "models/accounts/weights.json does not fit the signs of the matcher.",
            next_step="Write it again with `python -m models.accounts DATASETS`.",
        )
    return Weights(
        intercept=stored["intercept"]["weight"],
        weights={name: sign["weight"] for name, sign in stored["signs"].items()},
        merge=stored["merge"],
        provenance=stored["provenance"],
    )
