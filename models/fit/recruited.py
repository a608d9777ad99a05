"""The partners a model of fit learnt from, to compare a prospect with: look-alikes and base rates.

Look-alikes are shown and never scored: as a score, nearest neighbours did no better than a poor scorecard.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from models.scoring import Bundle
from models.terms import Scaling

SUCCEEDED, NOT = 3, 1
LEAST_PEERS = 5
BINS = 4


@dataclass(frozen=True)
class Similar:
    """A recruited partner like a prospect.

    Attributes:
        partner_id: Who.
        name: Its name; empty where not on record.
        succeeded: Whether it succeeded within the horizon.
        distance: Root mean square difference of what is known of both, in standard deviations.
        alike: Features in which both agree, or nearly.
    """

    partner_id: str
    name: str
    succeeded: bool
    distance: float
    alike: tuple[str, ...]


@dataclass(frozen=True)
class BaseRate:
    """How often partners with such a value succeeded, and how many there were."""

    rate: float
    count: int


class Recruited:
    """What a bundle kept of those it learnt from.

    Args:
        bundle: A model of fit.

    Attributes:
        margin_usd: Mean margin that partners who succeeded brought within the horizon; None where
            none is on record.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        kept: Mapping[str, Any] = bundle.trained.get("recruited", {})
        self.ids: list[str] = [str(v) for v in kept.get("partner_id", ())]
        self.names: list[str] = [str(v or "") for v in kept.get("name", self.ids)]
        self.y = np.array(kept.get("y", ()), dtype=np.float64)
        margins = [np.nan if m is None else float(m) for m in kept.get("margin_usd", ())]
        won = np.array([m for m, y in zip(margins, self.y, strict=False) if y > 0 and m == m])
        self.margin_usd = float(np.mean(won)) if won.size else None
        self.facts = pd.DataFrame(
            {f.name: _column(kept[f.name], f.kind) for f in bundle.spec.features if f.name in kept}
        )

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def rate(self) -> float | None:
        """Share that succeeded; None where nobody is on record."""
        return float(self.y.mean()) if len(self) else None

    def similar(self, frame: Any) -> list[list[Similar]]:
        """For each row the three most similar partners that succeeded, and the one that did not.

        Args:
            frame: Raw feature rows.
        """
        if not len(self):
            return [[] for _ in range(len(frame))]
        scaling, own, known = self._space
        matrix = self._bundle.encode(frame)
        theirs, seen = scaling(matrix), ~np.isnan(matrix)
        return [self._nearest(frame.iloc[i], theirs[i], seen[i], own, known) for i in range(len(frame))]

    def base_rate(self, feature: str, value: Any) -> BaseRate | None:
        """How those with such a value did: the same category, or the same quarter of a number's range."""
        if feature not in self.facts or value is None:
            return None
        column = self.facts[feature]
        if isinstance(value, str):
            same = (column == value).to_numpy(dtype=bool)
        else:
            edges = self._edges[feature]
            quarter = np.searchsorted(edges, column.to_numpy(dtype=np.float64), side="right")
            same = (quarter == np.searchsorted(edges, float(value), side="right")) & column.notna().to_numpy()
        count = int(same.sum())
        return BaseRate(float(self.y[same].mean()), count) if count >= LEAST_PEERS else None

    def levels(self, feature: str) -> list[str | float]:
        """Values a feature could be given: categories of at least five partners, or a number's quartiles."""
        if feature not in self.facts:
            return []
        column = self.facts[feature].dropna()
        if column.dtype == object:
            counts = column.value_counts()
            return sorted(str(v) for v in counts.index[counts >= LEAST_PEERS])
        return [float(v) for v in np.unique(np.quantile(column, [0.25, 0.5, 0.75]))] if len(column) else []

    def sample(self, feature: str, count: int) -> list[Any]:
        """Values of a feature as recruited partners have them, evenly from the sorted ones."""
        column = self.facts[feature].dropna() if feature in self.facts else pd.Series(dtype=object)
        ordered = sorted(column.tolist())
        places = np.unique(np.linspace(0, len(ordered) - 1, min(count, len(ordered))).round().astype(int))
        return [ordered[p] for p in places] if ordered else []

    @cached_property
    def _space(self) -> tuple[Scaling, Any, Any]:
        matrix = self._bundle.encode(self.facts)
        scaling = Scaling.fit(matrix, self._bundle.encoder)
        return scaling, scaling(matrix), ~np.isnan(matrix)

    @cached_property
    def _edges(self) -> dict[str, Any]:
        numbers = self.facts.select_dtypes("number")
        inner = np.linspace(0, 1, BINS + 1)[1:-1]
        return {
            str(c): np.unique(np.quantile(numbers[c].dropna(), inner)) if numbers[c].notna().any() else []
            for c in numbers
        }

    def _nearest(self, row: Any, scores: Any, seen: Any, own: Any, known: Any) -> list[Similar]:
        both = known & seen
        gaps = np.where(both, own - scores, 0.0) ** 2
        distance = np.sqrt(gaps.sum(axis=1) / np.maximum(both.sum(axis=1), 1))
        # Ties by id, so that the order in which partners were kept does not matter.
        order = sorted(range(len(self)), key=lambda k: (round(float(distance[k]), 12), self.ids[k]))
        won = [k for k in order if self.y[k] > 0][:SUCCEEDED]
        lost = [k for k in order if self.y[k] <= 0][:NOT]
        return [
            Similar(self.ids[k], self.names[k], bool(self.y[k] > 0), float(distance[k]), self._alike(row, k))
            for k in (*won, *lost)
        ]

    def _alike(self, row: Any, k: int) -> tuple[str, ...]:
        labels = {f.name: f.shown_label for f in self._bundle.spec.features}
        return tuple(
            labels[c] for c in self.facts.columns if c in labels and _close(row.get(c), self.facts[c].iloc[k])
        )


def _column(values: Any, kind: str) -> Any:
    if kind == "category":
        return pd.Series(values, dtype=object)
    return pd.Series([np.nan if v is None else v for v in values], dtype=np.float64)


def _close(ours: Any, theirs: Any) -> bool:
    if ours is None or theirs is None or ours != ours or theirs != theirs:
        return False
    if isinstance(theirs, str):
        return bool(ours == theirs)
    return abs(float(ours) - float(theirs)) <= 0.25 * max(abs(float(theirs)), 1.0)
