"""Feature rows as the model takes them; the resident matrix is encoded once for each model and features."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

from serving.view import Partners, Served

Value = float | str | None


@dataclass(frozen=True)
class Encoded:
    """Rows ready to score.

    Attributes:
        frame: Raw features, one column each, in the model's order.
        matrix: Their encoding, float64 (n, columns).
        noticed: For each row, what the model has not seen.
    """

    frame: Any
    matrix: Any
    noticed: Sequence[list[str]]

    @classmethod
    def of(cls, bundle: Any, frame: Any) -> Encoded:
        """Encode raw rows."""
        return cls(frame, bundle.encode(frame), bundle.encoder.warnings(frame))

    def take(self, places: Sequence[int]) -> Encoded:
        """Some rows, in the order given."""
        return Encoded(
            self.frame.iloc[list(places)], self.matrix[list(places)], [self.noticed[p] for p in places]
        )


def frame_of(spec: Any, rows: Sequence[Mapping[str, Value]]) -> Any:
    """Raw feature rows as a frame: numbers float64, categories text, in the model's order."""
    return _frame(spec, {f.name: [row.get(f.name) for row in rows] for f in spec.features}, len(rows))


def _frame(spec: Any, values: Mapping[str, Sequence[Value]], count: int) -> Any:
    import numpy as np
    import pandas as pd

    # A dictionary of arrays: of series it takes pandas ten times as long.
    columns: dict[str, Any] = {}
    for feature in spec.features:
        given = values.get(feature.name) or [None] * count
        if feature.kind == "category":
            columns[feature.name] = np.array(given, dtype=object)
        else:
            columns[feature.name] = np.array([math.nan if v is None else v for v in given], dtype=np.float64)
    return pd.DataFrame(columns)


class ResidentRows:
    """The rows of the resident matrix, encoded for the model in service.

    Encoding one row costs pandas nearly as much as encoding all of them; so all are encoded when model or
    features have changed, and a request takes the rows it needs.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._key: tuple[Any, Any] | None = None
        self._all: Encoded | None = None

    def take(self, served: Served, partners: Partners, partner_ids: Sequence[str]) -> Encoded:
        """The rows of some partners."""
        return self._encoded(served, partners).take([partners.places[p] for p in partner_ids])

    def _encoded(self, served: Served, partners: Partners) -> Encoded:
        with self._lock:
            key = (served.bundle, partners.matrix)
            same = self._key is not None and all(a is b for a, b in zip(self._key, key, strict=True))
            if self._all is None or not same:
                frame = _frame(served.bundle.spec, partners.columns, len(partners.matrix.partner_ids))
                self._key, self._all = key, Encoded.of(served.bundle, frame)
            return self._all
