"""Whom a list selects: shares with honest intervals, sizes in their order."""

from __future__ import annotations

import pytest

from models.fit.outcomes import size_of, slices


def rows(size: float, *, count: int, accepted: int = 0) -> list[dict[str, object]]:
    return [
        {"employees": size, "verdict": "accept" if i < accepted else "review", "probability": 0.2}
        for i in range(count)
    ]


def test_none_accepted_of_a_few_is_not_shown_as_certainly_none() -> None:
    (part,) = slices(rows(5.0, count=40))
    assert part["selected_share"] == 0.0
    low, high = part["selected_interval"]
    assert low == 0.0
    assert 0.02 < high < 0.06


def test_sizes_stand_from_small_to_large() -> None:
    mixed = [row for size in (500.0, 60.0, 5.0, 20.0) for row in rows(size, count=30, accepted=3)]
    assert [p["group"] for p in slices(mixed)] == [
        "1–9 employees",
        "10–49 employees",
        "50–249 employees",
        "250 or more employees",
    ]


@pytest.mark.parametrize(
    ("employees", "size"), [(9, "1–9"), (10, "10–49"), (249, "50–249"), (250, "250 or more")]
)
def test_a_size_begins_at_its_least_number(employees: int, size: str) -> None:
    assert size_of(employees) == f"{size} employees"
    assert size_of(None) == ""
