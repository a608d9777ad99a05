"""Policies and partners for tests of tiers."""

from functools import cache
from pathlib import Path

from models.tiering.points import Potential, grade
from models.tiering.policy import read_policy


@cache
def policy(name="balanced_scorecard"):
    return read_policy(name, base=Path())


def partner(share, *, rules=None, size=100.0, **changes):
    """A partner that earns about the same share of every measure."""
    rules = rules or policy()
    row = {m.feature: m.low + share * (m.high - m.low) for m in rules.measures}
    row |= {"employee_count": size, **changes}
    potential = row.pop("potential_usd", None)
    low, high = (None, None) if potential is None else (0.8 * potential, 1.25 * potential)
    return row, Potential(potential, low, high)


def card(share, *, rules=None, **changes):
    row, potential = partner(share, rules=rules, **changes)
    return grade(rules or policy(), row, potential)
