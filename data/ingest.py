"""Ingest: every mapped table read, converted, checked, its bad rows set aside, its good rows added once.

All tables become live together. When one cannot be used, none is written, and one error names all faults.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from data.binding import stage
from data.checks import Finding, finding, join_refusals
from data.connectors import load_source
from data.connectors.source import literal, quoted, scalar
from data.errors import DataError
from data.lake import AppendResult, Lake, Transaction, connect
from data.mapping import DataSettings, TableMapping
from data.quarantine import read_bad_rows, write_quarantine
from data.rowchecks import find_bad_rows, row_checks
from data.tables import TABLES, TableContract

Progress = Callable[[str, float], None]
MOST_FINDINGS = 1_000
_PARTNERS = "__known_partners"


@dataclass(frozen=True)
class TableReport:
    """Counts of one table: rows_in = rows_new + rows_seen + rows_duplicate + rows_quarantined.

    Attributes:
        rows_in: Rows read that `where:` did not leave out.
        rows_new: Added to the lake.
        rows_seen: In the lake already.
        rows_duplicate: Exact repetitions within this input.
        rows_quarantined: Bad rows.
        rows_filtered: Rows that `where:` left out; not part of rows_in.
        quarantine: The file that holds the bad rows, or None.
    """

    rows_in: int
    rows_new: int
    rows_seen: int
    rows_quarantined: int
    rows_duplicate: int = 0
    rows_filtered: int = 0
    quarantine: Path | None = None


@dataclass(frozen=True)
class IngestReport:
    """What an ingest did.

    Attributes:
        tables: By canonical name, in the order of the contracts.
        findings: Notes on whole tables, then the first 1,000 bad rows of each; the quarantine holds all.
    """

    tables: dict[str, TableReport]
    findings: list[Finding] = field(default_factory=list)


@dataclass(frozen=True)
class _Staged:
    """One table, loaded and checked."""

    relation: str
    bad: str
    rows_filtered: int
    faults: tuple[Finding, ...]
    notes: tuple[Finding, ...]


def ingest(
    settings: DataSettings,
    *,
    base: Path,
    lake: Lake,
    ingested_at: datetime,
    progress: Progress | None = None,
) -> IngestReport:
    """Bring all mapped tables into the lake; doing it twice changes nothing.

    Args:
        settings: The data sections of partnerintel.yaml.
        base: Workspace; `root:` is relative to it.
        lake: Where canonical rows go.
        ingested_at: Now, in UTC; naive or with a zone.
        progress: Called with a label and the share of the whole that is done.

    Returns:
        Counts and findings.

    Raises:
        DataError: A table cannot be used; all such tables are named, and the lake is as it was.
    """
    moment = ingested_at.astimezone(UTC).replace(tzinfo=None) if ingested_at.tzinfo else ingested_at
    tell = progress or _silent
    names = [name for name in TABLES if name in settings.tables]
    refusals: list[DataError] = []
    reports: dict[str, TableReport] = {}
    findings: list[Finding] = []
    try:
        with lake.transaction(ingested_at=moment) as work, connect() as connection:
            known = _known_partners(connection, work, mapped="partners" in names)
            for position, name in enumerate(names):
                run = _Run(settings, base, connection, moment, _within(tell, position, len(names)))
                try:
                    staged = run.stage(TABLES[name], partners=_PARTNERS if known else None)
                except DataError as error:
                    refusals.append(error)
                    continue
                if name == "partners":
                    _add_partners(connection, staged)
                if not refusals:
                    reports[name] = run.commit(TABLES[name], staged, work, folder=lake.root / "quarantine")
                    findings += run.findings
            if refusals:
                raise join_refusals(refusals)
    except BaseException:
        _forget_quarantine(reports)
        raise
    tell("done", 1.0)
    return IngestReport(reports, findings)


class _Run:
    """One table on its way from its origins into the lake."""

    def __init__(
        self, settings: DataSettings, base: Path, connection: Any, ingested_at: datetime, tell: Progress
    ) -> None:
        self.settings, self.root = settings, settings.folder(base)
        self.connection, self.ingested_at, self.tell = connection, ingested_at, tell
        self.findings: list[Finding] = []

    def stage(self, contract: TableContract, *, partners: str | None) -> _Staged:
        """Load all origins of a table into one staged relation, and list its bad rows."""
        name = contract.name
        relation, faults, notes = f"staged_{name}", [], []
        filtered, offset, pieces = 0, 0, []
        found: set[str] = set()
        for index, mapping in enumerate(self.settings.tables[name]):
            piece = f"{relation}_{index}"
            source = self._load(contract, mapping, index)
            if mapping.columns is None:
                found |= set(source.columns) & set(contract.names)
            filtered += stage(self.connection, source, mapping, contract, staged=piece, offset=offset)
            self.connection.execute(_drop(self.connection, source.relation))
            offset += source.rows
            faults += source.faults
            notes += source.notes
            pieces.append(f"SELECT * FROM {quoted(piece)}")
        self.connection.execute(f"CREATE VIEW {quoted(relation)} AS {' UNION ALL '.join(pieces)}")
        self.tell(f"{name}: checking", 0.6)
        checks = row_checks(contract, ingested_at=self.ingested_at, partners=partners)
        find_bad_rows(self.connection, relation, checks, bad=f"bad_{name}")
        if filtered and not scalar(self.connection, f"SELECT count(*) FROM {quoted(relation)}"):
            notes.append(finding("PI-D046", name, reason=f"`where:` left out all {filtered:,} rows"))
        else:
            notes += self._notes(contract, relation, partners=partners, found=found)
        return _Staged(relation, f"bad_{name}", filtered, tuple(faults), tuple(notes))

    def _load(self, contract: TableContract, mapping: TableMapping, index: int) -> Any:
        return load_source(
            self.connection,
            mapping,
            root=self.root,
            sources=self.settings.sources,
            relation=f"raw_{contract.name}_{index}",
            table=contract.name,
            expected=(mapping.columns or {n: n for n in contract.names}).values(),
            progress=lambda label, share: self.tell(label, 0.5 * share),
        )

    def _notes(
        self, contract: TableContract, relation: str, *, partners: str | None, found: set[str]
    ) -> list[Finding]:
        """Warnings about whole columns and the table.

        Columns that were mapped by hand are named one by one; those found by their name in one line, because
        a template filled in half leaves many empty.
        """
        name, notes = contract.name, []
        mapped = {n for m in self.settings.tables[name] for n in (m.columns or {})}
        for column in sorted(mapped):
            if self._is_empty(column, relation):
                notes.append(finding("PI-D042", name, field=column, reason="all values are missing"))
        if empty := [c for c in sorted(found - mapped) if self._is_empty(c, relation)]:
            notes.append(finding("PI-D042", name, reason=f"all values are missing in {', '.join(empty)}"))
        if partners is None and name != "partners" and "partner_id" in contract.names:
            reason = "there is no partners table, so partner_id is not checked"
            notes.append(finding("PI-D044", name, field="partner_id", reason=reason))
        return notes

    def _is_empty(self, column: str, relation: str) -> bool:
        return not scalar(self.connection, f"SELECT count({quoted(column)}) FROM {quoted(relation)}")

    def commit(
        self, contract: TableContract, staged: _Staged, work: Transaction, *, folder: Path
    ) -> TableReport:
        """Add the good rows to the transaction and write the bad ones to the quarantine."""
        name, connection = contract.name, self.connection
        self.tell(f"{name}: writing", 0.7)
        columns = ", ".join(quoted(n) for n in contract.names)
        good, bad_ids = f"good_{name}", f"SELECT __id FROM {quoted(staged.bad)}"
        connection.execute(
            f"CREATE VIEW {quoted(good)} AS SELECT {columns} FROM {quoted(staged.relation)} "
            f"WHERE __id NOT IN ({bad_ids})"
        )
        result = work.add(name, connection, good)
        bad = int(scalar(connection, f"SELECT count(DISTINCT __id) FROM {quoted(staged.bad)}"))
        rows = int(scalar(connection, f"SELECT count(*) FROM {quoted(staged.relation)}"))
        self.findings += staged.notes
        self.findings += _repetitions(contract, connection, good, result)
        self.findings += list(staged.faults)[:MOST_FINDINGS]
        self.findings += read_bad_rows(connection, name, staged.bad, most=MOST_FINDINGS)
        path = None
        if bad or staged.faults:
            faults: Iterable[Finding] = (*staged.faults, *read_bad_rows(connection, name, staged.bad))
            path = write_quarantine(
                folder, name, faults, ingested_at=self.ingested_at, erased=work.erased(name)
            )
        return TableReport(
            rows_in=rows + len(staged.faults),
            rows_new=result.rows_new,
            rows_seen=result.rows_seen,
            rows_quarantined=bad + len(staged.faults),
            rows_duplicate=result.rows_duplicate,
            rows_filtered=staged.rows_filtered,
            quarantine=path,
        )


def _repetitions(contract: TableContract, connection: Any, good: str, result: AppendResult) -> list[Finding]:
    notes = []
    if result.rows_duplicate:
        reason = f"{result.rows_duplicate:,} rows repeat another one exactly and count once"
        notes.append(finding("PI-D040", contract.name, reason=reason))
    if result.rows_corrected:
        reason = f"{result.rows_corrected:,} rows correct earlier ones and count from now on"
        notes.append(finding("PI-D045", contract.name, field="known_at", reason=reason))
    keys = ", ".join(quoted(k) for k in contract.key)
    several = scalar(
        connection,
        f"SELECT count(*) FROM (SELECT {keys} FROM (SELECT DISTINCT * FROM {quoted(good)}) "
        f"GROUP BY ALL HAVING count(*) > 1)",
    )
    if several:
        reason = (
            f"{several:,} keys ({', '.join(contract.key)}) have several versions; the latest known counts"
        )
        notes.append(finding("PI-D041", contract.name, field=contract.key[0], reason=reason))
    return notes


def _known_partners(connection: Any, work: Transaction, *, mapped: bool) -> bool:
    """Make the relation of partners that are in the lake; false when there is no partners table at all."""
    connection.execute(f"CREATE TABLE {_PARTNERS} (partner_id VARCHAR)")
    files = work.paths("partners")
    if files:
        listed = ", ".join(literal(str(f)) for f in files)
        connection.execute(
            f"INSERT INTO {_PARTNERS} SELECT DISTINCT partner_id FROM read_parquet([{listed}])"
        )
    return mapped or bool(files)


def _add_partners(connection: Any, staged: _Staged) -> None:
    connection.execute(
        f"INSERT INTO {_PARTNERS} SELECT DISTINCT partner_id FROM {quoted(staged.relation)} "
        f"WHERE partner_id IS NOT NULL AND __id NOT IN (SELECT __id FROM {quoted(staged.bad)})"
    )


def _drop(connection: Any, relation: str) -> str:
    kind = scalar(
        connection, f"SELECT table_type FROM information_schema.tables WHERE table_name = {literal(relation)}"
    )
    return f"DROP {'VIEW' if kind == 'VIEW' else 'TABLE'} {quoted(relation)}"


def _silent(_label: str, _share: float) -> None:
    """No progress wanted."""


def _within(tell: Progress, position: int, of: int) -> Progress:
    """Progress of one table as progress of the whole."""
    return lambda label, share: tell(label, (position + min(max(share, 0.0), 1.0)) / of)


def _forget_quarantine(reports: dict[str, TableReport]) -> None:
    """A refused ingest leaves no files behind."""
    for report in reports.values():
        if report.quarantine is not None:
            report.quarantine.unlink(missing_ok=True)
