"""Files as people upload them, each with the table it holds or the refusal it deserves (case B4)."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from data.errors import DataError
from data.spreadsheet import TextTable
from tests.unit.spreadsheet.books import sheet_uploads

SEPARATORS = (",", ";", "\t", "|")
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-be-marked", "utf-16-le", "latin-1", "cp1252")
HEADER = ("Nr", "Firma", "Land", "Umsatz", "Datum", "Konto", "Notiz")
# Everything a reader that guesses types would change.
ROWS = (
    ("00123", "Müller & Söhne GmbH", "NA", "1.234,56", "01.02.2024", "9007199254740993", "Zeile 1\nZeile 2"),
    ("00124", "None", "NULL", "-5,00", "2024-03-01", "18014398509481985", 'Er sagte "ja"'),
    ("1e5", "Société Générale", "nan", "0,10", "3/4/24", "00000000000000000001", "a;b,c|d\te"),
    ("007", "  außen  ", "N/A", "1,234.56", "2024-01-01T00:00:00Z", "-0", "true"),
    ("+49", "Ærø", "", "1.0", "31.12.1899", "0x1F", "1_000"),
    ("", "Ñandú", "null", "5.", "Jan-24", "1E400", "'"),
)
Reader = Callable[[bytes, str], TextTable]


@dataclass(frozen=True)
class Upload:
    """A file and what must come of it.

    Attributes:
        title: What is special about it.
        name: File name.
        content: The file.
        columns: Headers expected.
        rows: Cells expected, '' for empty.
        lines: Lines expected, or None where they are not compared.
        faults: Lines of the rows that must be set aside.
        refused: Pattern of the refusal, or '' when it must be read.
        line: Line the refusal must name, or None.
        noted: Pattern a note must match, or ''.
    """

    title: str
    name: str
    content: bytes
    columns: tuple[str, ...] = HEADER
    rows: tuple[tuple[str, ...], ...] = ROWS
    lines: tuple[int, ...] | None = None
    faults: tuple[int, ...] = ()
    refused: str = ""
    line: int | None = None
    noted: str = ""


def wrong(upload: Upload, read: Reader) -> str:
    """What the reader did wrong with the file; '' when nothing."""
    try:
        table = read(upload.content, upload.name)
    except DataError as error:
        return _wrong_refusal(upload, str(error))
    if upload.refused:
        return f"read although {upload.refused!r}"
    found = tuple(tuple(c or "" for c in row) for row in table.rows)
    faults = tuple(f.line for f in table.faults)
    for what, got, wanted in (
        ("columns", table.columns, upload.columns),
        ("rows", found, upload.rows),
        ("faults", faults, upload.faults),
        ("lines", table.lines if upload.lines is not None else None, upload.lines),
    ):
        if got != wanted:
            return f"{what}: {got!r} instead of {wanted!r}"
    if upload.noted and not any(re.search(upload.noted, note) for note in table.notes):
        return f"no note of {upload.noted!r}"
    return ""


def _wrong_refusal(upload: Upload, message: str) -> str:
    if not upload.refused:
        return f"refused: {message}"
    if not re.search(upload.refused, message):
        return f"refused for another reason: {message}"
    if upload.line is not None and f", line {upload.line}:" not in message:
        return f"another line than {upload.line}: {message}"
    return ""


def written(
    rows: Sequence[Sequence[str]], separator: str = ";", newline: str = "\r\n", *, quoting: int = 0
) -> str:
    """Rows as CSV text."""
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=separator, lineterminator=newline, quoting=quoting).writerows(rows)
    return out.getvalue()


def encoded(text: str, encoding: str) -> bytes:
    """Text in an encoding; `utf-16-be-marked` has its byte order mark."""
    return ("\ufeff" + text).encode("utf-16-be") if encoding == "utf-16-be-marked" else text.encode(encoding)


def uploads() -> Iterator[Upload]:
    """All files of the case."""
    yield from _plain()
    yield from _ways_of_writing()
    yield from _odd_rows()
    yield from _refusals()
    yield from (Upload(**given) for given in sheet_uploads())


def _plain() -> Iterator[Upload]:
    for separator in SEPARATORS:
        for encoding in ENCODINGS:
            text = written((HEADER, *ROWS), separator)
            # The first row holds a line break, so the others start one line later.
            lines = (2, 4, 5, 6, 7, 8)
            yield Upload(f"{separator!r} {encoding}", "list.csv", encoded(text, encoding), lines=lines)
    for separator in SEPARATORS:
        rows = ((*HEADER[:-1], "Betrag €"), *ROWS)
        content = encoded(written(rows, separator), "cp1252")
        yield Upload(f"{separator!r} euro sign", "l.csv", content, columns=rows[0], noted="Windows-1252")


def _ways_of_writing() -> Iterator[Upload]:
    every = (HEADER, *ROWS)
    for separator in SEPARATORS:
        yield Upload(
            f"{separator!r} all quoted",
            "l.csv",
            encoded(written(every, separator, quoting=csv.QUOTE_ALL), "utf-8-sig"),
        )
        for newline, title in (("\n", "unix"), ("\r", "old mac")):
            # Python's writer leaves a line break unquoted where another one ends the rows.
            text = written(every, separator, newline, quoting=csv.QUOTE_ALL)
            yield Upload(f"{separator!r} {title}", "l.csv", encoded(text, "utf-8"))
        text = written(every, separator)
        yield Upload(f"{separator!r} no last newline", "l.txt", encoded(text.rstrip("\r\n"), "utf-16"))
        hint = f"sep={separator}\r\n{text}"
        yield Upload(f"{separator!r} hint", "l.csv", hint.encode(), lines=(3, 5, 6, 7, 8, 9))


def _odd_rows() -> Iterator[Upload]:
    header, a, b, c = HEADER[:3], ("1", "Ä", "x"), ("2", "B", ""), ("3", "C", "z")
    for separator in SEPARATORS:
        name = {"\t": "tab"}.get(separator, separator)
        s = separator

        def made(title: str, text: str, label: str = name, **more: object) -> Upload:
            given = {"columns": header, "rows": (a, b, c), **more}
            return Upload(f"{label} {title}", "l.csv", text.encode("utf-8"), **given)  # type: ignore[arg-type]

        head, first, second, third = (s.join(r) for r in (header, a, b, c))
        yield made("short row", f"{head}\n{first}\n9{s}9\n{second}\n{third}\n", faults=(3,), lines=(2, 4, 5))
        yield made(
            "long row", f"{head}\n{first}\n{second}\n9{s}9{s}9{s}9\n{third}", faults=(4,), lines=(2, 3, 5)
        )
        yield made("blank lines", f"\n\n{head}\n\n{first}\n\n{second}\n{third}\n\n", lines=(5, 7, 8))
        yield made(
            "rows of separators", f"{head}\n{first}\n{s}{s}\n{second}\n{third}\n{s}{s}\n", lines=(2, 4, 5)
        )
        ends = "\n".join(f"{row}{s}" for row in (head, first, second, third))
        padded = tuple((*r, "") for r in (a, b, c))
        yield made("separator at the end", ends, columns=(*header, "column 4"), rows=padded)
        twice = f"Firma{s}Firma{s}Firma\n{first}\n{second}\n{third}"
        yield made("header repeated", twice, columns=("Firma", "Firma (2)", "Firma (3)"), noted="two columns")
        yield made(
            "header unnamed",
            f"Nr{s}{s} Land \n{first}\n{second}\n{third}",
            columns=("Nr", "column 2", "Land"),
        )


def _refusals() -> Iterator[Upload]:
    good = "Nr;Firma\n1;Ä\n"

    def refused(
        title: str, content: bytes | str, why: str, line: int | None = None, name: str = "l.csv"
    ) -> Upload:
        raw = content.encode() if isinstance(content, str) else content
        return Upload(title, name, raw, refused=why, line=line)

    yield refused("empty", b"", "empty")
    yield refused("blank", " \n\n;;\n", "empty|no row")
    yield refused("blank lines", " \n\n", "empty")
    yield refused("header only", "Nr;Firma\n", "no row", 1)
    yield refused("quote left open", good + '2;"B\n3;C\n4;D\n', "never closed", 3)
    yield refused("stray quote", good + '2;"B"x\n3;C\n', "malformed", 3)
    yield refused("zero byte", good.encode() + b"2;B" + b" " * 5000 + b"\0\n", "zero byte", 3)
    yield refused("binary", bytes(range(256)) * 20, "zero bytes|zero byte|neither")
    yield refused("UTF-16 cut off", encoded(good, "utf-16")[:-1], "does not go on", 2)
    yield refused("UTF-8 mark, other text", b"\xef\xbb\xbfNr;Firma\n1;\xc4\n", "does not go on", 2)
    mixed = good.encode() + "2;Ü\n".encode("latin-1")
    yield refused("two encodings", mixed, "mixes", 3)
    yield refused("no known encoding", good.encode("latin-1") + b"2;\x81\x8d\n", "encoding", 3)
    yield refused("title above", "Liste 2024\nNr;Firma;Ort\n1;A;B\n2;C;D\n", "column names should be", 1)
    drawn = "Kürzel\tWert, brutto\nA\t1,5\nB\t2,5\n"
    yield refused("two separators fit", drawn, "separator can be comma or tab", 1)
    yield refused("long cell", f"Nr;Firma\n1;{'x' * 140_000}\n", "longer than", 2)
    yield refused("too many columns", ";".join(f"c{n}" for n in range(600)) + "\n1\n", "600 columns", 1)
    for name, start, why in (
        ("l.pdf", b"%PDF-1.7", "PDF"),
        ("l.csv", b"%PDF-1.7 \n", "neither"),
        ("l.csv", b"PAR1....", "neither"),
        ("l.parquet", b"PAR1", "Parquet"),
        ("l.csv.gz", b"\x1f\x8b\x08", "compressed"),
        ("l.csv", b"\x1f\x8b\x08", "neither"),
        ("l.xlsx", b"Nr;Firma\n1;A\n", "no workbook"),
        ("l.ods", b"PK\x03\x04", "OpenDocument"),
    ):
        yield refused(f"{name} {start[:4]!r}", start, why, name=name)
