"""The quick subset of the reliability cases, one process each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.harness import case_ids, is_slow
from tests.faults.nursery import Nursery, nursery

CASES = [pytest.param(c, marks=pytest.mark.slow) if is_slow(c) else c for c in case_ids()]


@pytest.fixture(scope="module")
def cases() -> Iterator[Nursery]:
    with nursery() as found:
        yield found


# The nursery ends what hangs; each case has a limit of its own.
@pytest.mark.timeout(0)
@pytest.mark.parametrize("case", CASES)
def test_case_holds_and_finds_its_planted_defect(cases: Nursery, case: str) -> None:
    row = cases.run(case)
    assert row.passed, row
