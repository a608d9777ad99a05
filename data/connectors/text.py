"""Finding out how a text file is written: its encoding and its separator."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from data.checks import refusal

SEPARATORS = (",", ";", "\t", "|")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NOT_TEXT = (
    (b"PK\x03\x04", "a zip or xlsx file"),
    (b"PAR1", "a Parquet file"),
    (b"\xd0\xcf\x11\xe0", "an xls file"),
)
_CHUNK = 1 << 20


def open_bytes(path: Path) -> IO[bytes]:
    """The file's bytes, unpacked when it ends in .gz."""
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


def find_encoding(path: Path, *, given: str | None, table: str) -> str:
    """Name of the codec that reads the file: given, by its mark, UTF-8, or Windows-1252 and Latin-1.

    The whole file is decoded once, because one Latin-1 letter may stand on the last line.

    Raises:
        DataError: The file is not text, or the given encoding does not fit.
    """
    with open_bytes(path) as file:
        head = file.read(4096)
    for magic, kind in _NOT_TEXT:
        if head.startswith(magic):
            raise refusal("PI-D003", f"{table}: {path.name} is {kind}, not CSV text", pointer=table)
    if given:
        if not _decodes(path, given, table=table):
            raise refusal("PI-D003", f"{table}: {path.name} cannot be decoded as {given}", pointer=table)
        return given
    for mark, name in _MARKS:
        if head.startswith(mark):
            if not _decodes(path, name, table=table):
                raise refusal("PI-D003", f"{table}: {path.name} starts as {name}, but does not go on so")
            return name
    if wide := _unmarked_utf16(head):
        return wide
    if b"\0" in head:
        raise refusal("PI-D003", f"{table}: {path.name} holds zero bytes and is not text", pointer=table)
    return next(name for name in ("utf-8", "cp1252", "latin-1") if _decodes(path, name, table=table))


def _unmarked_utf16(head: bytes) -> str:
    half = max(len(head) // 2, 1)
    if head[1::2].count(0) > 0.4 * half and head[::2].count(0) == 0:
        return "utf-16-le"
    if head[::2].count(0) > 0.4 * half and head[1::2].count(0) == 0:
        return "utf-16-be"
    return ""


def _decodes(path: Path, encoding: str, *, table: str) -> bool:
    try:
        decoder = codecs.getincrementaldecoder(encoding)("strict")
    except LookupError:
        raise refusal(
            "PI-D003",
            f"{table}: there is no encoding called {encoding!r}",
            allowed="utf-8, utf-16, cp1252, latin-1",
        ) from None
    try:
        with open_bytes(path) as file:
            while chunk := file.read(_CHUNK):
                decoder.decode(chunk)
        decoder.decode(b"", True)
    except UnicodeDecodeError:
        return False
    except (OSError, EOFError) as error:
        raise refusal("PI-D003", f"{table}: {path.name} cannot be read: {error}", pointer=table) from error
    return True


def find_separator(head: str, *, expected: Iterable[str]) -> str:
    """The separator under which the header holds most expected names, then under which rows agree best.

    Args:
        head: The first lines of the file.
        expected: Column names the mapping refers to.
    """
    names = set(expected)

    def merit(separator: str) -> tuple[int, float, int]:
        rows = _first_rows(head, separator)
        if not rows:
            return (0, 0.0, 0)
        width = len(rows[0])
        agree = sum(len(row) == width for row in rows) / len(rows)
        return (len(names & {cell.strip() for cell in rows[0]}), agree if width > 1 else 0.0, width)

    return max(SEPARATORS, key=merit)


def _first_rows(head: str, separator: str, most: int = 60) -> list[list[str]]:
    rows: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(head, newline=""), delimiter=separator):
            if row:
                rows.append(row)
            if len(rows) > most:
                break
    except csv.Error:
        pass
    # The last record may be cut in the middle.
    return rows[:-1] if len(rows) > 2 else rows
