"""How often people overruled the ranking, and whether they were right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from serving.overrides import Override


def aggregate_overrides(
    history: Sequence[Override], outcomes: Mapping[str, bool], *, at: datetime
) -> dict[str, Any]:
    """Overrides of a list by value: how many, how many hold, and what came of those prospects.

    Args:
        history: All overrides there ever were.
        outcomes: Prospect → whether it succeeded, where it is known.
        at: Moment at which one holds or not, naive UTC.
    """
    found: dict[str, dict[str, Any]] = {}
    for one in history:
        entry = found.setdefault(str(one.value), {"count": 0, "holding": 0, "outcomes": 0, "successes": 0})
        entry["count"] += 1
        entry["holding"] += one.holds(at)
        succeeded = outcomes.get(one.entity_id.partition("/")[2])
        if succeeded is not None:
            entry["outcomes"] += 1
            entry["successes"] += succeeded
    return {"count": len(history), "by_value": dict(sorted(found.items()))}
