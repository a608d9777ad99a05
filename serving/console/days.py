"""Dates as people give them in forms and addresses."""

from __future__ import annotations

from datetime import date

from data.errors import InputError


def read_day(text: str, pointer: str) -> date:
    """A date of a form or an address.

    Raises:
        InputError: It is none.
    """
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InputError("That is no date.", allowed="YYYY-MM-DD", pointer=pointer) from None
