"""Case B5: refused within two seconds, without this process growing."""

from __future__ import annotations

import pytest

from data.spreadsheet import read_table
from tests.unit.spreadsheet.bombs import MEGABYTES, Bomb, bombs, careless, measured
from tests.unit.spreadsheet.books import workbook

CASES = {b.title: b for b in bombs() if not b.title.startswith("byte ")}


@pytest.mark.parametrize("title", CASES)
def test_hostile_workbook_is_refused_quickly_and_cheaply(title: str) -> None:
    assert measured(CASES[title], read_table).wrong == ""


def test_damaged_bytes_never_escape_as_anything_but_a_refusal_or_the_right_table() -> None:
    whole = workbook([("Nr", "Firma"), *((n, f"Firma {n}") for n in range(50))])
    right = read_table(whole, "l.xlsx").rows
    for bomb in (b for b in bombs() if b.title.startswith("byte ")):
        found = measured(Bomb(bomb.title, bomb.name, bomb.content, "."), read_table)
        assert found.wrong in ("", "was read"), bomb.title
        if found.wrong == "was read":
            assert read_table(bomb.content, bomb.name).rows == right


def test_a_careless_reader_is_found_out() -> None:
    bomb = CASES["100 MB of shared texts"]
    assert measured(bomb, careless).wrong == "was read"
    assert measured(bomb, careless).megabytes > MEGABYTES


def test_a_large_honest_list_is_read() -> None:
    rows = [("Nr", "Firma", "Ort"), *((n, f"Firma {n}", "Köln") for n in range(3_000))]
    table = read_table(workbook(rows), "l.xlsx")
    assert len(table.rows) == 3_000
    assert table.rows[-1] == ("2999", "Firma 2999", "Köln")
