"""Times as callers write them."""

from __future__ import annotations

from datetime import datetime

import pytest

from serving.moments import naive_utc


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2026-12-01T00:00:00Z", datetime(2026, 12, 1)),
        ("2026-12-01T01:30:00+01:30", datetime(2026, 12, 1)),
        ("0001-01-01T00:00:00+01:02", datetime.min),
        ("9999-12-31T23:59:59-01:02", datetime.max),
    ],
)
def test_a_time_in_any_zone_is_utc_and_the_ends_of_the_calendar_hold(text: str, found: datetime) -> None:
    assert naive_utc(text) == found


def test_a_time_without_zone_is_taken_as_utc_only_where_that_is_agreed() -> None:
    assert naive_utc("2026-12-01", zoned=False) == datetime(2026, 12, 1)
    with pytest.raises(ValueError, match="no zone"):
        naive_utc("2026-12-01T00:00:00")
    with pytest.raises(ValueError, match="Invalid isoformat"):
        naive_utc("tomorrow")
