"""LightGBM itself behind the same interface: the oracle, and the way out for models the fast engine lacks."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.engine.factored import ColumnSplit, PreparedBlock, assemble, check_request
from models.engine.inputs import as_groups, as_matrix
from models.engine.layout import Reals


class LightGBMEngine:
    """A LightGBM booster, one thread a call.

    Args:
        booster: A loaded `lightgbm.Booster`.
        reason: Why the compiled engine is not used, for logs and reports.
    """

    def __init__(self, booster: Any, *, reason: str) -> None:
        self.features = int(booster.num_feature())
        self.reason = reason
        self._booster = booster

    @property
    def expected_value(self) -> float:
        """Mean raw score over the training rows."""
        return float(self.contributions(np.zeros((1, self.features)))[0, -1])

    def raw(self, x: Any) -> Reals:
        """(n,) raw scores; (n, classes) when the model has several classes."""
        return self._predict(x, raw_score=True)

    def contributions(self, x: Any) -> Reals:
        """(n, features + 1), the expected value last."""
        return self._predict(x, pred_contrib=True).reshape(-1, self.features + 1)

    def grouped(self, x: Any, groups: Any) -> Reals:
        """(n, G) contributions summed by group."""
        checked = as_groups(groups, columns=self.features)
        membership = np.zeros((self.features, int(checked.max(initial=-1)) + 1))
        membership[np.arange(self.features), checked] = 1.0
        return self.contributions(x)[:, :-1] @ membership

    def warm_up(self, *groupings: Any) -> None:
        """Score and explain one row, which is all LightGBM needs."""
        self.raw(np.zeros((1, self.features)))
        for groups in groupings:
            self.grouped(np.zeros((1, self.features)), groups)

    def prepare(self, residents: Any, split: ColumnSplit) -> PreparedBlock:
        """Keep the residents' values; there is nothing to work out beforehand."""
        split.check(self.features)
        matrix = as_matrix(residents, columns=len(split.resident), name="the resident matrix").copy()
        return PreparedBlock(split, matrix, self, None)

    def raw_with(self, prepared: PreparedBlock, values: Any, pair: Any = None, *, rows: Any = None) -> Reals:
        """Raw scores of one request, from the full matrix."""
        return self.raw(self.matrix_with(prepared, values, pair, rows=rows))

    def matrix_with(
        self, prepared: PreparedBlock, values: Any, pair: Any = None, *, rows: Any = None
    ) -> Reals:
        """The full matrix behind `raw_with`."""
        request = check_request(prepared, values, pair, rows=rows, owner=self)
        return assemble(prepared, request, rows=rows)

    def _predict(self, x: Any, **kind: bool) -> Reals:
        matrix = as_matrix(x, columns=self.features)
        if not len(matrix):  # LightGBM refuses an empty matrix
            return np.empty(0)
        return np.asarray(self._booster.predict(matrix, num_threads=1, **kind), dtype=np.float64)
