"""Case B4: the right table cell for cell, or refused with line and reason."""

from __future__ import annotations

import io

import pandas as pd
import pytest

from data.errors import DataError
from data.spreadsheet import Limits, TextTable, read_table
from tests.unit.spreadsheet.books import workbook
from tests.unit.spreadsheet.uploads import Upload, uploads, wrong

CASES = list(uploads())


def test_there_are_enough_files() -> None:
    assert len(CASES) >= 80
    assert len({c.title for c in CASES}) == len(CASES)


@pytest.mark.parametrize("upload", CASES, ids=lambda u: u.title)
def test_upload_is_read_cell_for_cell_or_refused_with_line_and_reason(upload: Upload) -> None:
    assert wrong(upload, read_table) == ""


def test_a_reader_that_guesses_is_found_out() -> None:
    def guessing(content: bytes, name: str) -> TextTable:
        frame = pd.read_csv(io.BytesIO(content), sep=None, engine="python", encoding="latin-1")
        rows = tuple(tuple(None if pd.isna(c) else str(c) for c in row) for row in frame.to_numpy())
        return TextTable(name, tuple(frame.columns), rows, tuple(range(2, len(rows) + 2)))

    plain = [c for c in CASES if c.title.endswith(" utf-8")]
    assert plain
    assert all(wrong(c, guessing) for c in plain)


def test_given_encoding_and_separator_decide() -> None:
    content = "Nr|Firma, Ort\n1|Łódź, PL\n".encode("cp1250")
    table = read_table(content, "l.csv", encoding="cp1250", separator="|")
    assert table.rows == (("1", "Łódź, PL"),)
    with pytest.raises(DataError, match="no encoding called"):
        read_table(content, "l.csv", encoding="klingon")
    with pytest.raises(DataError, match="is no separator"):
        read_table(content, "l.csv", separator=":")


def test_given_sheet_is_read() -> None:
    content = workbook([("Nr", "Firma"), (1, "A")], Zwei=[("Nr", "Firma"), (2, "B")])
    assert read_table(content, "l.xlsx", sheet="Zwei").rows == (("2", "B"),)
    with pytest.raises(DataError, match="no sheet 'Drei'; there are Tabelle1, Zwei"):
        read_table(content, "l.xlsx", sheet="Drei")


def test_a_first_sheet_that_is_no_list_leads_to_the_others() -> None:
    content = workbook([("only a note",)], Kontakte=[("Firma",), ("Acme",)])
    with pytest.raises(
        DataError, match=r"no row under it\. That is sheet 'Tabelle1'; there are also: Kontakte"
    ):
        read_table(content, "l.xlsx")


def test_frame_holds_text_or_none_under_line_numbers() -> None:
    frame = read_table(b"Nr;Firma\n\n007;\n8;B\n", "l.csv").frame()
    assert frame.index.tolist() == [3, 4]
    assert frame.to_numpy().tolist() == [["007", None], ["8", "B"]]


def test_file_name_is_only_a_name() -> None:
    with pytest.raises(DataError, match=r"^passwd: the file is empty"):
        read_table(b"", "../../etc/passwd")


def test_limits_are_kept() -> None:
    rows = b"Nr;Firma\n" + b"1;A\n" * 50
    with pytest.raises(DataError, match="too many rows"):
        read_table(rows, "l.csv", limits=Limits(rows=49))
    with pytest.raises(DataError, match="the file has"):
        read_table(rows, "l.csv", limits=Limits(file_bytes=100))
