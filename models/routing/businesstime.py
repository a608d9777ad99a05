"""Deadlines in business hours: the clock stands still at night, at weekends and on holidays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from models.routing.policy import Calendar

MOST_DAYS = 3660
"""Days looked ahead; a calendar with ten years of holidays is a mistake."""


def add_business_hours(start: datetime, hours: float, calendar: Calendar) -> datetime:
    """The moment by which that many business hours have passed.

    Args:
        start: Naive UTC.
        hours: Business hours, above 0.
        calendar: Working times, local; a day may be shorter or longer where clocks are put forward or back.

    Returns:
        Naive UTC.
    """
    left = timedelta(hours=hours)
    day = start.replace(tzinfo=UTC).astimezone(ZoneInfo(calendar.zone)).date()
    for ahead in range(MOST_DAYS):
        today = day + timedelta(days=ahead)
        if today.weekday() not in calendar.days or today in calendar.holidays:
            continue
        opens, closes = (
            _utc(datetime.combine(today, t), calendar) for t in (calendar.opens, calendar.closes)
        )
        begins = max(opens, start)
        if begins >= closes:
            continue
        if left <= closes - begins:
            return begins + left
        left -= closes - begins
    return start + timedelta(days=MOST_DAYS)


def _utc(local: datetime, calendar: Calendar) -> datetime:
    return local.replace(tzinfo=ZoneInfo(calendar.zone)).astimezone(UTC).replace(tzinfo=None)
