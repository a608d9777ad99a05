"""The quick subset of the reliability cases, one process each."""

from __future__ import annotations

import pytest

from tests.faults.harness import case_ids, run_apart


@pytest.mark.parametrize("case", case_ids())
def test_case_holds_and_finds_its_planted_defect(case: str) -> None:
    row = run_apart(case, full=False)
    assert row.passed, row
