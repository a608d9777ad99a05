"""Which columns can tell anything: the rest is left out, with the reason."""

from __future__ import annotations

from typing import Any

from training.dataset import DroppedColumn

IDENTIFIER_SHARE = 0.5
IDENTIFIER_LEVELS = 50


def useless_columns(frame: Any, columns: list[str]) -> tuple[DroppedColumn, ...]:
    """Columns without any value, with one value only, or whose text names the row rather than describes it.

    Args:
        frame: Raw feature columns.
        columns: Those to look at.
    """
    found = []
    for name in columns:
        why = _why(frame[name])
        if why:
            found.append(DroppedColumn(name, why))
    return tuple(found)


def _why(column: Any) -> str:
    seen = column.dropna()
    if not len(seen):
        return "all missing"
    levels = int(seen.nunique())
    if levels == 1 and len(seen) == len(column):
        return f"constant: always {seen.iloc[0]}"
    text = column.dtype.kind not in "biuf"
    if text and levels > IDENTIFIER_LEVELS and levels > IDENTIFIER_SHARE * len(seen):
        return f"looks like an identifier: {levels} different values in {len(seen)} rows"
    return ""
