from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.churn import SPEC
from models.spec import Feature, ModelSpec
from serving.rows import BadRow, Row, check_rows

SMALL = SPEC.restricted_to(["login_count_30d", "country"])
FLAGGED = ModelSpec("m", "M", ("lead_id", "partner_id"), (Feature("hot", "flag"),), "probability")
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
JUNK = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text() | st.sampled_from(["partner_id", "as_of", "features", "country"]), inner, max_size=4
        )
    ),
    max_leaves=10,
)


@given(st.lists(JUNK, max_size=5))
@settings(max_examples=50, deadline=None)
def test_any_rows_are_sorted_into_good_and_bad_without_loss(rows: list[Any]) -> None:
    good, bad = check_rows(rows, SMALL)
    assert sorted([r.number for r in good] + [b.number for b in bad]) == list(range(len(rows)))
    assert all(b.errors for b in bad)
    assert all(e.pointer.startswith(f"/rows/{b.number}") for b in bad for e in b.errors)


def only(row: Any, spec: ModelSpec = SMALL) -> Row | BadRow:
    good, bad = check_rows([row], spec)
    return (good + bad)[0]  # type: ignore[operator]


def test_a_good_row_has_every_input_of_the_model_in_order() -> None:
    row = only({"partner_id": "A", "as_of": "2026-11-20", "features": {"country": "DE"}})
    assert isinstance(row, Row)
    assert row.features == {"login_count_30d": None, "country": "DE"}
    assert row.entity == {"partner_id": "A"}


@pytest.mark.parametrize(
    ("row", "pointer"),
    [
        (None, "/rows/0"),
        ([], "/rows/0"),
        ("A", "/rows/0"),
        ({}, "/rows/0/partner_id"),
        ({"partner_id": 7, "features": {}}, "/rows/0/partner_id"),
        ({"partner_id": "", "features": {}}, "/rows/0/partner_id"),
        ({"partner_id": "a\x00", "features": {}}, "/rows/0/partner_id"),
        ({"partner_id": "x" * 201, "features": {}}, "/rows/0/partner_id"),
        ({"partner_id": "A"}, "/rows/0/features"),
        ({"partner_id": "A", "features": [1]}, "/rows/0/features"),
        ({"partner_id": "A", "features": {}, "score": 1}, "/rows/0/score"),
        ({"partner_id": "A", "features": {"nope": 1}}, "/rows/0/features/nope"),
        ({"partner_id": "A", "features": {"a/b~": 1}}, "/rows/0/features/a~1b~0"),
        ({"partner_id": "A", "features": {"login_count_30d": "2"}}, "/rows/0/features/login_count_30d"),
        ({"partner_id": "A", "features": {"login_count_30d": True}}, "/rows/0/features/login_count_30d"),
        ({"partner_id": "A", "features": {"login_count_30d": 1e16}}, "/rows/0/features/login_count_30d"),
        ({"partner_id": "A", "features": {"country": 49}}, "/rows/0/features/country"),
        ({"partner_id": "A", "features": {"country": "x" * 201}}, "/rows/0/features/country"),
        ({"partner_id": "A", "features": {}, "as_of": "yesterday"}, "/rows/0/as_of"),
        ({"partner_id": "A", "features": {}, "as_of": "2026-02-30"}, "/rows/0/as_of"),
        ({"partner_id": "A", "features": {}, "as_of": "2026-02-01T00:00:00"}, "/rows/0/as_of"),
        ({"partner_id": "A", "features": {}, "as_of": 20261120}, "/rows/0/as_of"),
    ],
)
def test_every_fault_has_a_pointer(row: Any, pointer: str) -> None:
    found = only(row)
    assert isinstance(found, BadRow)
    assert pointer in [e.pointer for e in found.errors]


@pytest.mark.parametrize(("given", "taken"), [(True, 1.0), (False, 0.0), (1, 1.0), (0.0, 0.0), (None, None)])
def test_flags_are_yes_no_or_unknown(given: Any, taken: float | None) -> None:
    row = only({"lead_id": "L", "partner_id": "P", "features": {"hot": given}}, FLAGGED)
    assert isinstance(row, Row)
    assert row.features == {"hot": taken}
    assert isinstance(only({"lead_id": "L", "partner_id": "P", "features": {"hot": 2}}, FLAGGED), BadRow)
