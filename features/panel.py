"""Ready-made columns over time: dates become ages, and an entity's earlier snapshots become lags and trends.

A row uses itself and earlier rows of the same entity, never a later one. Which columns come out depends on
the types of those that go in and on nothing else, so training and scoring give the same columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from data.errors import DataError

AGE = "days since {}"
LAG = "{} (snapshot before)"
CHANGE = "{} (change)"
MEAN = "{} (mean of 3 snapshots)"
TREND = "{} (against mean of 3 before)"
SINCE_ACTIVE = "days since {} was last above zero"
SINCE_FIRST = "days_since_first_snapshot"
_SNAPSHOTS = 3


def build_panel(frame: Any, *, entity_id: Sequence[str], as_of: str | None, lags: bool = True) -> Any:
    """Add what the past of an entity says.

    Args:
        frame: Entity columns, the date column, and feature columns: numbers, dates, yes/no, categories; one
            row for each entity and date, in any order. To score, hand in earlier rows of the entities too.
        entity_id: Columns that identify an entity.
        as_of: The date column, or None: then dates are dropped, because nothing says how old they are, and
            there are no lags, because nothing says what came first.
        lags: Whether earlier snapshots become columns.

    Returns:
        A frame with the same rows, order and index: entity columns, the date column, then features. Date
        columns become `days since <column>` (negative: still to come). With lags, each number or yes/no
        column <c> gets `<c> (snapshot before)`, `<c> (change)` since then, `<c> (mean of 3 snapshots)` (this
        one and up to two before), `<c> (against mean of 3 before)`; each number column also
        `days since <c> was last above zero` (this snapshot included). NaN where there is no past.

    Raises:
        DataError: An entity has two rows of one date.
    """
    keys = [*entity_id, *([as_of] if as_of else [])]
    features = [c for c in frame.columns if c not in keys]
    dates = [c for c in features if _is_date(frame[c])]
    plain = frame[keys + [c for c in features if c not in dates]]
    if as_of is None:
        return plain.copy()
    _check_unique(frame, keys)
    ages = {AGE.format(c): _days(frame[as_of], frame[c]) for c in dates}
    result = plain.assign(**ages)
    if not lags:
        return result
    past = _Past(plain, list(entity_id), as_of)
    return result.assign(**past.columns([c for c in plain.columns if c not in keys]))


class _Past:
    """Rows sorted by entity and date, and ways to look back from each."""

    def __init__(self, frame: Any, entity_id: list[str], as_of: str) -> None:
        self.frame = frame
        self.at = frame.reset_index(drop=True).sort_values([*entity_id, as_of], kind="stable")
        self.entity = self.at.groupby(entity_id, sort=False, dropna=False).ngroup()
        self.day = self.at[as_of].astype("datetime64[us]")

    def columns(self, names: list[str]) -> dict[str, Any]:
        """The new columns, in the order of the original frame."""
        first = self.day.groupby(self.entity).transform("first")
        new = {SINCE_FIRST: self._back(_days(self.day, first))}
        for name in names:
            series = self.at[name]
            if _is_number(series):
                new |= self._lags(name, series)
                if not _is_flag(series):
                    new[SINCE_ACTIVE.format(name)] = self._back(self._since_active(series))
        return new

    def _lags(self, name: str, series: Any) -> dict[str, Any]:
        values = series.astype("float64")
        group = values.groupby(self.entity)
        before = group.shift(1)
        mean = _rolling_mean(values, self.entity)
        return {
            LAG.format(name): self._back(before),
            CHANGE.format(name): self._back(values - before),
            MEAN.format(name): self._back(mean),
            TREND.format(name): self._back(values - mean.groupby(self.entity).shift(1)),
        }

    def _since_active(self, series: Any) -> Any:
        active = self.day.where(series.astype("float64") > 0)
        return _days(self.day, active.groupby(self.entity).ffill())

    def _back(self, values: Any) -> Any:
        """Values in the order of the original frame."""
        return values.sort_index().to_numpy(dtype="float64")


def _rolling_mean(values: Any, entity: Any) -> Any:
    """Mean of a row and up to two rows before it, missing ones left out.

    Summed from shifts and not by a running total, whose rounding would depend on how long the past is.
    """
    import pandas as pd

    group = values.groupby(entity)
    stacked = np.vstack([group.shift(back).to_numpy() for back in range(_SNAPSHOTS)])
    count = (~np.isnan(stacked)).sum(axis=0)
    total = np.nansum(stacked, axis=0)
    mean = np.divide(total, count, out=np.full(len(values), np.nan), where=count > 0)
    return pd.Series(mean, index=values.index)


def _days(later: Any, earlier: Any) -> Any:
    """Days from one date column to another, as float64."""
    span = later.astype("datetime64[us]") - earlier.astype("datetime64[us]")
    return span / np.timedelta64(1, "D")


def _check_unique(frame: Any, keys: list[str]) -> None:
    twice = frame.duplicated(keys)
    if twice.any():
        first = frame.loc[twice, keys].iloc[0]
        raise DataError(
            "An entity has two snapshots of one date: " + ", ".join(f"{k} {first[k]}" for k in keys) + ".",
            next_step="Keep one row for each entity and date.",
        )


def _is_date(series: Any) -> bool:
    from pandas.api.types import is_datetime64_any_dtype

    return bool(is_datetime64_any_dtype(series))


def _is_number(series: Any) -> bool:
    from pandas.api.types import is_numeric_dtype

    return bool(is_numeric_dtype(series))


def _is_flag(series: Any) -> bool:
    from pandas.api.types import is_bool_dtype

    return bool(is_bool_dtype(series))
