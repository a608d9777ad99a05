"""The text table every upload becomes, whatever it was: rows of text with the line each came from."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from data.errors import DataError

Cells = tuple[str | None, ...]
ONE_CELL = "there is one cell where the column names should be, and more in the rows under it"
TITLE_STEP = "Delete the lines above the column names."


@dataclass(frozen=True)
class Limits:
    """What an upload may cost.

    Attributes:
        file_bytes: Size of the file.
        rows: Rows under the header.
        columns: Columns.
        unpacked_bytes: XML inside a workbook, unpacked.
        entries: Files inside a workbook.
        ratio: Unpacked over packed size, from 2 MB unpacked on; a list of one word repeated has 22.
        memory_bytes: Address space of the process that reads a workbook.
        seconds: Processor seconds for a small workbook; larger ones get one more second per MB unpacked.
    """

    file_bytes: int = 64 << 20
    rows: int = 1_000_000
    columns: int = 500
    unpacked_bytes: int = 80 << 20
    entries: int = 1_000
    ratio: float = 50.0
    memory_bytes: int = 768 << 20
    seconds: float = 1.5


@dataclass(frozen=True)
class RowFault:
    """A row that cannot be read as a row of the table; it is in no other place.

    Attributes:
        line: 1-based line of the file, or row of the sheet.
        field: Column header, or '' when the whole row is meant.
        reason: What is wrong, in words.
        given: The cells as they stand in the file.
    """

    line: int
    field: str
    reason: str
    given: Cells


@dataclass(frozen=True)
class TextTable:
    """A list as it was written.

    Attributes:
        name: File name.
        columns: Headers, unique, in order; empty ones are called "column 3", repeated ones "Name (2)".
        rows: Cells as text, None where empty; every row as wide as `columns`.
        lines: 1-based line of the file (CSV) or row of the sheet (XLSX) each row starts at.
        faults: Rows set aside, by line.
        blank_rows: Rows without any cell, left out.
        encoding: Codec of a text file, '' for a workbook.
        separator: Separator of a text file, '' for a workbook.
        sheet: Sheet of a workbook that was read, '' for a text file.
        notes: What a person should know about how the file was read.
    """

    name: str
    columns: tuple[str, ...]
    rows: tuple[Cells, ...]
    lines: tuple[int, ...]
    faults: tuple[RowFault, ...] = ()
    blank_rows: int = 0
    encoding: str = ""
    separator: str = ""
    sheet: str = ""
    notes: tuple[str, ...] = field(default_factory=tuple)

    def frame(self) -> Any:
        """The rows as a pandas frame of objects (str or None), indexed by `line`."""
        import pandas as pd

        index = pd.Index(self.lines, name="line", dtype="int64")
        return pd.DataFrame(list(self.rows), columns=list(self.columns), index=index, dtype=object)


def refuse(
    name: str, reason: str, *, line: int | None = None, next_step: str = "", allowed: str = ""
) -> DataError:
    """The error that refuses a whole file: its name, the line where there is one, and the reason."""
    where = f"{name}, line {line}" if line is not None else name
    return DataError(f"{where}: {reason}.", next_step=next_step, allowed=allowed, pointer=f"{line or ''}")


def build_table(
    name: str,
    records: Iterable[tuple[int, Sequence[str]]],
    *,
    limits: Limits,
    bad_cells: Sequence[tuple[int, int, str]] = (),
    pads: bool = False,
    notes: Sequence[str] = (),
    **origin: str,
) -> TextTable:
    """Header, rows and faults from records.

    Args:
        name: File name.
        records: (line, cells) in file order; '' is an empty cell.
        limits: Bounds on rows and columns.
        bad_cells: (line, position, reason) of cells that hold no readable value.
        pads: A short record ends in empty cells (sheets do not store them); else it is a fault.
        notes: Notes so far.
        origin: encoding, separator, sheet.

    Raises:
        DataError: No header, no rows, or beyond the limits.
    """
    given = iter(records)
    blank, header_line, header = _find_header(name, given)
    width = len(header) if not pads else max(i for i, c in enumerate(header, 1) if c.strip())
    if width > limits.columns:
        raise refuse(name, f"there are {width} columns", line=header_line, allowed=f"up to {limits.columns}")
    columns, renamed = _unique(header[:width])
    bad = {(line, at): reason for line, at, reason in bad_cells}
    rows, lines, faults, blanks = _sort_out(name, given, columns, limits=limits, bad=bad, pads=pads)
    _check_header(name, header_line, header, rows, faults)
    if not rows and not faults:
        raise refuse(name, "there is a header and no row under it", line=header_line)
    told = (*notes, *renamed)
    return TextTable(
        name, columns, tuple(rows), tuple(lines), tuple(faults), blank + blanks, notes=told, **origin
    )


def _find_header(name: str, records: Iterator[tuple[int, Sequence[str]]]) -> tuple[int, int, Sequence[str]]:
    """(blank rows before, line, cells) of the first row that is not blank."""
    for blank, (line, cells) in enumerate(records):
        if any(cell.strip() for cell in cells):
            return blank, line, cells
    raise refuse(name, "the file is empty", next_step="Put the column names on the first line.")


def _sort_out(
    name: str,
    records: Iterable[tuple[int, Sequence[str]]],
    columns: tuple[str, ...],
    *,
    limits: Limits,
    bad: dict[tuple[int, int], str],
    pads: bool,
) -> tuple[list[Cells], list[int], list[RowFault], int]:
    rows: list[Cells] = []
    lines: list[int] = []
    faults: list[RowFault] = []
    blank = 0
    faulty = {line for line, _ in bad}
    for line, cells in records:
        given = tuple(c or None for c in cells)
        if line in faulty:
            faults += _cell_faults(line, given, columns, bad)
        elif not any(given):
            blank += 1
        elif fault := _width_fault(line, given, columns, pads=pads):
            faults.append(fault)
        else:
            rows.append((*given[: len(columns)], *[None] * (len(columns) - len(given))))
            lines.append(line)
        if len(rows) + len(faults) > limits.rows:
            raise refuse(name, "there are too many rows", line=line, allowed=f"up to {limits.rows:,}")
    return rows, lines, faults, blank


def _cell_faults(
    line: int, given: Cells, columns: tuple[str, ...], bad: dict[tuple[int, int], str]
) -> list[RowFault]:
    """One fault per row: the first cell that cannot be read."""
    position, reason = min((at, why) for (row, at), why in bad.items() if row == line)
    where = columns[position] if position < len(columns) else ""
    return [RowFault(line, where, reason, given)]


def _width_fault(line: int, given: Cells, columns: tuple[str, ...], *, pads: bool) -> RowFault | None:
    beyond = any(given[len(columns) :]) if pads else len(given) > len(columns)
    if beyond or (len(given) < len(columns) and not pads):
        reason = f"the row has {len(given)} cells, the header has {len(columns)}"
        return RowFault(line, "", reason, given)
    return None


def _unique(header: Sequence[str]) -> tuple[tuple[str, ...], list[str]]:
    """Headers without surrounding blanks, empty and repeated ones named."""
    names: list[str] = []
    notes = []
    for position, cell in enumerate(header, 1):
        stem = cell.strip(" \t\r\n\u00a0\ufeff") or f"column {position}"
        name, number = stem, 2
        while name in names:
            name, number = f"{stem} ({number})", number + 1
        names.append(name)
        if name != stem:
            notes.append(f"two columns are called {stem!r}; the second is shown as {name!r}")
    return tuple(names), notes


def _check_header(
    name: str, line: int, header: Sequence[str], rows: Sequence[Cells], faults: Sequence[RowFault]
) -> None:
    """A title above the table would make its words the header and its rows faults."""
    named = sum(1 for cell in header if cell.strip())
    widths = [sum(c is not None for c in row) for row in (*rows[:50], *(f.given for f in faults[:50]))]
    if named == 1 and widths and statistics.median(widths) > 1:
        raise refuse(name, ONE_CELL, line=line, next_step=TITLE_STEP)
