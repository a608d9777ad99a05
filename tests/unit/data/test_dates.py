"""Dates as people write them."""

from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.dates import choose_order, date_sql, strptime_formats, weigh_dates
from data.lake import connect


def _read(values, *, order="day_first", formats=()):
    with connect() as connection:
        connection.execute("CREATE TABLE t (v VARCHAR)")
        connection.executemany("INSERT INTO t VALUES (?)", [[v] for v in values])
        return [
            r[0]
            for r in connection.sql(f"SELECT {date_sql('v', order=order, formats=formats)} FROM t").fetchall()
        ]


def _choose(*columns):
    with connect() as connection:
        weighed = []
        for index, values in enumerate(columns):
            connection.execute(f"CREATE TABLE t{index} (v VARCHAR)")
            connection.executemany(f"INSERT INTO t{index} VALUES (?)", [[v] for v in values])
            weighed.append(weigh_dates(connection, f"t{index}", "v", column=str(index)))
    return choose_order(weighed[0], weighed)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-02-13", datetime(2024, 2, 13)),
        ("2024/02/13", datetime(2024, 2, 13)),
        ("20240213", datetime(2024, 2, 13)),
        ("13.02.2024", datetime(2024, 2, 13)),
        ("3.4.2024", datetime(2024, 4, 3)),
        ("13/02/2024", datetime(2024, 2, 13)),
        ("02/13/2024", datetime(2024, 2, 13)),
        ("13-02-2024", datetime(2024, 2, 13)),
        ("2024-02-13 10:05", datetime(2024, 2, 13, 10, 5)),
        ("2024-02-13T10:05:06.123456", datetime(2024, 2, 13, 10, 5, 6, 123456)),
        ("2024-02-13T10:05:06,5", datetime(2024, 2, 13, 10, 5, 6, 500000)),
        ("2024-02-13T10:05:06Z", datetime(2024, 2, 13, 10, 5, 6)),
        ("2024-02-13T10:05:06+02:00", datetime(2024, 2, 13, 8, 5, 6)),
        ("2024-02-13 10:05:06 -0530", datetime(2024, 2, 13, 15, 35, 6)),
        ("13.02.2024 10:05", datetime(2024, 2, 13, 10, 5)),
        ("02/13/2024 3:05 PM", datetime(2024, 2, 13, 15, 5)),
        ("02/13/2024 12:05:06 am", datetime(2024, 2, 13, 0, 5, 6)),
    ],
)
def test_a_date_with_one_reading_is_read_whatever_the_order(text, moment):
    assert _read([text], order="day_first") == [moment]
    assert _read([text], order="month_first") == [moment]


@pytest.mark.parametrize(
    "text",
    [
        "2024-02-30",
        "13/13/2024",
        "yesterday",
        "1/2/24",
        "2024-13-01",
        "45000",
        "2024",
        "12 Mar 2024",
        "25:00",
    ],
)
def test_what_is_no_date_is_not_read(text):
    assert _read([text]) == [None]


def test_two_readings_follow_the_order():
    assert _read(["03/04/2024"], order="day_first") == [datetime(2024, 4, 3)]
    assert _read(["03/04/2024"], order="month_first") == [datetime(2024, 3, 4)]


def test_the_column_or_another_column_of_the_file_decides():
    assert _choose(["03/04/2024", "25/04/2024"]) == "day_first"
    assert _choose(["03/04/2024", "04/25/2024"]) == "month_first"
    assert _choose(["03/04/2024"], ["04/25/2024"]) == "month_first"


def test_nothing_decides_so_the_question_is_asked():
    assert _choose(["03/04/2024"]) is None
    assert _choose(["03/04/2024", "25/04/2024", "04/25/2024"]) is None
    assert _choose(["03/04/2024"], ["25/04/2024"], ["04/25/2024"]) is None


def test_equal_day_and_month_need_no_answer():
    assert _choose(["03/03/2024", "2024-05-01"]) == "day_first"


@pytest.mark.parametrize("given_format", ["MM/DD/YYYY", "%m/%d/%Y"])
def test_named_formats_are_followed_with_and_without_a_time(given_format):
    values = ["03/04/2024", "03/04/2024 10:30", "2024-03-04"]
    march = datetime(2024, 3, 4)
    assert _read(values, formats=[given_format]) == [march, march.replace(hour=10, minute=30), march]


def test_named_formats_exclude_others():
    assert _read(["25/04/2024"], formats=["MM/DD/YYYY"]) == [None]


def test_readable_formats_tell_minutes_from_months():
    assert strptime_formats(["DD MMM YY HH:MM:SS"]) == ["%d %b %y %H:%M:%S"]
    assert _read(["12 Mar 24 10:05:06"], formats=["DD MMM YY HH:MM:SS"]) == [datetime(2024, 3, 12, 10, 5, 6)]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.datetimes(datetime(1900, 1, 1), datetime(2261, 12, 31)), min_size=1, max_size=10))
def test_every_moment_survives_being_written_and_read(moments):
    assert _read([m.isoformat() for m in moments]) == moments
    assert _read([m.isoformat(sep=" ") + "Z" for m in moments]) == moments
