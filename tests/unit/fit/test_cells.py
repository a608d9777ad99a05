"""Cells of a list as values: one reading, or a fault in words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.fit.facts import build_facts
from serving.fit.cells import read_column


def one(name: str, *cells: str | None) -> tuple[Any, str]:
    """What becomes of the first cell, the others deciding with it."""
    return read_column(name, list(cells))[0]


@pytest.mark.parametrize(
    ("cells", "value"),
    [
        (("1.234.567,89",), 1234567.89),
        (("1,234,567.89",), 1234567.89),
        (("1.234", "9,5"), 1234.0),
        (("1.234", "9.5"), 1.234),
        (("1 234 567",), 1234567.0),
        (("$ 2,500,000.00",), 2_500_000.0),
        (("12 USD",), 12.0),
        (("1e6",), 1e6),
    ],
)
def test_money_is_read_as_its_column_writes_numbers(cells: tuple[str, ...], value: float) -> None:
    assert one("annual_revenue_usd", *cells) == (value, "")


def test_a_number_with_two_readings_is_a_fault_where_nothing_tells() -> None:
    value, fault = one("annual_revenue_usd", "1.234", "5.678")
    assert value is None
    assert fault == "could be 1.234 or 1234: no other value of the column tells"


@pytest.mark.parametrize(("text", "value"), [("1.250", 1250.0), ("1,250", 1250.0), ("80", 80.0), ("0", 0.0)])
def test_nobody_has_a_fraction_of_an_employee(text: str, value: float) -> None:
    assert one("employee_count", text) == (value, "")


@pytest.mark.parametrize(
    "text", ["1999", "1999-02-01", "1999-02-01 00:00:00", "1999-02-01T08:15:00Z", "01.02.1999", "2/1/1999"]
)
def test_a_day_of_foundation_tells_its_year(text: str) -> None:
    assert one("founded_year", text) == (1999.0, "")


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("employee_count", "12,5", "whole number"),
        ("employee_count", "10-50", "not a number"),
        ("employee_count", "-3", "below 0"),
        ("founded_year", "1066", "below 1500"),
        ("founded_year", "about 1990", "not a year such as 1999"),
        ("founded_year", "01.02.99", "not a year such as 1999"),
        ("country", "Atlantis", "not a country"),
        ("country", "XX", "not a country"),
        ("domain", "no website", "not a web domain"),
        ("name", "x" * 300, "200 characters"),
    ],
)
def test_what_holds_no_value_says_why(name: str, text: str, fault: str) -> None:
    value, told = one(name, text)
    assert value is None
    assert fault in told


@pytest.mark.parametrize("name", ["country", "industry", "employee_count", "annual_revenue_usd", "domain"])
@pytest.mark.parametrize("nothing", ["", None, "-", "n/a", "unbekannt", "  "])
def test_what_people_write_for_nothing_is_missing_and_no_fault(name: str, nothing: Any) -> None:
    assert one(name, nothing) == (None, "")


def test_namibia_is_a_country() -> None:
    assert one("country", "NA") == ("NA", "")
    assert one("industry", "NA") == (None, "")


@pytest.mark.parametrize("text", ["Deutschland", "de", "Germany", "ALLEMAGNE", "Alemania", "DEU"])
def test_a_country_is_known_in_many_languages(text: str) -> None:
    assert one("country", text) == ("DE", "")


@settings(deadline=None)
@given(st.integers(0, 10**9), st.sampled_from([",", "."]))
def test_what_a_spreadsheet_writes_comes_back(number: int, thousands: str) -> None:
    decimal = "." if thousands == "," else ","
    text = f"{number:,}".replace(",", thousands) + f"{decimal}25"
    assert one("annual_revenue_usd", text) == (number + 0.25, "")


@settings(deadline=None)
@given(st.lists(st.text(max_size=12), min_size=1, max_size=8))
def test_any_text_is_a_value_or_a_fault_never_an_exception(cells: list[str]) -> None:
    for name in (
        "employee_count",
        "annual_revenue_usd",
        "founded_year",
        "country",
        "domain",
        "industry",
        "phone",
    ):
        for value, fault in read_column(name, cells):
            assert value is None or fault == ""


def test_facts_compare_kinds_without_regard_to_capitals() -> None:
    import pandas as pd

    rows = pd.DataFrame(
        {"partner_type": ["  Reseller ", None], "country": ["de", None], "employee_count": [10, 0],
         "annual_revenue_usd": [1e6, 1e6], "founded_year": [2000, 2090]}
    )  # fmt: skip
    facts = build_facts(rows, year=2026)
    assert facts["partner_type"].tolist() == ["reseller", None]
    assert facts["country"].tolist() == ["DE", None]
    assert facts["revenue_per_employee_usd"].iloc[0] == 1e5
    assert facts["revenue_per_employee_usd"].isna().iloc[1]
    assert facts["company_age_years"].iloc[0] == 26
    assert facts["company_age_years"].isna().iloc[1]
