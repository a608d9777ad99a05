"""Case B6: no exported cell is run, and reading the export gives the originals back."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import DataError
from data.spreadsheet import read_table, write_table
from data.spreadsheet.formulas import escape_formula, unescape_formula
from tests.unit.spreadsheet.live import HARMLESS, live_cells, texts, wrong

TEXTS = list(dict.fromkeys(texts()))


def test_no_csv_cell_or_header_is_run_and_all_come_back() -> None:
    assert len(TEXTS) > 800
    assert [(t, found) for t in TEXTS if (found := wrong(t, write_table, "csv"))] == []


def test_no_workbook_cell_is_run_and_all_come_back() -> None:
    """All texts in one workbook, since starting a reader for each would take minutes."""
    frame = pd.DataFrame({"Nr": [str(n) for n in range(len(TEXTS))], "Text": TEXTS})
    content = write_table(frame, "xlsx")
    assert live_cells(content, "xlsx") == []
    assert [row[1] for row in read_table(content, "l.xlsx").rows] == TEXTS


@pytest.mark.parametrize("text", ["=1+1", "\t=1", "＝A1", "@x", "+49 30"])
def test_workbook_headers_are_not_run(text: str) -> None:
    assert wrong(text, write_table, "xlsx") == ""


def test_an_export_that_only_writes_is_found_out() -> None:
    def plain(frame: Any, fmt: str) -> bytes:
        out = io.BytesIO()
        if fmt == "csv":
            frame.to_csv(out, index=False, encoding="utf-8-sig")
        else:
            frame.to_excel(out, index=False)
        return out.getvalue()

    assert wrong('=HYPERLINK("http://example.org")', plain, "csv").startswith("live")
    assert wrong('=HYPERLINK("http://example.org")', plain, "xlsx").startswith("live")


@pytest.mark.parametrize("text", HARMLESS)
def test_harmless_text_is_exported_as_it_is(text: str) -> None:
    assert escape_formula(text) == text


_nasty = st.text(alphabet="'=+-@\t\r\n ,;|\"(!a1\u00a0\u200b＝", max_size=12)


@settings(max_examples=50, deadline=None)
@given(text=st.one_of(_nasty, st.text(max_size=20)))
def test_taking_the_protection_off_is_the_inverse_of_putting_it_on(text: str) -> None:
    assert unescape_formula(escape_formula(text)) == text
    assert unescape_formula(escape_formula(escape_formula(text))) == escape_formula(text)


@settings(max_examples=40, deadline=None)
@given(cells=st.lists(st.tuples(_nasty, _nasty), min_size=1, max_size=6))
def test_any_text_survives_export_and_reading_as_csv(cells: list[tuple[str, str]]) -> None:
    frame = pd.DataFrame([(str(n), *row) for n, row in enumerate(cells)], columns=["Nr", "Firma", "Ort"])
    table = read_table(write_table(frame, "csv"), "l.csv")
    assert [tuple(c or "" for c in row[1:]) for row in table.rows] == cells


def test_numbers_dates_and_gaps_keep_their_kind() -> None:
    frame = pd.DataFrame(
        {
            "n": [-5, 2**60],
            "x": [-1.5, np.nan],
            "count": [3.0, np.nan],
            "yes": [True, False],
            "day": pd.to_datetime(["2024-02-01", None]),
            "at": pd.to_datetime(["2024-02-01 13:30", None]),
            "t": ["a", None],
        }
    )
    expected = (
        ("-5", "-1.5", "3", "TRUE", "2024-02-01", "2024-02-01 13:30:00", "a"),
        (str(2**60), None, None, "FALSE", None, None, None),
    )
    for fmt in ("csv", "xlsx"):
        assert read_table(write_table(frame, fmt), f"l.{fmt}").rows == expected, fmt


def test_parquet_holds_text_as_it_is() -> None:
    frame = pd.DataFrame({"Firma": ["=1+1", None], "n": [-5, 3]})
    back = pd.read_parquet(io.BytesIO(write_table(frame, "parquet")))
    assert back["Firma"].tolist() == ["=1+1", None]
    assert back["n"].tolist() == [-5, 3]


def test_characters_xml_cannot_hold_come_back() -> None:
    frame = pd.DataFrame({"Nr": ["1"], "Firma": ["a\x01\x0b\x1f\ufffe_x0041_ \r\n b\U0001f600"]})
    assert read_table(write_table(frame, "xlsx"), "l.xlsx").rows == (("1", frame["Firma"][0]),)


def test_text_too_long_for_a_workbook_is_refused_not_cut() -> None:
    frame = pd.DataFrame({"Nr": ["1", "2"], "Firma": ["a", "x" * 40_000]})
    with pytest.raises(DataError, match=r"Row 3 holds a text of 40,000 characters.*CSV or Parquet"):
        write_table(frame, "xlsx")
    assert len(read_table(write_table(frame, "csv"), "l.csv").rows[1][1] or "") == 40_000


def test_half_a_character_is_refused() -> None:
    for fmt in ("csv", "xlsx"):
        with pytest.raises(DataError, match="half a character"):
            write_table(pd.DataFrame({"Firma": ["\ud83d"]}), fmt)


def test_unknown_format_is_refused() -> None:
    with pytest.raises(DataError, match="csv, xlsx, parquet"):
        write_table(pd.DataFrame({"a": [1]}), "ods")  # type: ignore[arg-type]
