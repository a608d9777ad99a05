"""What would change a score: at most two actions, each applied, features recomputed, the row scored again.

The search is exact over the amounts it is given. What it finds is an association: the score would be so; it
does not say that the entity will.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

import numpy as np

MOST_ACTIONS = 2
LEAST_GAIN = 1e-6
_FORMS = re.compile(r"\{(\w+)\|(\w+)\}")
WORDING = "An association: the score would be so if the features were; it does not say that they cause it."


@dataclass(frozen=True)
class Lever:
    """Something that can be done.

    Attributes:
        name: Its name.
        amounts: How much of it, ascending, within what is observed in a month.
        sentence: For people, with `{amount}` and nouns as `{login|logins}`.
    """

    name: str
    amounts: tuple[float, ...]
    sentence: str

    def said(self, amount: float) -> str:
        """The sentence for an amount; of the forms in `{login|logins}` the first is for one."""
        chosen = _FORMS.sub(lambda m: m[1] if amount == 1 else m[2], self.sentence)
        return chosen.format(amount=f"{amount:g}")


@dataclass(frozen=True)
class Plan:
    """Actions, and the score that comes out when they are applied.

    Attributes:
        actions: Lever name → amount.
        sentences: For people, in the order of actions.
        before: Eta as it is.
        after: Eta with the actions, by scoring again.
        reaches: Whether the target is reached.
    """

    actions: Mapping[str, float]
    sentences: tuple[str, ...]
    before: float
    after: float
    reaches: bool


Row = Mapping[str, Any]


def find_plan(
    row: Row,
    levers: Sequence[Lever],
    *,
    recompute: Callable[[Row, Mapping[str, float]], Row],
    score: Callable[[Sequence[Row]], Any],
    target: float,
    lower: bool = True,
    most: int = MOST_ACTIONS,
) -> Plan | None:
    """The plan that needs least to reach a target; where none does, the one that comes nearest.

    One action is preferred to two, and less of an action to more (each as a share of its greatest amount).

    Args:
        row: Raw features of one entity.
        levers: What can be done.
        recompute: The row after actions, derived features included.
        score: Eta of rows, (n,).
        target: Eta to get below (or above, when not `lower`).
        lower: Whether a lower eta is better.
        most: Most actions, 1 or 2.

    Returns:
        None when nothing moves the score in the wanted direction.
    """
    tried = list(_combinations(levers, most))
    if not tried:
        return None
    rows = [row, *(recompute(row, actions) for actions in tried)]
    etas = np.asarray(score(rows), dtype=np.float64)
    sign = 1.0 if lower else -1.0
    before, after = float(etas[0]), etas[1:]
    gains = sign * (before - after)
    best = _best(tried, gains, reaches=sign * (after - target) < 0, levers=levers)
    if best is None:
        return None
    actions = tried[best]
    named = {lever.name: lever for lever in levers}
    return Plan(
        actions,
        tuple(named[name].said(amount) for name, amount in actions.items()),
        before,
        float(after[best]),
        bool(sign * (after[best] - target) < 0),
    )


def _combinations(levers: Sequence[Lever], most: int) -> Any:
    for size in range(1, most + 1):
        for chosen in combinations(levers, size):
            for amounts in product(*(lever.amounts for lever in chosen)):
                yield {lever.name: amount for lever, amount in zip(chosen, amounts, strict=True)}


def _best(
    tried: Sequence[Mapping[str, float]], gains: Any, *, reaches: Any, levers: Sequence[Lever]
) -> int | None:
    greatest = {lever.name: lever.amounts[-1] for lever in levers}
    helpful = [i for i in range(len(tried)) if gains[i] > LEAST_GAIN]
    if not helpful:
        return None

    def effort(i: int) -> tuple[int, float]:
        return len(tried[i]), sum(a / greatest[n] for n, a in tried[i].items())

    there = [i for i in helpful if reaches[i]]
    if there:
        return min(there, key=lambda i: (*effort(i), -gains[i], i))
    return max(helpful, key=lambda i: (gains[i], -effort(i)[0], -effort(i)[1], -i))
