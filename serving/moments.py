"""Times as callers write them, as naive UTC."""

from __future__ import annotations

from datetime import UTC, datetime


def naive_utc(text: str, *, zoned: bool = True) -> datetime:
    """A time in RFC 3339 as naive UTC; one that UTC would put beyond the calendar is the end of the calendar.

    Args:
        text: As given.
        zoned: Whether a zone is demanded; without one the text is taken as UTC.

    Raises:
        ValueError: It is no time, or has no zone.
    """
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        if zoned:
            raise ValueError("no zone")
        return found
    try:
        return found.astimezone(UTC).replace(tzinfo=None)
    except OverflowError:
        return datetime.min if found.year == datetime.min.year else datetime.max
