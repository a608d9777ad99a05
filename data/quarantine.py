"""Where bad rows go: one CSV file for each table and ingest, nothing left out, nothing a spreadsheet runs."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from data.checks import Finding, finding
from data.connectors.source import quoted

HEADER = ("file", "row", "field", "code", "reason", "given")
_NUMBER = re.compile(r"[+-]?[0-9.,]+")
_SEPARATORS = re.compile(r"[,;|\t\"']")
_CHUNK_ROWS = 10_000
ERASED = "(erased)"


def inert(text: str) -> str:
    """The text, with an apostrophe before it where a spreadsheet would run it as a formula."""
    live = text[:1] in ("=", "+", "-", "@", "\t", "\r") and not _NUMBER.fullmatch(text)
    return f"'{text}" if live else text


def read_bad_rows(connection: Any, table: str, bad: str, *, most: int | None = None) -> Iterable[Finding]:
    """Findings of a table of bad rows, in order of file, row and field."""
    limit = "" if most is None else f" LIMIT {most}"
    query = (
        f"SELECT code, row, field, reason, given, file FROM {quoted(bad)} "
        f"ORDER BY file, row, field, code, reason, given{limit}"
    )
    for batch in connection.sql(query).to_arrow_reader(_CHUNK_ROWS):
        for fault in batch.to_pylist():
            yield finding(table=table, **fault)


def write_quarantine(
    folder: Path,
    table: str,
    faults: Iterable[Finding],
    *,
    ingested_at: datetime,
    erased: Collection[str] = (),
) -> Path:
    """Write faults to `<table>-<time of ingest>.csv`, whole or not at all.

    Args:
        folder: Quarantine folder; made when needed.
        table: Canonical table.
        faults: In order.
        ingested_at: Naive UTC.
        erased: Keys of rows of which nothing may be kept; a cell that holds one as a word is emptied.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{table}-{ingested_at:%Y%m%dT%H%M%S}Z.csv"
    cells = ((f.file, f.row, f.field, f.code, f.reason, _kept(f.given, erased)) for f in faults)
    _write(path, ([inert(c) if isinstance(c, str) else c for c in row] for row in cells))
    return path


def replace_rows(path: Path, change: Callable[[list[str]], list[str]]) -> None:
    """Rewrite the rows of a quarantine file, whole or not at all."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))[1:]
    _write(path, map(change, rows))


def _kept(given: Any, erased: Collection[str]) -> Any:
    words = set(_SEPARATORS.split(str(given))) if erased else set()
    return given if words.isdisjoint(erased) else ERASED


def _write(path: Path, rows: Iterable[Sequence[Any]]) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows(rows)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
