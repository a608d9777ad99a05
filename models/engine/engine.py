"""One interface for scoring and explaining boosted trees, and the compiled engine behind it."""

from __future__ import annotations

import threading
from typing import Any, Protocol

import numpy as np

from models.engine.compiled import reason_kernels, scoring_kernels, warm_up
from models.engine.factored import ColumnSplit, PreparedBlock, assemble, check_request
from models.engine.forest import Forest, build_forest, select
from models.engine.inputs import as_groups, as_matrix
from models.engine.layout import ALL_LEAVES, BLOCK, Columns, Integers, Masks, Nodes, Reals, integers
from models.engine.parse import ParsedModel
from models.engine.tables import ReasonTables, build_reason_tables

_NO_RESIDENTS = np.empty((0, 0, 0), dtype=np.uint32)
_ALL_ROWS = integers([])
# Groupings whose tables are kept; a model has a handful (columns, factors, components).
_MOST_GROUPINGS = 8


def _is_ascending(rows: Integers) -> bool:
    """Whether positions rise strictly; so as many as there are rows, or none given, name all in order."""
    return bool((rows[1:] > rows[:-1]).all())


class Engine(Protocol):
    """Scores and explains rows of float64, NaN for missing, columns in model order.

    Attributes:
        features: Number of columns.
        reason: Why this is not the compiled engine; empty when it is.
    """

    features: int
    reason: str

    @property
    def expected_value(self) -> float:
        """Mean raw score over the training rows: what contributions start from."""

    def raw(self, x: Any) -> Reals:
        """(n,) raw scores, equal to `booster.predict(x, raw_score=True)`."""

    def contributions(self, x: Any) -> Reals:
        """(n, features + 1) contributions with the expected value last, as `pred_contrib=True` gives them."""

    def grouped(self, x: Any, groups: Any) -> Reals:
        """(n, G) contributions summed by group; `groups` holds a number 0..G-1 for each column."""

    def warm_up(self, *groupings: Any) -> None:
        """Do now what the first calls would do: compile, and build the tables of these groupings."""

    def prepare(self, residents: Any, split: ColumnSplit) -> PreparedBlock:
        """Make resident rows (n, resident columns) ready for `raw_with`."""

    def raw_with(self, prepared: PreparedBlock, values: Any, pair: Any = None, *, rows: Any = None) -> Reals:
        """Raw scores of one request against resident rows, equal to `raw` of the full matrix."""

    def matrix_with(
        self, prepared: PreparedBlock, values: Any, pair: Any = None, *, rows: Any = None
    ) -> Reals:
        """The full matrix behind `raw_with`, for explaining its best rows."""


class TreeEngine:
    """Trees as bit masks and tables. Immutable but for a cache of tables; threads may share it."""

    reason = ""

    def __init__(self, model: ParsedModel) -> None:
        self.features = model.features
        self._trees = model.trees
        self._forest: Forest = build_forest(model.trees, features=model.features)
        self._nothing_ruled_out = np.full(self._forest.trees, ALL_LEAVES, dtype=np.uint32)
        self._tables: dict[bytes, ReasonTables] = {}
        self._lock = threading.Lock()

    @property
    def expected_value(self) -> float:
        """Mean raw score over the training rows."""
        # One by one, as LightGBM adds; numpy's pairwise sum rounds differently.
        return float(np.add.accumulate(self._forest.expected)[-1])

    def raw(self, x: Any) -> Reals:
        """(n,) raw scores, bit for bit those of LightGBM."""
        matrix = as_matrix(x, columns=self.features)
        out = np.empty(len(matrix))
        forest = self._forest
        self._score(matrix, forest.columns, forest.nodes, self._nothing_ruled_out, out=out)
        return out

    def contributions(self, x: Any) -> Reals:
        """(n, features + 1) exact path-dependent TreeSHAP values with the expected value last."""
        matrix = as_matrix(x, columns=self.features)
        out = np.empty((len(matrix), self.features + 1))
        self._explain(matrix, self.tables(np.arange(self.features)), out=out)
        out[:, -1] = self.expected_value
        return out

    def grouped(self, x: Any, groups: Any) -> Reals:
        """(n, G) contributions summed by group, never building (n, features)."""
        matrix = as_matrix(x, columns=self.features)
        tables = self.tables(groups)
        out = np.empty((len(matrix), tables.slots))
        self._explain(matrix, tables, out=out)
        return out

    def tables(self, groups: Any) -> ReasonTables:
        """The tables for one grouping; the first call builds them, up to a second for 300 trees."""
        checked = as_groups(groups, columns=self.features)
        with self._lock:
            key = checked.tobytes()
            found = self._tables.pop(key, None)
            if found is None:
                found = build_reason_tables(self._forest, self._trees, groups=checked)
            self._tables[key] = found  # the latest used comes last
            if len(self._tables) > _MOST_GROUPINGS:
                del self._tables[next(iter(self._tables))]
            return found

    def warm_up(self, *groupings: Any) -> None:
        """Compile, and build the tables of these groupings; call it before answering readiness."""
        warm_up()
        for groups in groupings:
            self.tables(groups)

    def prepare(self, residents: Any, split: ColumnSplit) -> PreparedBlock:
        """Work the residents' splits out once: four bytes for each tree and row."""
        split.check(self.features)
        matrix = as_matrix(residents, columns=len(split.resident), name="the resident matrix").copy()
        matrix.setflags(write=False)
        columns, nodes = select(self._forest, integers(split.resident))
        masks = np.empty((-(-len(matrix) // BLOCK), self._forest.trees, BLOCK), dtype=np.uint32)
        scoring_kernels().masks(matrix, columns, nodes, masks)
        parts = tuple(select(self._forest, integers(part)) for part in (split.request, split.pair))
        return PreparedBlock(split, matrix, self, (masks, *parts))

    def raw_with(self, prepared: PreparedBlock, values: Any, pair: Any = None, *, rows: Any = None) -> Reals:
        """Raw scores of one request, bit for bit those of the full matrix."""
        request = check_request(prepared, values, pair, rows=rows, owner=self)
        masks, of_request, (columns, nodes) = prepared.state
        before = np.empty((1, self._forest.trees, BLOCK), dtype=np.uint32)
        scoring_kernels().masks(request.values, *of_request, before)
        ruled_out = before[0, :, 0].copy()
        out = np.empty(request.count)
        if not request.count:
            return out
        if _is_ascending(request.rows):
            # All rows in order need no gathering at all.
            chosen = _ALL_ROWS if request.rows.size == prepared.rows else request.rows
            self._score(request.pair, columns, nodes, ruled_out, out=out, resident=masks, chosen=chosen)
            return out
        # In ascending order neighbours in memory are read together: many times faster than at random.
        order, scores = np.argsort(request.rows, kind="stable"), np.empty(request.count)
        chosen, values_of_pair = request.rows[order], np.ascontiguousarray(request.pair[order])
        self._score(values_of_pair, columns, nodes, ruled_out, out=scores, resident=masks, chosen=chosen)
        out[order] = scores
        return out

    def matrix_with(
        self, prepared: PreparedBlock, values: Any, pair: Any = None, *, rows: Any = None
    ) -> Reals:
        """The full matrix behind `raw_with`."""
        request = check_request(prepared, values, pair, rows=rows, owner=self)
        return assemble(prepared, request, rows=rows)

    def _explain(self, x: Reals, tables: ReasonTables, *, out: Reals) -> None:
        forest = self._forest
        reason_kernels().contributions(
            x, forest.columns, forest.nodes, tables.only_slot, tables.leaf_delta, tables.units,
            tables.deep, tables.points, tables.weights, out,
        )  # fmt: skip

    def _score(
        self, x: Reals, columns: Columns, nodes: Nodes, before: Masks, *, out: Reals,
        resident: Any = _NO_RESIDENTS, chosen: Integers = _ALL_ROWS,
    ) -> None:  # fmt: skip
        leaf_value = self._forest.leaf_value
        scoring_kernels().score(x, columns, nodes, before, resident, chosen, leaf_value, out)
