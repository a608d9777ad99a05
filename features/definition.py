"""What a feature is, said once: the code names its columns from these, and the reference page lists them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["number", "category"]


@dataclass(frozen=True)
class Definition:
    """One feature.

    Attributes:
        name: Column name, unique across views.
        unit: count, days, usd, share, score, ratio, log ratio, years or category.
        meaning: What it is, in one sentence.
        kind: `number` (float64, missing NaN) or `category` (str, missing None).
    """

    name: str
    unit: str
    meaning: str
    kind: Kind = "number"


@dataclass(frozen=True)
class ViewDefinition:
    """A group of features that come from the same tables.

    Attributes:
        name: View name.
        title: One line for people.
        tables: Canonical tables the view reads, `partners` aside.
        features: Its features, in column order.
    """

    name: str
    title: str
    tables: tuple[str, ...]
    features: tuple[Definition, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Feature names in order."""
        return tuple(f.name for f in self.features)
