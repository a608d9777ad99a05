"""A case passes only when it tried something, found nothing, and found its planted defect."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.faults import harness
from tests.faults.harness import Row, judged, run_apart
from tests.faults.page import PAGE, README, rendered, stored, with_summary

GOOD = Row("X1", "what holds", tried=3, failed=0, figure="3 tried", planted_found=True)


@pytest.mark.parametrize("change", [{"tried": 0}, {"failed": 1}, {"planted_found": False}])
def test_nothing_tried_a_failure_or_a_planted_defect_not_found_is_no_pass(change: dict[str, int]) -> None:
    assert GOOD.passed
    assert not replace(GOOD, **change).passed


def test_a_case_that_dies_is_a_failure() -> None:
    row = run_apart("that_does_not_exist", full=False)
    assert row.title == "died"
    assert not row.passed


def test_a_case_that_does_not_end_is_ended_and_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness, "TIMEOUT_SECONDS", 0.1)
    row = run_apart("d10", full=True)
    assert row.title == "hung"
    assert not row.passed


def test_the_first_fault_is_told_instead_of_the_figure() -> None:
    assert judged(2, [], "fine").figure == "fine"
    assert judged(2, ["broken", "too"], "fine").figure == "broken"


def test_the_page_says_what_the_last_full_run_found() -> None:
    assert PAGE.read_text(encoding="utf-8") == rendered(stored())


def test_the_readme_says_it_in_short() -> None:
    text = README.read_text(encoding="utf-8")
    assert with_summary(text, stored()) == text
