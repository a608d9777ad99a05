"""CSV and its relatives: bytes to a text table, or a refusal that names line and reason."""

from __future__ import annotations

import codecs
import csv
import io
import re
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from data.errors import DataError
from data.spreadsheet.formulas import unescape_formula
from data.spreadsheet.table import ONE_CELL, TITLE_STEP, Limits, TextTable, build_table, refuse

SEPARATORS = (",", ";", "\t", "|")
SHOWN = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
_NEWLINE = re.compile(r"\r\n|\r|\n")
# A UTF-8 pair such as "Ã¼", which Windows-1252 text practically never holds: two encodings in one file.
_DOUBLE = re.compile(rb"[\xc2\xc3][\x80-\xbf]")
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_CODE = re.compile(r"\s*\(PI-D\d+\)")
_SAMPLE_ROWS = 200
TEMPORARY = "upload.csv"
"""What the file is called while it is looked at; people are told the name they gave."""
Recognise = Callable[[str], bool]


def read_delimited(
    content: bytes,
    name: str,
    *,
    limits: Limits,
    recognise: Recognise,
    encoding: str | None = None,
    separator: str | None = None,
) -> TextTable:
    """Read CSV text.

    Args:
        content: The file.
        name: Its name, for messages.
        limits: Bounds on rows and columns.
        recognise: Whether a header is one we know; helps to find the separator.
        encoding: Given encoding; None finds it.
        separator: Given separator; None finds it.

    Raises:
        DataError: Not text, two encodings, a stray quote, no telling the separator, no header or no rows.
    """
    found, text, notes = _decode(content, name, encoding)
    text, first = _without_hint(text)
    chosen = separator or first or _find_separator(text, name, recognise)
    skipped = 1 if first else 0
    records = ((line + skipped, cells) for line, cells in _records(text, chosen, name))
    changed: list[int] = []
    table = build_table(
        name, _unescaped(records, changed), limits=limits, notes=notes, encoding=found, separator=chosen
    )  # fmt: skip
    if not changed:
        return table
    note = (
        f"{len(changed)} cells began with an apostrophe that keeps spreadsheet programs from running them "
        f"(first on line {changed[0]}); it was taken off"
    )
    return replace(table, notes=(*table.notes, note))


def _decode(content: bytes, name: str, given: str | None) -> tuple[str, str, list[str]]:
    """(codec, text without byte order mark, notes)."""
    from data.connectors.text import find_encoding

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / TEMPORARY
        path.write_bytes(content)
        try:
            codec = find_encoding(path, given=given, table=name)
        except DataError as error:
            raise _undecodable(content, name, given, error) from error
    text = content.decode(codec).removeprefix("\ufeff")
    if "\0" in text:
        raise refuse(name, "the text holds a zero byte", line=_line_of(text, text.index("\0")))
    if given or codec not in ("cp1252", "latin-1"):
        return codec, text, []
    _check_single_encoding(content, name, codec)
    return codec, text, ["the file is not UTF-8 and was read as Windows-1252 (Western European)"]


def _check_single_encoding(content: bytes, name: str, codec: str) -> None:
    step = "Save it as UTF-8, or name the encoding."
    bad = _first_bad(content, "utf-8")
    if codec == "latin-1":
        raise refuse(name, "the encoding cannot be told", line=_first_bad(content, "cp1252"), next_step=step)
    if _DOUBLE.search(content):
        reason = "the file mixes UTF-8 with another encoding; the first cell that is not UTF-8 is here"
        raise refuse(name, reason, line=bad, next_step=step)


def _undecodable(content: bytes, name: str, given: str | None, error: DataError) -> DataError:
    codec = given or next((c for mark, c in _MARKS if content.startswith(mark)), "")
    try:
        line = _first_bad(content, codec) if codec else None
    except LookupError:
        line = None
    reason = _CODE.sub("", error.message.split(": ", 1)[-1].replace(TEMPORARY, "the file")).rstrip(". ")
    step = "Save it as CSV in UTF-8, or as .xlsx."
    return refuse(name, reason, line=line, next_step=step, allowed=error.allowed)


def _first_bad(content: bytes, codec: str) -> int | None:
    """Line of the first byte that the codec cannot read."""
    try:
        content.decode(codec)
    except UnicodeDecodeError as error:
        before = content[: error.start].decode(codec, errors="replace")
        return _line_of(before, len(before))
    return None


def _line_of(text: str, position: int) -> int:
    return len(_NEWLINE.findall(text, 0, position)) + 1


def _without_hint(text: str) -> tuple[str, str]:
    """The text without a first line such as `sep=;`, and the separator it names."""
    line, newline, rest = text.partition("\n")
    hint = line.strip("\r \ufeff").strip('"')
    if newline and hint.lower().startswith("sep=") and len(hint) == 5 and hint[4] in SEPARATORS:
        return rest, hint[4]
    return text, ""


def _records(text: str, separator: str, name: str) -> Iterator[tuple[int, list[str]]]:
    """(line a record starts on, cells); a quote out of place ends it, since what follows may shift."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise _quoting(name, line, error) from error
        yield line, record


def _quoting(name: str, line: int, error: csv.Error) -> DataError:
    if "unexpected end" in str(error):
        reason, step = (
            "a quote is opened and never closed",
            'Close it; inside quoted text, write "" for a quote.',
        )
    elif "field larger" in str(error):
        reason, step = (
            f"a cell is longer than {csv.field_size_limit():,} characters",
            "A quote may be unclosed.",
        )
    else:
        reason, step = f"quotes are malformed ({error})", 'Inside quoted text, write "" for a quote.'
    return refuse(name, reason, line=line, next_step=step)


def _unescaped(
    records: Iterator[tuple[int, list[str]]], changed: list[int]
) -> Iterator[tuple[int, list[str]]]:
    for line, cells in records:
        if "'" not in "".join(cells):
            yield line, cells
            continue
        original = [unescape_formula(c) for c in cells]
        changed += [line] * sum(a != b for a, b in zip(cells, original, strict=True))
        yield line, original


def _find_separator(text: str, name: str, recognise: Recognise) -> str:
    """The separator under which the header is known best and the rows agree; a draw is refused."""
    merits = {s: _merit(text, s, recognise) for s in SEPARATORS}
    best = max(merits.values())
    winners = [s for s in SEPARATORS if merits[s] == best]
    if best[1] == 0.0:
        _check_title(text, name)
    if best[1] == 0.0 or len(winners) == 1:
        return winners[0]
    names = " or ".join(SHOWN[s] for s in winners)
    step = "Say which, or put text that holds one in quotes."
    raise refuse(name, f"the separator can be {names}", line=1, next_step=step)


def _check_title(text: str, name: str) -> None:
    """Refuse a first row that no separator divides above rows that one does."""
    for separator in SEPARATORS:
        below = _sample(text, separator)[1:]
        if sum(len(row) > 1 for row in below) * 2 > len(below):
            raise refuse(name, ONE_CELL, line=_first_line(text), next_step=TITLE_STEP)


def _first_line(text: str) -> int:
    return _line_of(text, len(text) - len(text.lstrip()))


def _merit(text: str, separator: str, recognise: Recognise) -> tuple[int, float]:
    rows = _sample(text, separator)
    if not rows or len(rows[0]) < 2:
        return (0, 0.0)
    known = sum(recognise(cell) for cell in rows[0])
    agree = sum(len(row) == len(rows[0]) for row in rows) / len(rows)
    return (known, agree)


def _sample(text: str, separator: str) -> list[list[str]]:
    rows: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator):
            if any(cell.strip() for cell in row):
                rows.append(row)
            if len(rows) >= _SAMPLE_ROWS:
                break
    except csv.Error:
        pass
    return rows
