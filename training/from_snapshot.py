"""Training data from ready-made columns: one row for each entity and date, with its label."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from data.errors import ConfigError
from data.mapping import SnapshotMapping
from features.panel import build_panel
from models.catalog import specs
from models.scorecard import Scorecard
from models.spec import ModelSpec
from training.columns import useless_columns
from training.dataset import Dataset, DroppedColumn

DERIVED = re.compile(
    r"(.+) \((?:snapshot before|change|mean of 3 snapshots|against mean of 3 before)\)"
    r"|days since (.+) was last above zero|days since (.+)"
)


def from_snapshot(mapping: SnapshotMapping, snapshot: Any, *, scorecard: Scorecard | None = None) -> Dataset:
    """Rows of a snapshot mapping as a data set; columns named `post_outcome` never take part.

    Args:
        mapping: What the columns mean.
        snapshot: `data.snapshots.SnapshotFrame` read by it.
        scorecard: The customer's own, on these columns.

    Raises:
        ConfigError: There is no label, or dated rows without `horizon_days`.
    """
    if snapshot.label is None:
        raise ConfigError(
            f"The snapshots of model {mapping.model} have no label.", next_step="Name the column in `label:`."
        )
    if mapping.as_of and not mapping.horizon_days:
        raise ConfigError(
            f"The snapshots of model {mapping.model} have dates and no horizon.",
            allowed="horizon_days: days from as_of until the label is known",
            next_step="Without it training could use labels that were not known yet.",
        )
    raw = snapshot.frame.reset_index(drop=True)
    panel = build_panel(raw, entity_id=mapping.entity_id, as_of=mapping.as_of, lags=mapping.lags)
    panel = panel.reset_index(drop=True)
    apart = _apart(mapping)
    features = [c for c in panel.columns if c not in apart]
    dropped = tuple(DroppedColumn(c, why) for c, why in snapshot.dropped)
    dropped += useless_columns(panel, features)
    features = [c for c in features if c not in {d.column for d in dropped}]
    return Dataset(
        _spec(mapping, panel[features]),
        _frame(mapping, snapshot, panel[features]),
        _outcomes(mapping, raw, np.asarray(snapshot.label)),
        None,
        horizon_days=mapping.horizon_days or 0,
        gap_days=mapping.horizon_days or 0,
        scorecard=scorecard,
        dropped=dropped,
        source="snapshot",
        bands=mapping.bands,
        about=_about(mapping),
    )


def _apart(mapping: SnapshotMapping) -> set[str]:
    """Columns that are not features."""
    named = {mapping.as_of, mapping.label, mapping.group, mapping.order_by, "as_of", "label"}
    return {c for c in named if c} | set(mapping.entity_id) | set(mapping.post_outcome)


def _frame(mapping: SnapshotMapping, snapshot: Any, features: Any) -> Any:
    raw = snapshot.frame.reset_index(drop=True)
    keys = {c: raw[c].astype(str) for c in mapping.entity_id}
    entity = _joined(keys.values())
    parts: dict[str, Any] = {"row_id": np.arange(len(raw), dtype=np.int64), **keys}
    if mapping.as_of:
        parts["as_of"] = raw[mapping.as_of].astype("datetime64[us]")
    group = None if snapshot.group is None else snapshot.group.reset_index(drop=True).astype(object)
    parts["group"] = entity if group is None else group.where(group.notna(), entity).astype(str)
    if snapshot.order is not None and not mapping.as_of:
        parts["order"] = _order(snapshot.order.reset_index(drop=True))
    taken = [c for c in features.columns if c in parts]
    if taken:
        raise ConfigError(
            f"Column {taken[0]!r} of the snapshots has a name that is used here.", next_step="Rename it."
        )
    return pd.concat([pd.DataFrame(parts), features], axis=1)


def _order(column: Any) -> Any:
    """Rank of each row; rows without a value come first."""
    numbers = column.astype("int64") if column.dtype.kind == "M" else pd.to_numeric(column, errors="coerce")
    return numbers.rank(method="dense", na_option="top").astype("float64")


def _joined(columns: Any) -> Any:
    first, *rest = columns
    for other in rest:
        first = first + "\x1f" + other
    return first


def _outcomes(mapping: SnapshotMapping, raw: Any, label: Any) -> Any:
    y = pd.to_numeric(pd.Series(label), errors="coerce").to_numpy(dtype=float)
    known = pd.Series(np.datetime64("NaT", "us"), index=range(len(raw)), dtype="datetime64[us]")
    if mapping.as_of and mapping.horizon_days:
        known = pd.to_datetime(raw[mapping.as_of]).astype("datetime64[us]") + pd.Timedelta(
            days=mapping.horizon_days
        )
    frame = pd.DataFrame(
        {
            "row_id": np.arange(len(raw), dtype=np.int64),
            "horizon_days": np.int64(mapping.horizon_days or 0),
            "y": y,
            "known_at": known,
        }
    )
    return frame[np.isfinite(y)].reset_index(drop=True)


def _spec(mapping: SnapshotMapping, features: Any) -> ModelSpec:
    """One feature per column; an authored model of that name gives title, sense and directions."""
    authored = specs().get(mapping.model)
    found = ModelSpec.from_columns(
        mapping.model,
        features,
        entity_id=mapping.entity_id,
        horizons_days=(mapping.horizon_days,) if mapping.horizon_days else (),
        adverse=bool(authored and authored.adverse),
        output="ordered" if mapping.bands else "probability",
    )
    known = {f.name: f for f in authored.features} if authored else {}
    features_ = tuple(known.get(f.name) or replace(f, factor=_origin(f.name)) for f in found.features)
    if authored is None:
        return replace(found, features=features_)
    return replace(found, title=authored.title, directions=authored.directions, features=features_)


def _origin(name: str) -> str:
    """The column a lag, change or age was made from, so that all of them are one reason."""
    match = DERIVED.fullmatch(name)
    return next(g for g in match.groups() if g) if match else name


def _about(mapping: SnapshotMapping) -> tuple[tuple[str, str], ...]:
    within = f" within {mapping.horizon_days} days" if mapping.horizon_days else ""
    facts: Sequence[tuple[str, str]] = (
        ("Outcome", f"{mapping.label}{within}"),
        (
            "Population",
            f"rows of {mapping.path or 'the query'}, one for each " + ", ".join(mapping.entity_id),
        ),
        ("Dates", f"as_of from {mapping.as_of}" if mapping.as_of else "undated"),
    )
    return tuple(facts)
