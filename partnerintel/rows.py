"""Rows to score: every partner, the newest ready-made snapshot of each entity, or those of a file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from data.checks import Finding
from data.errors import DataError
from data.mapping import SnapshotMapping
from partnerintel.datasets import snapshot_of
from partnerintel.settings import Project

AGE = re.compile(r"days since (.+?)(?<! was last above zero)")
KINDS = {"number": "number", "category": "category", "flag": "boolean"}


@dataclass(frozen=True)
class Rows:
    """What is to be scored.

    Attributes:
        keys: Who, and as of when; one row each.
        features: Raw features, aligned with `keys`.
        findings: What was wrong with rows of a file; bad ones are not among `keys`.
        absent: Features of the model that the source does not have; they count as missing.
    """

    keys: Any
    features: Any
    findings: tuple[Finding, ...] = ()
    absent: tuple[str, ...] = ()


def rows_to_score(project: Project, model: str, bundle: Any, *, source: Path | None, now: datetime) -> Rows:
    """The rows of a file, or of everyone.

    Args:
        project: The workspace.
        model: Model name.
        bundle: The model; says what its columns hold.
        source: CSV or Parquet; None: everyone.
        now: Naive UTC; ready-made rows dated later are left out.

    Raises:
        DataError: The file cannot be used, or has none of the model's columns.
    """
    mapping = snapshot_of(project, model)
    if mapping is None and model.partition(".")[0] == "fit":
        from partnerintel.prospect_rows import prospect_rows

        keys, features, findings = prospect_rows(project, source=source, now=now)
        return Rows(keys, _filled(features, bundle), findings)
    if mapping is None and source is None:
        return resident_rows(project)
    authored = mapping or SnapshotMapping(model=model, path="-", entity_id=bundle.spec.entity_id)
    read = _Reading(project, bundle, now)
    found = _of_file(read, authored, source) if source else _newest(read, authored)
    absent = tuple(f.name for f in bundle.spec.features if f.name not in found.features.columns)
    if len(absent) == len(bundle.spec.features):
        raise DataError(
            f"{source or authored.path} has none of the columns that model {model!r} looks at.",
            allowed=", ".join(f.name for f in bundle.spec.features[:8]) + ", …",
            next_step="Columns must bear the names the model was trained with.",
        )
    return Rows(found.keys, _filled(found.features, bundle), found.findings, absent)


def resident_rows(project: Project) -> Rows:
    """The newest features of every partner, and the time they describe."""
    import pandas as pd

    from features.matrix import load_matrix
    from features.store import FeatureStore

    matrix = load_matrix(FeatureStore(project.features, project.workspace.root))
    keys = pd.DataFrame({"partner_id": matrix.partner_ids, "features_as_of": matrix.features_as_of})
    return Rows(keys, matrix.frame.reset_index(drop=True))


@dataclass(frozen=True)
class _Reading:
    """How ready-made columns are read for a model: unlabelled, with the types of its training, up to now."""

    project: Project
    bundle: Any
    now: datetime

    def __call__(self, mapping: SnapshotMapping) -> Any:
        from data.snapshots import read_snapshot

        return read_snapshot(
            mapping,
            base=self.project.data.folder(self.project.workspace.root),
            sources=self.project.data.sources,
            labelled=False,
            kinds=_kinds(self.bundle),
            now=self.now,
        )


def _newest(read: _Reading, mapping: SnapshotMapping) -> Rows:
    """The newest mapped row of each entity; every row where there are no dates."""
    raw = read(mapping)
    rows = _with_past(mapping, raw.frame)
    if mapping.as_of:
        rows = rows.sort_values([*mapping.entity_id, mapping.as_of], kind="stable")
        rows = rows.drop_duplicates(list(mapping.entity_id), keep="last")
    return _split(mapping, rows.reset_index(drop=True), raw.findings)


def _of_file(read: _Reading, mapping: SnapshotMapping, source: Path) -> Rows:
    """The rows of a file; the mapped panel gives what came before them."""
    plain = {"path": str(source.resolve()), "query": None, "source": None, "where": None}
    given = mapping.model_copy(update={**plain, "separator": None, "encoding": None})
    raw = read(given)
    frame = raw.frame.reset_index(drop=True)
    if mapping.as_of is None or not mapping.lags or mapping.path == "-":
        return _split(mapping, _with_past(mapping, frame), raw.findings)
    import pandas as pd

    keys = [*mapping.entity_id, mapping.as_of]
    before = read(mapping).frame
    seen = pd.MultiIndex.from_frame(frame[keys])
    before = before[~pd.MultiIndex.from_frame(before[keys]).isin(seen)]
    both = pd.concat([frame, before[[c for c in frame.columns if c in before]]], ignore_index=True)
    return _split(mapping, _with_past(mapping, both).iloc[: len(frame)], raw.findings)


def _kinds(bundle: Any) -> Mapping[str, Any]:
    """What each raw column held in training, so that a file of three rows is read the same way."""
    kinds = {f.name: KINDS[f.kind] for f in bundle.spec.features}
    ages = [m.group(1) for name in kinds if (m := AGE.fullmatch(name))]
    return {**kinds, **dict.fromkeys(ages, "date")}


def _with_past(mapping: SnapshotMapping, frame: Any) -> Any:
    from features.panel import build_panel

    return build_panel(frame, entity_id=mapping.entity_id, as_of=mapping.as_of, lags=mapping.lags)


def _split(mapping: SnapshotMapping, rows: Any, findings: tuple[Finding, ...]) -> Rows:
    keys = [*mapping.entity_id, *([mapping.as_of] if mapping.as_of else [])]
    return Rows(rows[keys], rows, findings)


def _filled(features: Any, bundle: Any) -> Any:
    """With a column of missing values for each feature the source lacks."""
    import numpy as np
    import pandas as pd

    columns = {
        f.name: features[f.name]
        if f.name in features.columns
        else np.full(len(features), None if f.kind == "category" else np.nan)
        for f in bundle.spec.features
    }
    return pd.DataFrame(columns, index=features.index)
