"""One routing model over a block of partners: their part is worked out once, a lead's part per request.

Every part of a score is a sum over columns, and each column belongs to the partner, the lead or the pair: so
the partner's share of the linear part is one number, and its share of the trees one bit mask a tree. The
result is the model's own score to 1e-12.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.pairing import LEAD_COLUMNS, PAIR_COLUMNS
from serving.routing.block import Block
from serving.view import Served

Floats = NDArray[np.float64]
Z_BOUND = 4.0


class CompiledBooster:
    """A booster whose predictions come from the compiled engine: what a bundle calls, many times faster."""

    def __init__(self, engine: Any, booster: Any) -> None:
        self.engine, self._booster = engine, booster

    def num_feature(self) -> int:
        """Number of columns."""
        return int(self.engine.features)

    def predict(self, data: Any, *, raw_score: bool = False, pred_contrib: bool = False, **other: Any) -> Any:
        """Raw scores or contributions of rows; anything else is the booster's own work."""
        if pred_contrib:
            return self.engine.contributions(data)
        return self.engine.raw(data) if raw_score else self._booster.predict(data, **other)

    def model_to_string(self) -> str:
        """The booster as text."""
        return str(self._booster.model_to_string())


def compiled(served: Served) -> Served:
    """The same model with its trees compiled; checked on its golden rows against LightGBM."""
    from models.engine import compile_engine

    boosted = served.bundle.terms.boosted
    if boosted is None or isinstance(boosted.booster, CompiledBooster):
        return served
    rows = served.bundle.encoder.filled(served.bundle.examples)
    engine = compile_engine(boosted.booster.model_to_string(), booster=boosted.booster, check_rows=rows)
    engine.warm_up(np.arange(engine.features))
    faster = replace(boosted, booster=CompiledBooster(engine, boosted.booster))
    terms = replace(served.bundle.terms, boosted=faster)
    return replace(served, bundle=replace(served.bundle, terms=terms))


@dataclass(frozen=True)
class ColumnEffects:
    """What the scorecard and the linear part add for each of some columns, centred as in `Terms`.

    Attributes:
        logged: Whether a column's signed log is taken, (c,).
        mean: Of standard scores, (c,).
        scale: Of standard scores, (c,).
        coefficient: Of the linear part, (c,).
        criteria: (column, low, high, points, slope, centre) of the scorecard's criteria among the columns.
    """

    logged: Any
    mean: Floats
    scale: Floats
    coefficient: Floats
    criteria: tuple[tuple[int, float, float, float, float, float], ...]

    @classmethod
    def of(cls, terms: Any, columns: Any) -> ColumnEffects:
        """Of some columns of a model."""
        count = len(columns)
        mean, scale, coefficient = np.zeros(count), np.ones(count), np.zeros(count)
        logged = np.zeros(count, dtype=bool)
        if terms.linear:
            scaling = terms.linear.scaling
            logged, mean, scale, coefficient = (
                np.array(values)[columns]
                for values in (scaling.logged, scaling.mean, scaling.scale, terms.linear.coefficients)
            )
        return cls(logged.astype(bool), mean, scale, coefficient, tuple(_criteria(terms, columns)))

    def __call__(self, values: Floats) -> Floats:
        """(n,) sum of the effects of (n, c) values; a missing one is at the mean, with half the points."""
        if not self.criteria and not self.coefficient.any():
            return np.zeros(len(values))
        shown = np.where(self.logged, np.sign(values) * np.log1p(np.abs(values)), values)
        scores = np.clip((shown - self.mean) / self.scale, -Z_BOUND, Z_BOUND)
        total = (np.where(np.isnan(scores), 0.0, scores) * self.coefficient).sum(axis=1)
        for column, low, high, weight, slope, centre in self.criteria:
            share = np.clip((values[:, column] - low) / (high - low), 0.0, 1.0)
            total = total + slope * (weight * np.where(np.isnan(share), 0.5, share) - centre)
        return np.asarray(total)


def _criteria(terms: Any, columns: Any) -> Iterator[tuple[int, float, float, float, float, float]]:
    """The scorecard's criteria among some columns, each with its slope, tilted by the linear part."""
    if not terms.prior:
        return
    tilts = terms.linear.tilts if terms.linear and terms.linear.tilts else (0.0,) * len(terms.prior.columns)
    place = {int(c): k for k, c in enumerate(columns)}
    rows = zip(terms.prior.scorecard.criteria, terms.prior.columns, tilts, terms.prior.centres, strict=True)
    for criterion, column, tilt, centre in rows:
        if column in place:
            bars = (criterion.low, criterion.high, criterion.weight)
            yield (place[column], *bars, terms.prior.affine.b + tilt, centre)


class PairModel:
    """A model ready to score leads against one block.

    Args:
        served: The model.
        block: The partners.
    """

    def __init__(self, served: Served, block: Block) -> None:
        from models.engine import ColumnSplit

        self.served, self.block = compiled(served), block
        bundle = self.served.bundle
        encoder, terms = bundle.encoder, bundle.terms
        owner = [c.feature for c in encoder.encoded]
        self._request = np.array([i for i, f in enumerate(owner) if f in LEAD_COLUMNS], dtype=np.int64)
        self._pair = np.array([i for i, f in enumerate(owner) if f in PAIR_COLUMNS], dtype=np.int64)
        resident = np.setdiff1d(np.arange(len(owner)), np.concatenate([self._request, self._pair]))
        matrix = encoder.encode(_with_columns(block.frame, bundle.spec))
        self._fills = encoder.fills
        self._lead_names = [owner[i] for i in self._request]
        self._pair_places = np.array([PAIR_COLUMNS.index(owner[i]) for i in self._pair], dtype=np.int64)
        self._of_request, self._of_pair = (ColumnEffects.of(terms, c) for c in (self._request, self._pair))
        horizon = next(iter(bundle.horizons.values()))
        constant = terms.intercept + (terms.prior.baseline if terms.prior else 0.0) + horizon
        self._resident = constant + ColumnEffects.of(terms, resident)(matrix[:, resident])
        self._matrix = matrix
        self._prepared = None
        if terms.boosted is not None:
            engine = terms.boosted.booster.engine
            split = ColumnSplit(tuple(resident), tuple(self._request), tuple(self._pair))
            self._prepared = engine.prepare(encoder.filled(matrix)[:, resident], split)

    def eta(self, lead: dict[str, float], pair: Floats, rows: Any) -> Floats:
        """(n,) calibrated log-odds of a lead with some partners.

        Args:
            lead: What `features.pairing.lead_columns` gave.
            pair: (n, len(PAIR_COLUMNS)) for these partners.
            rows: (n,) positions of the partners.
        """
        bundle = self.served.bundle
        request = np.array([[lead[name] for name in self._lead_names]], dtype=np.float64)
        mine = pair[:, self._pair_places]
        total = self._resident[rows] + self._of_request(request)[0] + self._of_pair(mine)
        boosted = bundle.terms.boosted
        if boosted is not None:
            raw = boosted.booster.engine.raw_with(
                self._prepared,
                self._filled(request, self._request)[0],
                self._filled(mine, self._pair),
                rows=rows,
            )
            total = total + boosted.weight * raw
        return np.asarray(bundle.calibrator(total))

    def matrix(self, lead: dict[str, float], pair: Floats, rows: Any) -> Floats:
        """(n, columns) encoded rows of pairs, for intervals and reasons."""
        full = self._matrix[rows].copy()
        full[:, self._request] = [lead[name] for name in self._lead_names]
        full[:, self._pair] = pair[:, self._pair_places]
        return full

    def _filled(self, values: Floats, columns: Any) -> Floats:
        fills = self._fills[columns]
        return np.where(np.isnan(values) & ~np.isnan(fills), fills, values)


def _with_columns(frame: Any, spec: Any) -> Any:
    """The features of a spec, missing where the block has none: those of leads and pairs come later."""
    import pandas as pd

    empty = {"category": None}
    columns = {
        f.name: frame[f.name].to_numpy()
        if f.name in frame
        else np.full(len(frame), empty.get(f.kind, np.nan))
        for f in spec.features
    }
    return pd.DataFrame(columns)
