"""Numbers as people write them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.connectors.source import scalar
from data.lake import connect
from data.numbers import choose_style, looks_numeric_sql, number_sql, weigh_numbers


def _read(values, *, style="point", strict=False):
    with connect() as connection:
        connection.execute("CREATE TABLE t (v VARCHAR)")
        connection.executemany("INSERT INTO t VALUES (?)", [[v] for v in values])
        sql = number_sql("v", style=style, strict=strict)
        return [row[0] for row in connection.sql(f"SELECT {sql} FROM t").fetchall()]


def _choose(columns, *, point_is_usual=False):
    with connect() as connection:
        weighed = []
        for index, values in enumerate(columns):
            connection.execute(f"CREATE TABLE t{index} (v VARCHAR)")
            connection.executemany(f"INSERT INTO t{index} VALUES (?)", [[v] for v in values])
            weighed.append(weigh_numbers(connection, f"t{index}", "v", column=str(index)))
    return choose_style(weighed[0], weighed, point_is_usual=point_is_usual)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12", 12.0),
        ("-12.5", -12.5),
        ("+3", 3.0),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("1.5E-2", 0.015),
        ("1,234.56", 1234.56),
        ("1,234,567", 1234567.0),
        ("1.234,56", 1234.56),
        ("1.234.567", 1234567.0),
        ("12,5", 12.5),
        ("0,123", 0.123),
        ("1 234,50", 1234.5),
        ("1\u00a0234.50", 1234.5),
        ("1\u202f234", 1234.0),
        ("1'234.50", 1234.5),
    ],
)
def test_a_number_with_one_reading_is_read_whatever_the_style(text, number):
    assert _read([text], style="point") == [number]
    assert _read([text], style="comma") == [number]


@pytest.mark.parametrize(
    "text",
    ["abc", "1.2.3", "1,23,456", "12 €", "$5", "(5)", "1_000", "0x10", "--1", "1e", "1 23", "5%", "inf"],
)
def test_what_is_no_number_is_not_read(text):
    assert _read([text]) == [None]


@pytest.mark.parametrize(("style", "point", "comma"), [("point", 1.234, 1234.0), ("comma", 1234.0, 1.234)])
def test_two_readings_follow_the_style(style, point, comma):
    assert _read(["1.234", "1,234"], style=style) == [point, comma]


def test_a_given_style_refuses_the_other_one():
    assert _read(["12,5", "12.5"], style="comma", strict=True) == [12.5, None]
    assert _read(["12,5", "12.5"], style="point", strict=True) == [None, 12.5]


def test_other_values_of_the_column_decide():
    assert _choose([["1.234", "12.5"]]) == "point"
    assert _choose([["1.234", "12,5"]]) == "comma"


def test_other_columns_of_the_file_decide():
    assert _choose([["1.234"], ["12,5"]]) == "comma"
    assert _choose([["1,234"], ["12.5"]]) == "point"


def test_nothing_decides_so_the_question_is_asked():
    assert _choose([["1.234"]]) is None
    assert _choose([["1,234"]], point_is_usual=True) is None
    assert _choose([["1.234", "12.5", "12,5"]]) is None
    assert _choose([["1.234"], ["12.5"], ["12,5"]]) is None


def test_a_point_is_a_decimal_point_where_commas_separate_the_columns():
    assert _choose([["1.234", "7"]], point_is_usual=True) == "point"


def test_a_column_without_two_readings_needs_no_answer():
    assert _choose([["1", "12.5", "12,5"]]) == "point"


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_every_float_survives_being_written_and_read(values):
    assert _read([repr(v) for v in values]) == values


def test_looking_numeric_and_being_read_agree():
    texts = ["12", "1,5", "1.5", "abc", "1.2.3", "2024-01-01", "00123"]
    with connect() as connection:
        for text, value in zip(texts, _read(texts), strict=True):
            looks = scalar(connection, f"SELECT {looks_numeric_sql(f'''CAST('{text}' AS VARCHAR)''')}")
            assert looks == (value is not None)
