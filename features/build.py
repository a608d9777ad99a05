"""Build every view for a list of dates, from canonical rows to frames."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np

from data.errors import MissingDataError
from features.buckets import Bucket, build_buckets
from features.catalog import VIEWS
from features.definition import ViewDefinition
from features.firmographics import partners_at
from features.inputs import KEYS, Inputs
from features.settings import FeatureSettings
from features.source import Source, TablePaths, open_source
from features.windows import Grid

Progress = Callable[[str], None]


def build_features(
    tables: TablePaths,
    *,
    as_ofs: Sequence[date],
    settings: FeatureSettings,
    views: Sequence[str] | None = None,
    threads: int = 2,
) -> dict[str, Any]:
    """Features of every partner at every date, as they were known then.

    A feature at `as_of` (midnight UTC) uses rows with `event_at < as_of` and `known_at <= as_of`, each record
    in its last version known by then. The order of rows and files, repetitions and batches change no bit.

    Args:
        tables: Table name to its Parquet files, all versions; `partners` is needed, the rest is optional.
        as_ofs: Dates, in any order.
        settings: Event groups and windows.
        views: View names; None: all.
        threads: DuckDB threads.

    Returns:
        View name to DataFrame[partner_id: str, as_of: datetime64[us], features], sorted by as_of, partner_id.
        Numbers are float64 with NaN for missing, categories str with None.

    Raises:
        MissingDataError: There is no partners table.
    """
    if not as_ofs:
        return {}
    with open_source(tables, threads=threads) as source:
        require_partners(source)
        buckets: dict[str, Bucket] = {}
        for table in ("events", "deals"):
            buckets |= build_buckets(source, table, settings=settings)
        inputs = assemble(source, buckets, as_ofs=as_ofs, settings=settings)
        return {name: build_view(name, inputs) for name in views or VIEWS}


def require_partners(source: Source) -> None:
    """Refuse a lake without partners.

    Raises:
        MissingDataError: There is no partners table.
    """
    if not source.has("partners"):
        raise MissingDataError(
            "No table `partners` in the lake.",
            next_step="Map it under `tables:` in partnerintel.yaml and run `partnerintel ingest`.",
            pointer="partners",
        )


def assemble(
    source: Source, buckets: Mapping[str, Bucket], *, as_ofs: Sequence[date], settings: FeatureSettings
) -> Inputs:
    """The inputs of a build, the rows of the result decided."""
    grid = Grid.of(as_ofs)
    base = source.keep("base", partners_at(source, grid))
    return Inputs(source, grid, settings, base, buckets)


def build_view(name: str, inputs: Inputs) -> Any:
    """One view as a frame; features without their source are missing everywhere."""
    definition, build = VIEWS[name]
    rows = build(inputs)
    if rows is None:
        rows = inputs.base.select(*KEYS)
    found = [c for c in definition.columns if c in rows.columns]
    rows = rows.select(*KEYS, *found).order_by("as_of", "partner_id")
    return _tidy(rows.to_pyarrow().to_pandas(), definition)


def _tidy(frame: Any, definition: ViewDefinition) -> Any:
    """Dates as timestamps, fixed column types, missing columns added as missing."""
    days = frame["as_of"].to_numpy()
    frame["as_of"] = days.astype("datetime64[D]").astype("datetime64[us]")
    frame["partner_id"] = frame["partner_id"].astype(object)
    for feature in definition.features:
        if feature.name not in frame.columns:
            frame[feature.name] = None if feature.kind == "category" else np.nan
        kind = object if feature.kind == "category" else np.float64
        frame[feature.name] = frame[feature.name].astype(kind)
    return frame[[*KEYS, *definition.columns]]
