"""Snapshots on disk: a Parquet file for each view and date, replaced atomically, remade only when stale."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import reduce
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from data.errors import MissingDataError
from features.bucket_store import stored_buckets
from features.buckets import Bucket
from features.build import assemble, build_features, build_view, require_partners
from features.catalog import VIEWS, view
from features.files import write_atomically
from features.fingerprint import Fingerprint, still_holds, view_fingerprint
from features.freshness import save_feed_states, states_of
from features.inputs import KEYS
from features.layout import CREATED, EVENT_US, SEQUENCE, feeds_path, saved_as_ofs, snapshot_path
from features.settings import FeatureSettings
from features.source import Source, lake_paths, open_source
from features.windows import EPOCH

__all__ = [
    "BuildReport",
    "build_and_save",
    "build_features",
    "read_snapshots",
    "saved_as_ofs",
    "snapshot_path",
]

_MADE_FROM = b"partnerintel.made_from"


@dataclass(frozen=True)
class BuildReport:
    """What a build did.

    Attributes:
        built: View name to the dates that were made anew.
        kept: Number of snapshots that still held.
    """

    built: dict[str, tuple[date, ...]]
    kept: int

    @property
    def built_count(self) -> int:
        """Number of snapshots made anew."""
        return sum(len(dates) for dates in self.built.values())


def build_and_save(
    root: Path,
    *,
    lake: Any,
    as_ofs: Sequence[date],
    settings: FeatureSettings,
    views: Sequence[str] | None = None,
    threads: int = 2,
    progress: Callable[[str, int, int], None] | None = None,
) -> BuildReport:
    """Bring the snapshots of every view up to date for the given dates.

    Args:
        root: `<workspace>/features`.
        lake: `data.lake.Lake`.
        as_ofs: Dates; snapshots of other dates are left alone.
        settings: Feature settings.
        views: View names; None: all.
        threads: DuckDB threads.
        progress: Called with (view, views done, views in all).

    Raises:
        MissingDataError: There is no partners table.
    """
    tables = lake_paths(lake)
    dates, names = sorted(set(as_ofs)), [view(n).name for n in (views or VIEWS)]
    built: dict[str, tuple[date, ...]] = {}
    with open_source(tables, threads=threads) as source:
        require_partners(source)
        for done, name in enumerate(names):
            if progress:
                progress(name, done, len(names))
            built[name] = _build_stale(root, name, source, dates=dates, settings=settings)
        if any(built.values()) or not feeds_path(root).is_file():
            save_feed_states(feeds_path(root), states_of(source, as_ofs=dates))
        if progress:
            progress("", len(names), len(names))
    return BuildReport(built, len(dates) * len(names) - sum(map(len, built.values())))


def _build_stale(
    root: Path, name: str, source: Source, *, dates: Sequence[date], settings: FeatureSettings
) -> tuple[date, ...]:
    definition = view(name)
    now = view_fingerprint(definition, source.paths, settings=settings)
    stale = [d for d in dates if not _holds(snapshot_path(root, name, d), now, d, source)]
    if not stale:
        return ()
    buckets: dict[str, Bucket] = {}
    for table in ("events", "deals"):
        if table in definition.tables:
            buckets |= stored_buckets(root / "buckets", source, table, settings=settings)
    frame = build_view(name, assemble(source, buckets, as_ofs=stale, settings=settings))
    by_date = dict(tuple(frame.groupby("as_of", sort=True)))
    for day in stale:
        rows = by_date.get(pd.Timestamp(day), frame.iloc[:0])
        _save(snapshot_path(root, name, day), _with_order(rows, name), now)
    return tuple(stale)


def _holds(path: Path, now: Fingerprint, day: date, source: Source) -> bool:
    try:
        stored = Fingerprint.of_document(json.loads(pq.read_metadata(path).metadata[_MADE_FROM]))
    except (FileNotFoundError, KeyError, ValueError, pa.ArrowInvalid):
        return False
    return still_holds(stored, now, day=(day - EPOCH).days, source=source)


def _save(path: Path, rows: Any, made_from: Fingerprint) -> None:
    table = pa.Table.from_pandas(rows, schema=_schema(rows.columns), preserve_index=False)
    document = json.dumps(made_from.document(), sort_keys=True).encode()
    table = table.replace_schema_metadata({_MADE_FROM: document})
    write_atomically(path, lambda p: pq.write_table(table, p, compression="zstd"))


def _with_order(rows: Any, name: str) -> Any:
    """With what Feast and our ordering rule read: a snapshot was known, and first written, at its date."""
    event_us = rows["as_of"].astype("int64")
    order = {CREATED: rows["as_of"], EVENT_US.format(name): event_us, SEQUENCE.format(name): 0 * event_us}
    return rows.assign(**order)


def _schema(columns: Sequence[str]) -> pa.Schema:
    """Microseconds always: Feast cannot materialise nanoseconds."""
    text = {f.name for v, _ in VIEWS.values() for f in v.features if f.kind == "category"} | {"partner_id"}
    kinds = dict.fromkeys(text, pa.string()) | dict.fromkeys(("as_of", CREATED), pa.timestamp("us"))
    whole = {name.format(view) for name in (EVENT_US, SEQUENCE) for view in VIEWS}
    kinds |= dict.fromkeys(whole, pa.int64())
    return pa.schema((c, kinds.get(c, pa.float64())) for c in columns)


def read_snapshots(
    root: Path, *, views: Sequence[str] | None = None, as_ofs: Sequence[date] | None = None
) -> Any:
    """Snapshots side by side in one wide frame.

    Args:
        root: `<workspace>/features`.
        views: View names, which also set the column order; None: all.
        as_ofs: Dates; None: all there are.

    Returns:
        DataFrame[partner_id, as_of, features], sorted by as_of and partner_id.

    Raises:
        MissingDataError: A snapshot asked for is not there.
    """
    names = [view(n).name for n in (views or VIEWS)]
    dates = sorted(set(saved_as_ofs(root, views=names) if as_ofs is None else as_ofs))
    frames = [_read_view(root, n, dates) for n in names]
    wide = reduce(lambda left, right: left.merge(right, on=list(KEYS), how="outer"), frames)
    return wide.sort_values(["as_of", "partner_id"], ignore_index=True)


def _read_view(root: Path, name: str, dates: Sequence[date]) -> Any:
    paths = [snapshot_path(root, name, d) for d in dates]
    missing = [p for p in paths if not p.is_file()]
    if missing or not paths:
        given = missing[0].stem.removeprefix("as_of=") if missing else "any date"
        raise MissingDataError(
            f"There is no snapshot of {name} for {given}.",
            next_step="Run `partnerintel features`.",
            pointer=name,
        )
    columns = [*KEYS, *view(name).columns]
    return pa.concat_tables([pq.read_table(p, columns=columns) for p in paths]).to_pandas()
