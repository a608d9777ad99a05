"""An uploaded list: bytes and a file name in, a table of text out."""

from __future__ import annotations

from pathlib import PurePath

from data.spreadsheet.delimited import SEPARATORS, read_delimited
from data.spreadsheet.headers import is_known_header
from data.spreadsheet.table import Limits, TextTable, refuse
from data.spreadsheet.workbook import read_workbook, refuse_compound

DEFAULT_LIMITS = Limits()
_OTHER = {
    ".xlsm": "it is a workbook with macros",
    ".xltm": "it is a template with macros",
    ".xlsb": "it is a binary workbook",
    ".xls": "it is an old .xls file",
    ".ods": "it is an OpenDocument sheet",
    ".zip": "it is a zip archive",
    ".gz": "it is a compressed file",
    ".parquet": "it is a Parquet file",
    ".pdf": "it is a PDF",
}
_ADVICE = "Save it as .xlsx or CSV."


def read_table(
    content: bytes,
    name: str,
    *,
    encoding: str | None = None,
    separator: str | None = None,
    sheet: str | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> TextTable:
    """Read an uploaded list, every cell as the text it was.

    What the file holds decides how it is read; its name may only narrow that.

    Args:
        content: The file.
        name: Its name.
        encoding: Codec of a text file; None finds it.
        separator: One of `,` `;` tab `|`; None finds it.
        sheet: Sheet of a workbook; None takes the first visible one.
        limits: What an upload may cost.

    Raises:
        DataError: It cannot be read without guessing or cost; the message names line and reason.
    """
    name = PurePath(name.replace("\\", "/")).name[:200] or "upload"
    if not content:
        raise refuse(name, "the file is empty", next_step="Put the column names on the first line.")
    if len(content) > limits.file_bytes:
        raise refuse(
            name, f"the file has {len(content) >> 20} MB", allowed=f"up to {limits.file_bytes >> 20} MB"
        )
    if separator is not None and separator not in SEPARATORS:
        raise refuse(name, f"{separator!r} is no separator", allowed="comma, semicolon, tab or pipe")
    kind = PurePath(name).suffix.lower()
    refuse_compound(content, name)
    if reason := _OTHER.get(kind):
        raise refuse(name, reason, next_step=_ADVICE)
    if content.startswith(b"PK"):
        return read_workbook(content, name, limits=limits, sheet=sheet)
    if kind == ".xlsx":
        raise refuse(name, "it is called .xlsx and is no workbook", next_step=_ADVICE)
    if content.startswith((b"%PDF", b"PAR1", b"\x1f\x8b", b"{\\rtf")):
        raise refuse(name, "it is neither CSV text nor a workbook", next_step=_ADVICE)
    return read_delimited(
        content, name, limits=limits, recognise=is_known_header, encoding=encoding, separator=separator
    )  # fmt: skip
