"""The quick subset of the reliability cases, one process each."""

from __future__ import annotations

import pytest

from tests.faults.harness import case_ids, is_slow, run_apart

CASES = [pytest.param(c, marks=pytest.mark.slow) if is_slow(c) else c for c in case_ids()]


@pytest.mark.parametrize("case", CASES)
def test_case_holds_and_finds_its_planted_defect(case: str) -> None:
    row = run_apart(case, full=False)
    assert row.passed, row
