"""Which feeds have gone silent: a stale source is not a partner's disengagement."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from data.errors import ConfigError
from features.catalog import VIEWS, definitions
from features.files import write_atomically
from features.settings import EVENT_GROUPS, FeatureSettings
from features.source import Source, TablePaths, open_source
from features.versions import first_midnight, known_since
from features.windows import Grid

DATED_TABLES = ("events", "deals", "certifications", "surveys")
COLUMNS = ("as_of", "source", "last_event_at", "last_known_at")


def feed_states(tables: TablePaths, *, as_ofs: Sequence[date], threads: int = 2) -> Any:
    """What each feed had delivered by each date, over all partners.

    A feed is a value of `events.source`, or a dated table as a whole.

    Args:
        tables: Table name to its files.
        as_ofs: Dates.
        threads: DuckDB threads.

    Returns:
        DataFrame[as_of, source: str, last_event_at, last_known_at], times datetime64[us]; one row for each
        feed that had delivered anything with `event_at < as_of` and `known_at <= as_of`.
    """
    with open_source(tables, threads=threads) as source:
        return states_of(source, as_ofs=as_ofs)


def states_of(source: Source, *, as_ofs: Sequence[date]) -> Any:
    """`feed_states` within a session."""
    grid = Grid.of(as_ofs)
    parts = [_states(source, t, grid) for t in DATED_TABLES if source.has(t)]
    frame = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame({c: [] for c in COLUMNS})
    times = dict.fromkeys(("as_of", "last_event_at", "last_known_at"), "datetime64[us]")
    frame = frame[list(COLUMNS)].astype({**times, "source": object})
    return frame.sort_values(["as_of", "source"], ignore_index=True)


def _states(source: Source, table: str, grid: Grid) -> Any:
    import ibis

    rows = source.table(table)
    known = known_since(rows)
    feed = ibis.coalesce(rows.source, ibis.literal(table)) if table == "events" else ibis.literal(table)
    days = rows.select(
        source=feed, day=rows.event_at.date(), known_day=first_midnight(known), at=rows.event_at, known=known
    )
    days = days.group_by("source", "day", "known_day").agg(at=days["at"].max(), known=days.known.max())
    days = days.mutate(event_day=days.day.delta(ibis.date(1970, 1, 1), unit="day"))
    dates = grid.table()
    days = days.join(dates, [days.event_day < dates.as_of, days.known_day <= dates.as_of])
    named = days.group_by("as_of", "source").agg(
        last_event_at=days["at"].max(), last_known_at=days.known.max()
    )
    frame = named.to_pyarrow().to_pandas()
    whole = frame.groupby("as_of", as_index=False)[["last_event_at", "last_known_at"]].max()
    frame = pd.concat([frame[frame["source"] != table], whole.assign(source=table)], ignore_index=True)
    frame["as_of"] = frame["as_of"].to_numpy().astype("datetime64[D]").astype("datetime64[us]")
    return frame


def save_feed_states(path: Path, states: Any) -> None:
    """Replace the stored states of the dates given, atomically; other dates stay."""
    if path.is_file():
        before = pd.read_parquet(path)
        before = before[~before["as_of"].isin(states["as_of"])]
        states = pd.concat([before, states], ignore_index=True) if len(before) else states
    states = states.sort_values(["as_of", "source"], ignore_index=True)
    write_atomically(path, lambda p: states.to_parquet(p, index=False))


def read_feed_states(path: Path, *, as_of: date | None = None) -> Any:
    """The stored states of one date (None: the newest); no rows when nothing is stored."""
    try:
        states = pd.read_parquet(path)
    except FileNotFoundError:
        return pd.DataFrame({c: [] for c in COLUMNS})
    chosen = states["as_of"].max() if as_of is None else pd.Timestamp(as_of)
    return states[states["as_of"] == chosen].reset_index(drop=True)


def stale_sources(states: Any, *, as_of: date | datetime, settings: FeatureSettings) -> set[str]:
    """Configured feeds whose last event, of any partner, is longer ago than they allow.

    A feed that never delivered anything is not stale but absent: its features are missing.

    Args:
        states: Rows of one date from `feed_states`.
        as_of: The moment to judge from; the present when serving.
        settings: `feeds:` section.
    """
    last = dict(zip(states["source"], states["last_event_at"], strict=True))
    return {
        name
        for name, feed in settings.feeds.items()
        if name in last and pd.Timestamp(as_of) - last[name] > pd.Timedelta(days=feed.stale_after_days)
    }


def stale_views(states: Any, *, as_of: date | datetime, settings: FeatureSettings) -> set[str]:
    """Views, and event groups such as `login`, that a stale feed feeds."""
    stale = stale_sources(states, as_of=as_of, settings=settings)
    return {fed for name in stale for fed in settings.feeds[name].feeds}


def stale_features(stale: set[str] | frozenset[str]) -> set[str]:
    """Feature names behind views and event groups, as `stale_views` returns them.

    Raises:
        ConfigError: A name is neither.
    """
    found: set[str] = set()
    for name in stale:
        if name in VIEWS:
            found |= set(VIEWS[name][0].columns)
        elif name in EVENT_GROUPS:
            found |= {f for f in definitions() if f.startswith(f"{name}_") or f == f"days_since_last_{name}"}
        else:
            raise ConfigError(f"{name!r} is neither a view nor an event group.", allowed=", ".join(VIEWS))
    return found
