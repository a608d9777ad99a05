"""From the customer's files to feature snapshots: ingest, build, bring online."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from data.checks import Finding
from data.errors import MissingDataError
from data.ingest import IngestReport, ingest
from data.lake import Lake
from partnerintel.outputs import write_whole
from partnerintel.progress import Tick
from partnerintel.settings import Project


@dataclass(frozen=True)
class Built:
    """What building features did.

    Attributes:
        built_count: Snapshots made anew.
        kept: Snapshots that still held.
        online: Date of the newest, which is online now.
    """

    built_count: int
    kept: int
    online: date


DATED = ("deals", "events", "certifications", "surveys")
LATE_DAYS = 31
"""A row known later than this after it happened says nothing about how far the data reach."""


def lake_of(project: Project) -> Lake:
    """The canonical rows of a workspace."""
    return Lake(project.workspace.lake)


def ingest_tables(project: Project, *, now: datetime, tick: Tick) -> IngestReport:
    """Read every mapped table into the lake; twice changes nothing.

    Raises:
        MissingDataError: No table is mapped.
    """
    if not project.data.tables:
        raise MissingDataError(
            "No tables are mapped.",
            allowed="`tables:` in partnerintel.yaml, with partners and one dated table",
            next_step="Ready-made `snapshots:` need no ingest: go on with `partnerintel train`.",
        )
    report = ingest(
        project.data,
        base=project.workspace.root,
        lake=lake_of(project),
        ingested_at=now,
        # One step for each table, not three.
        progress=lambda label, share: tick(label.partition(":")[0], share),
    )
    keep_report(report, project.workspace.root / "checks" / "ingest.json", at=now)
    return report


def keep_report(report: IngestReport, path: Path, *, at: datetime) -> None:
    """Write what an ingest found, for the console's page of data checks; raw values stay in quarantine."""
    tables = {
        name: {k: v for k, v in asdict(table).items() if k != "quarantine"}
        for name, table in report.tables.items()
    }
    findings = [
        {name: getattr(f, name) for name in ("code", "severity", "table", "row", "field", "reason")}
        for f in report.findings
    ]
    bad = sum(t.rows_quarantined for t in report.tables.values())
    document = {"at": at.isoformat() + "Z", "rows_quarantined": bad, "tables": tables, "findings": findings}
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(document, ensure_ascii=False, indent=1)
    write_whole(path, lambda p: p.write_text(text + "\n", encoding="utf-8"))


def data_span(lake: Lake) -> tuple[datetime, datetime]:
    """When the dated rows begin, and until when they are known.

    Outcomes after the second are unknown: an export that ended years ago must not look like silence since.
    What became known long after it happened, such as a correction of it, tells of no other day.

    Raises:
        MissingDataError: The lake has no dated rows.
    """
    import duckdb

    sql = (
        "SELECT min(event_at), greatest(max(event_at), max(known_at) "
        f"FILTER (WHERE known_at <= event_at + INTERVAL {LATE_DAYS} DAY)) FROM read_parquet(?)"
    )
    files = [[str(p) for p in lake.paths(table)] for table in DATED if lake.has(table)]
    with duckdb.connect() as connection:
        spans = [s for f in files if (s := connection.execute(sql, [f]).fetchone()) and s[0] is not None]
    if not spans:
        raise MissingDataError(
            "The lake has no dated rows.",
            allowed=f"one of {', '.join(DATED)}",
            next_step="Map one under `tables:` and run `partnerintel ingest`.",
        )
    return min(s[0] for s in spans), max(s[1] for s in spans)


def training_dates(project: Project, lake: Lake, *, now: datetime) -> list[date]:
    """Dates of the regular grid, from the first dated row to the end of what is known."""
    first, last = data_span(lake)
    return project.features.as_ofs(data_start=first.date(), end=min(last, now).date())


def build_features(project: Project, *, as_of: date, now: datetime, tick: Tick) -> Built:
    """Bring the snapshots of the grid and of `as_of` up to date, and the newest one online.

    Args:
        project: The workspace.
        as_of: Newest snapshot. Past the end of the data it is the day after its last row, so that an old
            export is not mistaken for partners that fell silent.
        now: Naive UTC.
        tick: Progress.
    """
    from features.snapshot import build_and_save
    from features.store import FeatureStore

    lake = lake_of(project)
    newest = min(as_of, newest_date(lake))
    dates = [d for d in training_dates(project, lake, now=now) if d <= newest]
    root = project.workspace.features
    report = build_and_save(
        root,
        lake=lake,
        as_ofs=sorted({*dates, newest}),
        settings=project.features,
        progress=lambda view, done, of: tick(view or "online", 0.9 * done / of),
    )
    store = FeatureStore(project.features, project.workspace.root)
    store.apply()
    store.materialise(newest, now=now)
    return Built(report.built_count, report.kept, newest)


def newest_date(lake: Lake) -> date:
    """The first midnight at which everything in the lake was known."""
    last = data_span(lake)[1]
    return (last + timedelta(days=1) - timedelta(microseconds=1)).date()


def keep_faults(project: Project, name: str, findings: Sequence[Finding], *, now: datetime) -> Path | None:
    """Write the rows of ready-made columns that were left out to the quarantine; None when there are none."""
    from data.quarantine import write_quarantine

    faults = [f for f in findings if f.severity == "error" and f.row is not None]
    if not faults:
        return None
    return write_quarantine(project.workspace.lake / "quarantine", name, faults, ingested_at=now)
