"""Codes, and the page that explains them."""

import re
from pathlib import Path

from data.checks import CHECKS, PAGE, checks_page, finding, join_refusals, refusal
from data.errors import DataError, MissingDataError

REPOSITORY = Path(__file__).resolve().parents[3]


def test_the_page_is_the_one_the_code_writes():
    assert (REPOSITORY / PAGE).read_text(encoding="utf-8") == checks_page()


def test_every_code_has_an_anchor_on_the_page():
    page = checks_page()
    for check in CHECKS.values():
        assert re.fullmatch(r"PI-D\d{3}", check.code)
        assert f'<a id="{check.anchor.split("#")[1]}"></a>' in page


def test_every_code_in_the_source_is_known_and_every_known_one_is_used():
    source = "".join(
        p.read_text(encoding="utf-8")
        for p in (REPOSITORY / "data").rglob("*.py")
        if p.name != "checks.py" and "simulate" not in p.parts
    )
    assert set(re.findall(r"PI-D\d{3}", source)) == set(CHECKS)


def test_a_finding_takes_severity_and_anchor_from_its_check():
    found = finding("PI-D030", "deals", row=3, field="partner_id", reason="is unknown", given="p9")
    assert (found.severity, found.anchor) == ("error", "docs/reference/checks.md#pi-d030")


def test_refusals_say_what_to_do_and_are_joined_into_one():
    first, second = refusal("PI-D005", "deals: no column"), refusal("PI-D002", "events: empty")
    assert isinstance(first, MissingDataError)
    assert str(first).startswith("deals: no column (PI-D005). Correct the name")
    assert join_refusals([first]) is first
    joined = join_refusals([first, second])
    assert isinstance(joined, DataError)
    assert "2 tables cannot be used" in str(joined)
    assert "PI-D005" in str(joined)
    assert "PI-D002" in str(joined)
