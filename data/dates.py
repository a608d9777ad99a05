"""Dates written as text: ISO, DD.MM.YYYY, and day/month or month/day when the column decides which.

`03/04/2024` is the third of April or the fourth of March. A value such as 25/04/2024 decides for its column;
when nothing decides, or values disagree, the column is refused and the mapping must name the format.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from data.connectors.source import first_row, literal

Order = Literal["day_first", "month_first"]
_CLOCK = r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?(?: ?[AaPp][Mm])?"
_TIME = rf"(?:[T ]{_CLOCK}(?: ?(?:Z|UTC|[+-]\d{{2}}(?::?\d{{2}})?))?)?"
_ISO = r"\d{4}-\d{2}-\d{2}" + _TIME
_YEAR_FIRST = r"\d{4}/\d{1,2}/\d{1,2}" + _TIME
_COMPACT = r"\d{8}"
_DOTTED = r"\d{1,2}\.\d{1,2}\.\d{4}" + _TIME
_SLASHED = r"\d{1,2}(?:/\d{1,2}/|-\d{1,2}-)\d{4}" + _TIME
_PARTS = r"^(\d{1,2})[./-](\d{1,2})[./-](\d{4})(.*)$"
_HALF_DAY = tuple(f"%Y-%m-%d %I:%M{seconds}{blank}%p" for seconds in ("", ":%S") for blank in ("", " "))
# Readable spellings of formats, longest first; HH:MM comes before MM, which is a month.
_TOKENS = (
    ("HH:MM:SS", "%H:%M:%S"),
    ("HH:MM", "%H:%M"),
    ("YYYY", "%Y"),
    ("MMM", "%b"),
    ("YY", "%y"),
    ("MM", "%m"),
    ("DD", "%d"),
    ("HH", "%H"),
    ("SS", "%S"),
)


@dataclass(frozen=True)
class DateEvidence:
    """How the day/month/year values of one column may be read.

    Attributes:
        column: Column name, for messages.
        day_first: Values that only day/month explains.
        month_first: Values that only month/day explains.
        both: Values that both explain, with different results.
        example: One of those, or ''.
    """

    column: str
    day_first: int
    month_first: int
    both: int
    example: str

    @property
    def order(self) -> Order | None:
        """What the column itself decides."""
        if bool(self.day_first) == bool(self.month_first):
            return None
        return "day_first" if self.day_first else "month_first"


def weigh_dates(connection: Any, relation: str, expression: str, *, column: str) -> DateEvidence:
    """Count the readings of a text column.

    Args:
        connection: DuckDB connection.
        relation: Relation that holds the column.
        expression: SQL of the text.
        column: Its name, for messages.
    """
    first = f"CAST(regexp_extract({expression}, {literal(_PARTS)}, 1) AS INTEGER)"
    second = f"CAST(regexp_extract({expression}, {literal(_PARTS)}, 2) AS INTEGER)"
    counts = first_row(
        connection,
        "SELECT count(*) FILTER (a > 12 AND b <= 12), count(*) FILTER (b > 12 AND a <= 12), "
        "count(*) FILTER (a <= 12 AND b <= 12 AND a <> b), "
        "coalesce(min(v) FILTER (a <= 12 AND b <= 12 AND a <> b), '') "
        f"FROM (SELECT {expression} AS v, {first} AS a, {second} AS b FROM {relation} "
        f"WHERE {_matches(expression, _SLASHED)})",
    )
    return DateEvidence(column, *counts)


def choose_order(evidence: DateEvidence, others: Iterable[DateEvidence]) -> Order | None:
    """Which part comes first, or None when it cannot be told.

    Args:
        evidence: Of the column.
        others: Of the date columns of the same file.
    """
    if not evidence.both:
        return evidence.order or "day_first"
    if evidence.order or (evidence.day_first and evidence.month_first):
        return evidence.order
    orders = {e.order for e in others if e.day_first or e.month_first}
    return orders.pop() if len(orders) == 1 else None


def date_sql(expression: str, *, order: Order, formats: Sequence[str] = ()) -> str:
    """SQL that turns text into a naive UTC TIMESTAMP, NULL where it is no date.

    Offsets such as +02:00 are applied; a time without one is UTC.

    Args:
        expression: SQL of the text.
        order: How day/month/year with two readings is read; a value with one reading is read so.
        formats: Formats of the mapping; when given, only they and ISO are read.
    """
    iso = f"WHEN {_matches(expression, _ISO)} THEN {_moment(expression)}"
    if formats:
        every = ", ".join(literal(f) for f in strptime_formats(formats))
        return f"CASE {iso} ELSE make_timestamp(epoch_us(try_strptime({expression}, [{every}]))) END"
    day_first = _moment(f"regexp_replace({expression}, {literal(_PARTS)}, '\\3-\\2-\\1\\4')")
    month_first = _moment(f"regexp_replace({expression}, {literal(_PARTS)}, '\\3-\\1-\\2\\4')")
    chosen = (day_first, month_first) if order == "day_first" else (month_first, day_first)
    return (
        f"CASE {iso} WHEN {_matches(expression, _DOTTED)} THEN {day_first} "
        f"WHEN {_matches(expression, _SLASHED)} THEN coalesce({chosen[0]}, {chosen[1]}) "
        f"WHEN {_matches(expression, _YEAR_FIRST)} THEN {_moment(f'''replace({expression}, '/', '-')''')} "
        f"WHEN {_matches(expression, _COMPACT)} THEN try_strptime({expression}, '%Y%m%d') END"
    )


def looks_dated_sql(expression: str) -> str:
    """SQL condition: the text is written like a date (eight bare digits are not: they may be a number)."""
    patterns = (_ISO, _YEAR_FIRST, _DOTTED, _SLASHED)
    return "(" + " OR ".join(_matches(expression, p) for p in patterns) + ")"


def strptime_formats(formats: Sequence[str]) -> list[str]:
    """Formats of the mapping as strptime knows them, each also with a time of day behind it.

    >>> strptime_formats(["DD/MM/YYYY"])
    ['%d/%m/%Y', '%d/%m/%Y %H:%M:%S', '%d/%m/%Y %H:%M']
    """
    found = []
    for given in formats:
        written = given
        if "%" not in given:
            for token, directive in _TOKENS:
                written = re.sub(rf"(?<!%){token}", directive, written)
        found += (
            [written]
            if "%H" in written or "%I" in written
            else [
                written,
                f"{written} %H:%M:%S",
                f"{written} %H:%M",
            ]
        )
    return found


def _moment(expression: str) -> str:
    half = ", ".join(literal(f) for f in _HALF_DAY)
    halved = f"try_strptime(upper({expression}), [{half}])"
    return (
        f"CASE WHEN regexp_matches({expression}, '[AaPp][Mm]') THEN {halved} "
        f"ELSE make_timestamp(epoch_us(TRY_CAST(regexp_replace(replace({expression}, ',', '.'), "
        f"' ([+-])', '\\1') AS TIMESTAMPTZ))) END"
    )


def _matches(expression: str, pattern: str) -> str:
    return f"regexp_full_match({expression}, {literal(pattern)})"
