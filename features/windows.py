"""Building blocks over bucketed rows, for many dates at once: window sums, recency, distinct counts, trends.

Two reductions keep this cheap. A row matters from the first `as_of` at which it counts, so the day it became
known is replaced by that date. And days between two neighbouring cut points (an `as_of`, or an `as_of` less a
window) can be told apart by no window, so they are summed to one cell. What is then joined with the dates is
small.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from features.buckets import Bucket

EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class Grid:
    """The dates features are built for.

    Attributes:
        days: Midnights as days since 1970-01-01, ascending, no repetition, at least one.
    """

    days: tuple[int, ...]

    @classmethod
    def of(cls, as_ofs: Sequence[date]) -> Grid:
        """From dates in any order."""
        return cls(tuple(sorted({(a - EPOCH).days for a in as_ofs})))

    @property
    def end(self) -> int:
        """A day after every date: `until` of what does not end."""
        return self.days[-1] + 1

    def table(self) -> Any:
        """The dates as a table of `as_of`."""
        return _memtable(as_of=np.array(self.days, dtype=np.int32))

    def next_dates(self) -> Any:
        """Each day up to `end`, and the first date at or after it (`end` after the last)."""
        day = np.arange(self.days[0], self.end + 1, dtype=np.int32)
        at = np.searchsorted(np.array(self.days), day)
        return _memtable(day=day, date=np.array((*self.days, self.end), dtype=np.int32)[at])

    def cells(self, windows: Sequence[int]) -> Any:
        """Each day that some window reaches, and the first day of its cell."""
        cuts = np.array(sorted({d - w for d in self.days for w in (0, *windows)}), dtype=np.int32)
        day = np.arange(cuts[0], self.days[-1], dtype=np.int32)
        return _memtable(day=day, cell=cuts[np.searchsorted(cuts, day, side="right") - 1])


def _memtable(**columns: Any) -> Any:
    import ibis

    return ibis.memtable(pd.DataFrame(columns))


def counted(bucket: Bucket, grid: Grid) -> Any:
    """Rows that count at some date, with `first` and `until`: they count at first <= as_of < until."""
    import ibis

    rows, dates = bucket.rows, grid.next_dates()
    start = ibis.greatest(rows.known_day, rows.event_day + 1, grid.days[0]).cast("int32")
    rows = rows.mutate(_day=start)
    rows = rows.filter(rows._day <= grid.days[-1], rows._day < rows.gone_day)
    rows = rows.join(dates, rows._day == dates.day).drop("day", "_day").rename(first="date")
    if not bucket.corrected:
        return rows.mutate(until=ibis.literal(grid.end).cast("int32")).drop("known_day", "gone_day")
    again = dates.view()
    rows = rows.mutate(_day=ibis.least(rows.gone_day, grid.end).cast("int32"))
    rows = rows.join(again, rows._day == again.day).drop("day", "_day").rename(until="date")
    return rows.filter(rows.first < rows.until).drop("known_day", "gone_day")


def at_dates(rows: Any, grid: Grid, *, reach: int | None = None) -> Any:
    """Join counted rows with the dates they count at; `reach`: only those whose `cell` is in this window."""
    dates = grid.table()
    where = [rows.first <= dates.as_of, dates.as_of < rows.until]
    if reach is not None:
        where.append(rows.cell >= dates.as_of - reach)
    return rows.join(dates, where)


def window_sums(rows: Any, grid: Grid, wanted: Mapping[str, tuple[str, int]]) -> Any:
    """Sums of measures over windows.

    Args:
        rows: Counted rows with integer measures.
        grid: Dates.
        wanted: Column name to (measure, days): the sum over event days in [as_of - days, as_of).

    Returns:
        partner_id, as_of and the wanted columns (int64), for partners with a row in the longest window.
    """
    measures = sorted({m for m, _ in wanted.values()})
    windows = sorted({w for _, w in wanted.values()})
    cells = grid.cells(windows)
    rows = rows.join(cells, rows.event_day == cells.day)
    rows = rows.group_by("partner_id", "cell", "first", "until").agg(**{m: rows[m].sum() for m in measures})
    rows = at_dates(rows, grid, reach=windows[-1])
    sums = {
        name: rows[m].sum(where=rows.cell >= rows.as_of - w).fill_null(0).cast("int64")
        for name, (m, w) in wanted.items()
    }
    return rows.group_by("partner_id", "as_of").agg(**sums)


def extreme_days(rows: Any, grid: Grid, *, last: str | None = None, first: str | None = None) -> Any:
    """Last and first event day as known at each date, however long ago.

    Args:
        rows: Counted rows in which the event happened.
        grid: Dates.
        last: Name of the column with days from the last event to `as_of`; None: not wanted.
        first: The same for the first event.
    """
    rows = rows.group_by("partner_id", "first", "until").agg(hi=rows.event_day.max(), lo=rows.event_day.min())
    rows = at_dates(rows, grid)
    wanted = {}
    if last:
        wanted[last] = (rows.as_of.max() - rows.hi.max()).cast("float64")
    if first:
        wanted[first] = (rows.as_of.max() - rows.lo.min()).cast("float64")
    return rows.group_by("partner_id", "as_of").agg(**wanted)


def distinct_items(rows: Any, grid: Grid, wanted: Mapping[str, int]) -> Any:
    """Number of different items in windows: those whose last day, as known then, is in the window.

    Args:
        rows: Counted rows with `item`.
        grid: Dates.
        wanted: Column name to days.
    """
    rows = rows.group_by("partner_id", "item", "first", "until").agg(cell=rows.event_day.max())
    rows = at_dates(rows, grid, reach=max(wanted.values()))
    rows = rows.group_by("partner_id", "item", "as_of").agg(cell=rows.cell.max())
    counts = {n: rows.count(where=rows.cell >= rows.as_of - w) for n, w in wanted.items()}
    return rows.group_by("partner_id", "as_of").agg(**counts)


def present_days(rows: Any, grid: Grid, *, corrected: bool) -> Any:
    """Each day with an event once: at any date at most one row of a partner and day counts.

    Args:
        rows: Counted rows in which the event happened.
        grid: Dates.
        corrected: Whether some row has an end; days with such a row are given one row a date.

    Returns:
        Counted rows with the measure `one`.
    """
    import ibis

    end, one = ibis.literal(grid.end).cast("int32"), ibis.literal(1).cast("int64")
    day = ["partner_id", "event_day"]
    if not corrected:
        return rows.group_by(day).agg(first=rows.first.min()).mutate(until=end, one=one)
    ended = rows.filter(rows.until < grid.end).select(day).distinct()
    plain = rows.anti_join(ended, day)
    plain = plain.group_by(day).agg(first=plain.first.min()).mutate(until=end, one=one)
    touched = at_dates(rows.semi_join(ended, day), grid).select(*day, first="as_of").distinct()
    touched = touched.mutate(until=(touched.first + 1).cast("int32"), one=one)
    return plain.union(touched)


def live_since(bucket: Bucket, **measures: str | None) -> Any:
    """One row: from which day on a column has ever held something known, for the whole channel.

    Before that day the source is silent for everybody and a count is missing, not zero.

    Args:
        bucket: Rows.
        **measures: Column name to a measure that must be positive, or None for any row.
    """
    import ibis

    rows = bucket.rows
    start = ibis.greatest(rows.known_day, rows.event_day + 1)
    return rows.aggregate(
        **{n: start.min() if m is None else start.min(where=rows[m] > 0) for n, m in measures.items()}
    )


def trend(short: Any, long: Any, *, share: float) -> Any:
    """ln((short + 1) / (long · share + 1)): 0 is steady, above 0 is more than usual, below 0 less."""
    return ((short + 1) / (long * share + 1)).ln()
