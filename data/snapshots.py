"""Feature snapshots: rows of (entity, as_of, ready-made columns, label) from the customer's own warehouse."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from data.checks import Finding, finding, refusal
from data.columns import ColumnKind, Profile
from data.connectors import load_source
from data.connectors.source import FILE, ROW, Source
from data.convert import kind_of
from data.labels import parse_label
from data.lake import connect
from data.mapping import SnapshotMapping, SourceSettings, nearest
from data.typedframe import read_typed

Progress = Callable[[str, float], None]
_UNIQUE_SHARE, _UNIQUE_COUNT = 0.5, 20
DAY_TOLERANCE = timedelta(days=1)
"""Dates have no time zone: east of Greenwich it may already be tomorrow."""


@dataclass(frozen=True)
class SnapshotFrame:
    """A snapshot, typed, without the columns that may not be used.

    Attributes:
        frame: Entity columns (text), the date column under its own name (datetime64[us], midnight UTC) and
            the feature columns: numbers float64, dates datetime64[us], yes/no boolean, categories text
            (None: missing).
            With labels the rows are sorted by as_of and entity, else they stand as in the file.
        entity_id: Entity columns.
        as_of: Name of the date column, or None.
        label: float64 aligned with `frame`, NaN where unknown; None when none was asked for.
        kinds: What each feature column holds.
        group: Text aligned with `frame`, or None.
        order: Numbers or dates aligned with `frame`, or None.
        bands: Least values of the second, third… class of a numeric label.
        rows: Line or row of the file, aligned with `frame`.
        dropped: (column, why).
        findings: Bad rows and warnings.
        rows_in: Rows read = rows of `frame` + rows_quarantined + rows_duplicate.
        rows_quarantined: Bad rows; each has a finding.
        rows_duplicate: Exact repetitions.
    """

    frame: Any
    entity_id: tuple[str, ...]
    as_of: str | None
    label: Any | None
    kinds: dict[str, ColumnKind]
    group: Any | None
    order: Any | None
    bands: tuple[float, ...]
    rows: Any
    dropped: tuple[tuple[str, str], ...]
    findings: tuple[Finding, ...]
    rows_in: int
    rows_quarantined: int
    rows_duplicate: int


def read_snapshot(
    mapping: SnapshotMapping,
    *,
    base: Path,
    sources: Mapping[str, SourceSettings] | None = None,
    labelled: bool = True,
    kinds: Mapping[str, ColumnKind] | None = None,
    now: datetime | None = None,
    progress: Progress | None = None,
) -> SnapshotFrame:
    """Read a snapshot mapping.

    Args:
        mapping: One entry of `snapshots:`.
        base: Folder that relative paths start from (`DataSettings.folder`).
        sources: Databases by name.
        labelled: Read the label and drop useless columns, to learn; False reads rows to be scored, whose
            label and later columns may be absent.
        kinds: What columns must hold, as an earlier reading found; others are looked into.
        now: Naive UTC; rows dated more than a day later are quarantined. None: any date is taken.
        progress: Called with a label and the share done.

    Raises:
        DataError: A named column is absent, the label has one class, an entity appears twice at one date, or
            the input cannot be read.
    """
    tell = progress or (lambda _label, _share: None)
    named = _named(mapping, labelled=labelled)
    with connect() as connection:
        source = load_source(
            connection,
            mapping,
            root=base,
            sources=sources or {},
            relation="raw",
            table=mapping.model,
            expected=named,
            progress=tell,
        )
        _check_columns(source, named, mapping)
        reader = _Reader(connection, source, mapping, labelled=labelled, kinds=kinds or {}, now=now)
        return reader.read()


def _named(mapping: SnapshotMapping, *, labelled: bool) -> list[str]:
    """Columns that must be there."""
    names = [*mapping.entity_id, *([mapping.as_of] if mapping.as_of else [])]
    if labelled:
        names += [n for n in (mapping.label, mapping.group, mapping.order_by) if n]
        names += mapping.post_outcome
    return names


def _check_columns(source: Source, named: list[str], mapping: SnapshotMapping) -> None:
    for name in named:
        if name not in source.columns:
            near = nearest(name, source.columns)
            raise refusal(
                "PI-D005",
                f"{mapping.model}: {source.name} has no column {name!r}",
                allowed=", ".join(source.columns),
                next_step=f"Did you mean {near!r}?" if near else "Write the name as it stands in the header.",
                pointer=f"snapshots.{mapping.model}.{name}",
            )


class _Reader:
    """The steps from a loaded source to a snapshot frame."""

    def __init__(
        self,
        connection: Any,
        source: Source,
        mapping: SnapshotMapping,
        *,
        labelled: bool,
        kinds: Mapping[str, ColumnKind],
        now: datetime | None,
    ) -> None:
        self.connection, self.source, self.mapping = connection, source, mapping
        self.labelled = labelled and mapping.label is not None
        self.dropping = labelled
        self.kinds = kinds
        self.now = now
        self.dropped: list[tuple[str, str]] = []
        self.findings: list[Finding] = [*source.notes, *source.faults]

    def read(self) -> SnapshotFrame:
        mapping = self.mapping
        keys = [*mapping.entity_id, *([mapping.as_of] if mapping.as_of else [])]
        typed = read_typed(
            self.connection,
            self.source,
            mapping,
            keep=self._kept_columns(),
            forced=self._forced(),
            required=set(keys),
        )
        self.findings += typed.findings
        present = self._without_future(typed.frame)
        future = len(typed.frame) - len(present)
        frame, repeated = self._without_repetitions(present)
        frame = self._dated(frame)
        self._check_keys(frame, keys)
        if self.labelled:
            order = [*([mapping.as_of] if mapping.as_of else []), *mapping.entity_id]
            frame = frame.sort_values(order, kind="stable").reset_index(drop=True)
        label = self._label(frame)
        features = self._features(frame, typed.profiles)
        return SnapshotFrame(
            frame=frame[[*keys, *features]],
            entity_id=mapping.entity_id,
            as_of=mapping.as_of,
            label=label,
            kinds={p.name: p.kind for p in typed.profiles if p.name in features},
            group=frame[mapping.group].rename("group") if mapping.group in frame.columns else None,
            order=frame[mapping.order_by].rename("order") if mapping.order_by in frame.columns else None,
            bands=mapping.bands,
            rows=frame[ROW].to_numpy(),
            dropped=tuple(self.dropped),
            findings=tuple(self.findings),
            rows_in=typed.rows_in + len(self.source.faults),
            rows_quarantined=typed.rows_bad + future + len(self.source.faults),
            rows_duplicate=repeated,
        )

    def _kept_columns(self) -> list[str]:
        """Columns to read; those that cannot be on the day of the prediction are left out at once."""
        mapping, keep = self.mapping, []
        for name, kind in self.source.types.items():
            if name in mapping.post_outcome:
                self.dropped.append((name, "declared post_outcome: filled in after the outcome"))
            elif name == mapping.label and not self.labelled:
                continue
            elif kind_of(kind) is None:
                self.dropped.append((name, f"its type {kind} is neither number, date, yes/no nor text"))
            else:
                keep.append(name)
        return keep

    def _forced(self) -> dict[str, ColumnKind]:
        """What columns hold by their part in the mapping."""
        mapping = self.mapping
        apart: dict[str, ColumnKind] = dict.fromkeys(mapping.entity_id, "category")
        if mapping.group:
            apart[mapping.group] = "category"
        if mapping.label and mapping.positive is not None:
            apart[mapping.label] = "category"
        if mapping.as_of:
            apart[mapping.as_of] = "date"
        return {**self.kinds, **apart}

    def _without_future(self, frame: Any) -> Any:
        """Rows whose day has come; the others are findings.

        Raises:
            DataError: None has.
        """
        name = self.mapping.as_of
        if name is None or self.now is None:
            return frame
        late = frame[name] > self.now + DAY_TOLERANCE
        for row, file, day in frame.loc[late, [ROW, FILE, name]].itertuples(index=False, name=None):
            self.findings.append(
                finding(
                    "PI-D029",
                    self.mapping.model,
                    row=int(row),
                    field=name,
                    reason=f"lies in the future; now is {self.now:%Y-%m-%d %H:%M} UTC",
                    given=f"{day:%Y-%m-%d}",
                    file=file or "",
                )
            )
        if len(frame) and late.all():
            raise refusal("PI-D029", f"{self.mapping.model}: every row is dated in the future, in {name!r}")
        return frame[~late].reset_index(drop=True)

    def _without_repetitions(self, frame: Any) -> tuple[Any, int]:
        columns = [c for c in frame.columns if c not in (ROW, FILE)]
        again = frame.duplicated(columns)
        repeated = int(again.sum())
        if repeated:
            reason = f"{repeated:,} rows repeat another one exactly and count once"
            self.findings.append(finding("PI-D040", self.mapping.model, reason=reason))
            frame = frame[~again].reset_index(drop=True)
        return frame, repeated

    def _dated(self, frame: Any) -> Any:
        """as_of at midnight."""
        name = self.mapping.as_of
        if name is None:
            return frame
        day = frame[name].astype("datetime64[s]").dt.floor("D").astype("datetime64[us]")
        if (day != frame[name]).any():
            reason = f"{name} holds times of day; the day counts, from midnight UTC"
            self.findings.append(finding("PI-D066", self.mapping.model, field=name, reason=reason))
        return frame.assign(**{name: day})

    def _check_keys(self, frame: Any, keys: list[str]) -> None:
        mapping = self.mapping
        twice = frame[frame.duplicated(keys, keep=False)]
        if twice.empty:
            return
        first = twice.iloc[0]
        same = twice[(twice[keys] == first[keys]).all(axis=1)]
        rows = " and ".join(str(r) for r in same[ROW].head(3))
        entity = ", ".join(f"{k} {first[k]}" for k in keys)
        raise refusal(
            "PI-D061",
            f"{mapping.model}: {entity} appears more than once, in rows {rows}, with other content",
            pointer=f"snapshots.{mapping.model}.entity_id",
        )

    def _label(self, frame: Any) -> Any | None:
        import pandas as pd

        if not self.labelled:
            return None
        label = pd.Series(
            parse_label(frame[self.mapping.label], self.mapping), index=frame.index, name="label"
        )
        missing = int(label.isna().sum())
        if missing:
            reason = f"{missing:,} rows have no label and are not learned from"
            self.findings.append(
                finding("PI-D064", self.mapping.model, field=str(self.mapping.label), reason=reason)
            )
        return label

    def _features(self, frame: Any, profiles: tuple[Profile, ...]) -> list[str]:
        mapping = self.mapping
        apart = {*mapping.entity_id, mapping.as_of, mapping.label, mapping.group, mapping.order_by}
        features = []
        for p in (p for p in profiles if p.name not in apart):
            why = self._useless(p, frame[p.name])
            if why:
                self.dropped.append((p.name, why))
                self.findings.append(finding("PI-D065", mapping.model, field=p.name, reason=why))
            else:
                features.append(p.name)
        if not features:
            raise refusal("PI-D063", f"{mapping.model}: none of {len(profiles)} columns can be used")
        return features

    def _useless(self, p: Profile, values: Any) -> str:
        if p.kind == "date" and self.mapping.as_of is None:
            return "a date says nothing without `as_of:`"
        if not self.dropping:
            return ""
        present, distinct = int(values.notna().sum()), int(values.nunique())
        if not present:
            return "all values are missing"
        if distinct == 1 and present == len(values):
            return f"every row holds {_shown(values.iloc[0])}"
        if p.kind == "category" and distinct > max(_UNIQUE_COUNT, _UNIQUE_SHARE * present):
            return f"{distinct:,} of {present:,} values differ: an identifier or free text"
        return ""


def _shown(value: Any) -> str:
    """A typed value as the customer would write it."""
    if isinstance(value, str):
        return repr(value)
    words = {"True": "yes", "False": "no"}
    return words.get(str(value), f"{value:g}" if isinstance(value, float) else str(value))
