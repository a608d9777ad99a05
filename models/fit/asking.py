"""What would sharpen a score, and what would change it: both answered by scoring again, never guessed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

VARIANTS = 9
MOST_ACTIONS = 2
Row = Mapping[str, Any]
Eta = Callable[[Sequence[Row]], Any]
"""Canonical rows of prospects to calibrated log-odds, (n,): facts are derived anew inside."""


@dataclass(frozen=True)
class Missing:
    """A field without a value, and how far the score could move once it is known.

    Attributes:
        field: Canonical name.
        spread: Standard deviation of the log-odds over the values recruited partners have.
    """

    field: str
    spread: float


@dataclass(frozen=True)
class Plan:
    """At most two changes and the score they would give.

    Attributes:
        changes: Field → (value now, value then).
        eta: Calibrated log-odds after the change, from scoring the changed row.
    """

    changes: Mapping[str, tuple[Any, Any]]
    eta: float


def most_useful_missing(
    rows: Sequence[Row], eta: Eta, *, fields: Mapping[str, Sequence[Any]], most: int = 3
) -> list[list[Missing]]:
    """Fields whose value would narrow each answer most.

    Args:
        rows: Canonical rows.
        eta: Scores rows.
        fields: Field → values it may turn out to have.
        most: Fields named for each row.
    """
    asked = [(i, f) for i, row in enumerate(rows) for f in fields if _blank(row.get(f)) and fields[f]]
    variants = [{**rows[i], f: value} for i, f in asked for value in fields[f]]
    if not variants:
        return [[] for _ in rows]
    scores = np.split(eta(variants), np.cumsum([len(fields[f]) for _, f in asked])[:-1])
    found: list[list[Missing]] = [[] for _ in rows]
    for (i, field), values in zip(asked, scores, strict=True):
        found[i].append(Missing(field, float(np.std(values))))
    return [sorted(m, key=lambda x: (-round(x.spread, 12), x.field))[:most] for m in found]


def what_would_change(
    row: Row, eta: Eta, *, changeable: Mapping[str, Sequence[Any]], now: float, most: int = 3
) -> list[Plan]:
    """Changes that would raise the score most, the fewest first among equals.

    Every combination of one and of two changes is scored; a pair is shown only when it does better than both
    of its parts.

    Args:
        row: Canonical row.
        eta: Scores rows.
        changeable: Field → values that could be chosen; facts nobody can choose are not among them.
        now: The row's own log-odds.
        most: Plans given.
    """
    steps = [
        (field, value)
        for field, values in changeable.items()
        for value in values
        if not _same(row.get(field), value)
    ]
    plans = [{f: v} for f, v in steps]
    plans += [
        dict(pair) for pair in combinations(steps, MOST_ACTIONS) if len({f for f, _ in pair}) == MOST_ACTIONS
    ]
    if not plans:
        return []
    scores = eta([{**row, **plan} for plan in plans])
    single = {next(iter(p.items())): s for p, s in zip(plans, scores, strict=True) if len(p) == 1}
    kept = [
        (plan, float(score))
        for plan, score in zip(plans, scores, strict=True)
        if score > now + 1e-9 and (len(plan) == 1 or score > max(single[s] for s in plan.items()) + 1e-9)
    ]
    kept.sort(key=lambda found: (-round(found[1], 12), len(found[0]), sorted(map(str, found[0].items()))))
    return [Plan({f: (row.get(f), v) for f, v in plan.items()}, score) for plan, score in kept[:most]]


def _blank(value: Any) -> bool:
    return value is None or value != value or value == ""


def _same(ours: Any, theirs: Any) -> bool:
    if isinstance(ours, str) and isinstance(theirs, str):
        return " ".join(ours.split()).casefold() == theirs.casefold()
    return bool(ours == theirs)
