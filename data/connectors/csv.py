"""CSV files, read as text: no value is guessed at, no row is shifted, every row knows its line."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from data.checks import Finding, finding, refusal
from data.connectors.source import FILE, ROW, Source, quoted
from data.connectors.text import find_encoding, find_separator, open_bytes
from data.mapping import Origin

_CHUNK_ROWS = 50_000
_HEAD_CHARACTERS = 1 << 16
Progress = Callable[[str, float], None]


class _Rows:
    """The records of one open CSV file, those of the wrong width set aside."""

    def __init__(self, reader: Any, *, width: int, table: str, file: str, separator: str) -> None:
        self.reader, self.width, self.table, self.file = reader, width, table, file
        self.separator = {"\t": "tab"}.get(separator, separator)
        self.faults: list[Finding] = []

    def __iter__(self) -> Iterator[tuple[int, list[str]]]:
        reader = self.reader
        while True:
            line = reader.line_num + 1
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                self._refuse_unclosed(error, line)
                self._set_aside("PI-D021", line, f"malformed quotes: {error}", "")
                continue
            if len(row) == self.width:
                yield line, row
            elif row and (len(row) > 1 or row[0].strip()):
                reason = f"has {len(row)} fields, the header has {self.width} (separator {self.separator!r})"
                self._set_aside("PI-D020", line, reason, self.separator.join(row)[:500])

    def _set_aside(self, code: str, line: int, reason: str, given: str) -> None:
        self.faults.append(finding(code, self.table, row=line, reason=reason, given=given, file=self.file))

    def _refuse_unclosed(self, error: csv.Error, line: int) -> None:
        # What follows an unclosed quote has been swallowed; going on would lose rows silently.
        if "unexpected end" in str(error) or "field limit" in str(error):
            raise refusal(
                "PI-D004",
                f"{self.table}: {self.file}: the row on line {line} opens a quote that is never closed",
                pointer=self.table,
            ) from error


def load_csv(
    connection: Any,
    paths: Iterable[Path],
    *,
    origin: Origin,
    relation: str,
    table: str,
    expected: Iterable[str],
    progress: Progress,
) -> Source:
    """Load CSV or TSV files of the same columns as text.

    Args:
        connection: DuckDB connection.
        paths: Files, in order; columns are matched by name, each file may have its own order.
        origin: Separator and encoding, where the mapping gives them.
        relation: Name of the DuckDB table to create.
        table: Canonical table, for messages.
        expected: Column names of the mapping; they help to find the separator.
        progress: Called with a label and the share done.

    Raises:
        DataError: Empty, not decodable, a quote left open, or a needed column named twice.
    """
    paths, expected = list(paths), list(expected)
    columns: dict[str, str] = {}
    faults: list[Finding] = []
    notes: list[Finding] = []
    rows, separator, created = 0, "", False
    for path in paths:
        encoding = find_encoding(path, given=origin.encoding, table=table)
        if encoding in ("cp1252", "latin-1") and not origin.encoding:
            reason = f"{path.name} is not UTF-8 and was read as {encoding}"
            notes.append(finding("PI-D043", table, reason=reason, file=path.name))
        with io.TextIOWrapper(open_bytes(path), encoding=encoding, newline="") as text:
            header, separator, reader = _open(text, origin=origin, table=table, path=path, expected=expected)
            if not created:
                columns = {name: f"__c{i}" for i, name in enumerate(header)}
                names = ", ".join(f"{c} VARCHAR" for c in columns.values())
                connection.execute(f"CREATE TABLE {quoted(relation)} ({names}, {ROW} BIGINT, {FILE} VARCHAR)")
                created = True
            order = _order(columns, header, table=table, path=path, first=paths[0])
            body = _Rows(reader, width=len(header), table=table, file=path.name, separator=separator)
            size = max(path.stat().st_size, 1)
            for chunk in _chunks(body, order=order, file=path.name):
                _insert(connection, relation, chunk)
                rows += chunk.num_rows
                if path.suffix != ".gz":
                    progress(f"{table}: reading {path.name}", min(text.buffer.tell() / size, 1.0))
            rows += len(body.faults)
            faults += body.faults
    if not rows:
        raise refusal("PI-D002", f"{table}: {_shown(paths)} has no rows", pointer=table)
    types = dict.fromkeys(columns, "VARCHAR")
    return Source(relation, columns, types, _shown(paths), separator, tuple(faults), rows, tuple(notes))


def _open(
    text: Any, *, origin: Origin, table: str, path: Path, expected: list[str]
) -> tuple[list[str], str, Any]:
    """Header, separator and a reader that stands on the first row."""
    head = text.read(_HEAD_CHARACTERS)
    text.seek(0)
    if not head.strip("\ufeff \r\n\t"):
        raise refusal("PI-D002", f"{table}: {path.name} is empty", pointer=table)
    first = head.split("\n", 1)[0].strip("\ufeff\r ")
    hinted = first[4:5] if first.lower().startswith("sep=") and len(first) == 5 else ""
    separator = origin.separator or hinted or find_separator(head, expected=expected)
    reader = csv.reader(text, delimiter=separator, strict=True)
    if hinted:
        next(reader)
    try:
        header = next(row for row in reader if any(cell.strip() for cell in row))
    except csv.Error as error:
        raise refusal("PI-D004", f"{table}: {path.name}: the header cannot be read: {error}") from error
    return (
        _unique([c.strip("\ufeff \t\u00a0") for c in header], expected, table=table, path=path),
        separator,
        reader,
    )


def _unique(header: list[str], expected: list[str], *, table: str, path: Path) -> list[str]:
    seen: dict[str, int] = {}
    names = []
    for name in header:
        seen[name] = seen.get(name, 0) + 1
        if seen[name] > 1 and name in expected:
            raise refusal("PI-D007", f"{table}: {path.name} has two columns called {name!r}", pointer=table)
        names.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return names


def _order(columns: dict[str, str], header: list[str], *, table: str, path: Path, first: Path) -> list[int]:
    """Position in this file of each column of the first file."""
    if set(header) != set(columns):
        odd = sorted(set(header) ^ set(columns))
        raise refusal(
            "PI-D005",
            f"{table}: {path.name} and {first.name} differ in their columns: {', '.join(odd)}",
            next_step="Map the files one by one, as a list under the table.",
        )
    return [header.index(name) for name in columns]


def _chunks(body: _Rows, *, order: list[int], file: str) -> Iterator[pa.Table]:
    lines: list[int] = []
    rows: list[list[str]] = []
    for line, row in body:
        lines.append(line)
        rows.append(row)
        if len(rows) == _CHUNK_ROWS:
            yield _table(lines, rows, order=order, file=file)
            lines, rows = [], []
    if rows:
        yield _table(lines, rows, order=order, file=file)


def _table(lines: list[int], rows: list[list[str]], *, order: list[int], file: str) -> pa.Table:
    cells = list(zip(*rows, strict=True))
    arrays = [pa.array(cells[i], pa.string()) for i in order]
    names = [f"__c{i}" for i in range(len(order))]
    arrays += [pa.array(lines, pa.int64()), pa.array([file] * len(lines), pa.string())]
    return pa.table(arrays, names=[*names, ROW, FILE])


def _insert(connection: Any, relation: str, chunk: pa.Table) -> None:
    connection.register("__chunk", chunk)
    connection.execute(f"INSERT INTO {quoted(relation)} SELECT * FROM __chunk")
    connection.unregister("__chunk")


def _shown(paths: list[Path]) -> str:
    return paths[0].name if len(paths) == 1 else f"{paths[0].name} and {len(paths) - 1} more files"
