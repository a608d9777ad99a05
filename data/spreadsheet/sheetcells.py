"""Cells of a sheet through openpyxl's streaming parser, without what it would change or drop unseen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from data.spreadsheet.archive import Refused


@dataclass(frozen=True)
class SheetCell:
    """One stored cell.

    Attributes:
        column: 1-based.
        value: What openpyxl makes of it.
        number_format: Format of numbers.
        fault: Why the value cannot be used, or ''.
    """

    column: int
    value: Any
    number_format: str
    fault: str


def open_workbook(path: Path) -> Any:
    """The workbook, read-only, without links to other files."""
    from openpyxl import load_workbook  # type: ignore[import-untyped]
    from openpyxl.reader import excel  # type: ignore[import-untyped]

    # openpyxl takes "x005F_" out of every shared text, which changes text that holds it.
    excel.read_string_table = _shared_texts
    return load_workbook(path, read_only=True, data_only=True, keep_links=False)


def _shared_texts(source: Any) -> list[str]:
    from openpyxl.cell.text import Text  # type: ignore[import-untyped]
    from openpyxl.xml.constants import SHEET_MAIN_NS  # type: ignore[import-untyped]
    from openpyxl.xml.functions import iterparse  # type: ignore[import-untyped]

    texts = []
    for _, node in iterparse(source):
        if node.tag == f"{{{SHEET_MAIN_NS}}}si":
            texts.append(Text.from_tree(node).content)
            node.clear()
    return texts


def sheet_rows(
    book: Any, sheet: Any, *, rows: int, columns: int, merged: list[str]
) -> Iterator[tuple[int, list[SheetCell]]]:
    """(row number, its stored cells), rising.

    Areas of merged cells stand after the rows in the file, and are added to `merged` then.

    Gaps between rows and cells are not filled in, so a single cell at the far corner is no bomb.

    Raises:
        Refused: Rows out of order or named twice, or beyond the limits.
    """
    from openpyxl.cell.read_only import ReadOnlyCell  # type: ignore[import-untyped]

    last = 0
    with sheet._get_source() as source:
        parser = _parser(book, sheet, source)
        for number, found in parser.parse():
            if number <= last:
                raise Refused(f"row {number} comes after row {last}")
            last = number
            cells = [_cell(ReadOnlyCell(sheet, **given)) for given in found]
            cells = [c for c in cells if c.fault or c.value not in (None, "")]
            if not cells:
                continue
            if any(a.column >= b.column for a, b in pairwise(cells)):
                raise Refused(f"row {number} names a cell twice or out of order")
            if cells[-1].column > columns:
                raise Refused(f"row {number} reaches column {cells[-1].column}; up to {columns} are allowed")
            rows -= 1
            if rows < -1:
                raise Refused(f"there are too many rows at row {number}")
            yield number, cells
        merged += [area.ref for area in getattr(parser.merged_cells, "mergeCell", ())]


def _parser(book: Any, sheet: Any, source: Any) -> Any:
    from openpyxl.worksheet._reader import FORMULA_TAG, WorkSheetParser  # type: ignore[import-untyped]

    class Parser(WorkSheetParser):
        def parse_cell(self, element: Any) -> dict[str, Any]:
            """As openpyxl does; a formula without a stored value is marked, or it would look empty."""
            found = dict(super().parse_cell(element))
            if found["value"] is None and element.find(FORMULA_TAG) is not None:
                found["data_type"] = "f"
            return found

    return Parser(
        source,
        sheet._shared_strings,
        data_only=True,
        epoch=book.epoch,
        date_formats=book._date_formats,
        timedelta_formats=book._timedelta_formats,
    )


def _cell(cell: Any) -> SheetCell:
    fault = ""
    if cell.data_type == "f":
        fault = f"cell {cell.coordinate} holds a formula without a stored value"
    elif cell.data_type == "e":
        fault = f"cell {cell.coordinate} holds the error {cell.value}"
    return SheetCell(
        cell.column, cell.value, cell.number_format if cell.data_type == "n" else "General", fault
    )
