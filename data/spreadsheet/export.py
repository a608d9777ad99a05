"""Tables written for people: CSV, XLSX and Parquet in which no cell is run as a formula."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Literal

from data.errors import DataError
from data.spreadsheet.formulas import escape_formula, is_live

Format = Literal["csv", "xlsx", "parquet"]
FORMATS: tuple[Format, ...] = ("csv", "xlsx", "parquet")
_EXACT = 10**15
_LONGEST = 32_767
_XML = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)|[\x00-\x08\x0b-\x1f\ufffe\uffff]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def write_table(frame: Any, fmt: Format, *, sheet: str = "list") -> bytes:
    """A frame as a file.

    Text that a spreadsheet program would run gets an apostrophe in CSV and is stored as text in XLSX; numbers
    stay numbers, negative ones too. Reading the file with `read_table` gives the original text back. Parquet
    holds typed values that nothing evaluates, so text is stored as it is.

    Args:
        frame: Columns of text, numbers, booleans, dates; None and NaN become empty cells.
        fmt: csv (UTF-8 with mark, comma, all text quoted), xlsx or parquet.
        sheet: Name of the sheet of a workbook.

    Raises:
        DataError: No such format, or text that the format cannot hold.
    """
    if fmt not in FORMATS:
        raise DataError(f"There is no export format {fmt!r}.", allowed=", ".join(FORMATS))
    if fmt == "parquet":
        return _parquet(frame)
    columns = [str(c) for c in frame.columns]
    if fmt == "csv":
        return csv_text(plain_rows(frame), header=columns).encode("utf-8-sig")
    out = io.BytesIO()
    write_workbook(columns, plain_rows(frame), out, sheet=sheet)
    return out.getvalue()


def plain_rows(frame: Any) -> Iterator[list[Any]]:
    """The rows of a frame as Python's own values."""
    return ([_plain(v) for v in row] for row in frame.itertuples(index=False, name=None))


def _plain(value: Any) -> Any:
    """A NumPy or pandas value as one of Python's; None for everything that is missing."""
    value = value.item() if hasattr(value, "item") and not isinstance(value, str) else value
    if value is None or str(value) in {"NaT", "<NA>"} or (isinstance(value, float) and math.isnan(value)):
        return value if isinstance(value, str) else None
    return value.to_pydatetime() if hasattr(value, "to_pydatetime") else value


def csv_text(rows: Iterable[list[Any]], *, header: list[str] | None) -> str:
    """Rows as CSV, under a header or, for a further part of a file, without.

    Raises:
        DataError: A cell holds what CSV cannot.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\r\n")
    if header is not None:
        writer.writerow([escape_formula(c) for c in header])
    for row in rows:
        writer.writerow([_csv_cell(value) for value in row])
    text = out.getvalue()
    if _SURROGATE.search(text):
        raise DataError("A cell holds half a character, which CSV cannot hold.")
    return text


def _csv_cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float | Decimal):
        return _whole(value) if math.isfinite(value) else str(value)
    return escape_formula(_dated(value))


def _whole(value: Any) -> Any:
    """A float that is a whole number as an integer: pandas makes floats of counts with gaps."""
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT else value


def _dated(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat(sep=" ").removesuffix(" 00:00:00")
    return value.isoformat() if isinstance(value, date | time) else str(value)


def write_workbook(columns: list[str], rows: Iterable[list[Any]], out: Any, *, sheet: str = "list") -> None:
    """Rows as a workbook, into an open binary file.

    Raises:
        DataError: A cell holds what a workbook cannot.
    """
    from openpyxl import Workbook  # type: ignore[import-untyped]

    book = Workbook(write_only=True)
    page = book.create_sheet(sheet)
    try:
        page.append([_text_cell(page, c, 1) for c in columns])
        for number, row in enumerate(rows, 2):
            page.append([_xlsx_cell(page, value, number) for value in row])
    except DataError:
        # Saving is how openpyxl closes and removes its temporary file.
        book.save(io.BytesIO())
        raise
    book.save(out)


def _xlsx_cell(page: Any, value: Any, row: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float | Decimal):
        # Programs keep fifteen digits of a whole number; a longer identifier would change.
        kept = math.isfinite(value) and (isinstance(value, float) or -_EXACT < value < _EXACT)
        return value if kept else _text_cell(page, str(value), row)
    if isinstance(value, date | time):
        return value
    return _text_cell(page, str(value), row)


def _text_cell(page: Any, text: str, row: int) -> Any:
    from openpyxl.cell import WriteOnlyCell  # type: ignore[import-untyped]

    written = _XML.sub(lambda found: f"_x{ord(found.group()):04X}_", text)
    if len(written) > _LONGEST:
        raise DataError(
            f"Row {row} holds a text of {len(written):,} characters.",
            allowed=f"up to {_LONGEST:,} in a workbook",
            next_step="Export as CSV or Parquet.",
        )
    if _SURROGATE.search(text):
        raise DataError(f"Row {row} holds half a character, which a workbook cannot hold.")
    cell = WriteOnlyCell(page, value=None)
    cell.value = written
    # openpyxl takes text that begins with "=" for a formula and "#N/A" for an error: say that it is text.
    cell.data_type = "s"
    if is_live(text):
        # And it stays text when someone edits the cell.
        cell.quotePrefix = True
    return cell


def _parquet(frame: Any) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    out = io.BytesIO()
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), out)
    return out.getvalue()
