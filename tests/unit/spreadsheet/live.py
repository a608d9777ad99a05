"""Text that a spreadsheet program would run, and an eye that sees whether it still would (case B6)."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd

from data.spreadsheet import read_table

SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
FRONTS = ("", " ", "\u00a0", "\u200b", "\ufeff", "\u2003", '"', "'", "''", ' "', "\t", "\r\n")
TAILS = (
    'HYPERLINK("http://example.org","x")',
    "cmd|' /C calc'!A0",
    "1+1",
    "SUM(A1:A9)",
    "A1",
    "",
)
WITHIN = ("a;{0}", "a,{0}", "a\t{0}", "a|{0}", "a\n{0}", "a\r\n{0}", 'a";"{0}', "{0};{0}", "a; {0}")
HARMLESS = (
    "-5",
    "-1,234.56",
    "-1.5e3",
    "-5%",
    "a-b",
    "1+1",
    "a@b.com",
    "Müller & Co",
    "it's",
    "x'=y",
    "_x0041_",
)
Writer = Callable[[Any, str], bytes]


def texts() -> Iterator[str]:
    """Every dangerous beginning, alone and inside other text, and harmless text beside it."""
    for sign in SIGNS:
        for front in FRONTS:
            yield from (f"{front}{sign}{tail}" for tail in TAILS)
        for frame in WITHIN:
            yield from (frame.format(f"{sign}{tail}") for tail in TAILS[:2])
    yield from HARMLESS


def wrong(text: str, write: Writer, fmt: str) -> str:
    """What is wrong with exporting the text as a cell and as a header; '' when nothing."""
    frame = pd.DataFrame({"Nr": ["1", "2"], text: ["x", text], "Zahl": [-5, 2]})
    content = write(frame, fmt)
    if live := live_cells(content, fmt):
        return f"live: {live[0]!r}"
    table = read_table(content, f"l.{fmt}")
    # A header loses the blanks around it; cells lose nothing.
    header = text.strip(" \t\r\n\u00a0\ufeff") or "column 2"
    if table.columns != ("Nr", header, "Zahl"):
        return f"header came back as {table.columns[1]!r}"
    if table.rows != (("1", "x", "-5"), ("2", text, "2")):
        return f"came back as {table.rows!r}"
    return ""


def live_cells(content: bytes, fmt: str) -> list[str]:
    """Cells a spreadsheet program would run."""
    return _live_csv(content.decode("utf-8-sig")) if fmt == "csv" else _live_xlsx(content)


def _live_csv(text: str) -> list[str]:
    cells = [cell for row in csv.reader(io.StringIO(text, newline="")) for cell in row]
    found = [c for c in cells if _runs(c)]
    # Opened under another separator, or by a program that loses count of the quotes.
    pieces = re.split(r"[,;|\t\r\n]", text)
    return found + [p for p in pieces if _runs(p) and _does_something(p)]


def _runs(cell: str) -> bool:
    first = _visible(cell)
    return first in set("=+-@\t\r\n") and not re.fullmatch(r"-[\d.,]+(?:[eE][+-]?\d+)?%?", cell.strip())


def _visible(cell: str) -> str:
    """The first character that counts: full-width made plain, blanks, quotes and invisible marks skipped."""
    for character in cell:
        plain = unicodedata.normalize("NFKC", character)
        if character in "\t\r\n":
            return character
        if plain not in (" ", '"', "") and unicodedata.category(character) not in ("Zs", "Cf"):
            return plain
    return ""


def _does_something(piece: str) -> bool:
    """A bare sum such as "- item" runs nothing; a call, a link to a program or an "=" does."""
    return _visible(piece) in "=@" or bool(re.search(r"[(!]", piece))


def _live_xlsx(content: bytes) -> list[str]:
    from openpyxl import load_workbook

    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        sheets = [archive.read(n).decode() for n in archive.namelist() if n.startswith("xl/worksheets/sheet")]
    found = [s for s in sheets if re.search(r"<f[ >/]|<hyperlink", s)]
    cells = [c for row in load_workbook(io.BytesIO(content)).active.iter_rows() for c in row]
    found += [str(c.value) for c in cells if c.data_type in ("f", "e")]
    # Text stays text when someone edits the cell.
    return found + [
        str(c.value) for c in cells if c.data_type == "s" and _runs(str(c.value)) and not c.quotePrefix
    ]
