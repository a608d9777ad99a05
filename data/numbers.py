"""Numbers written as text: decimal point or comma, thousands separated or not.

A value with one possible reading is read so. `1.234` and `1,234` have two; the other values of the column
decide, then those of the other number columns of the file. When nothing decides, or the deciding values
disagree, the column is refused: a silent factor of a thousand is worse than a question.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from data.connectors.source import first_row, literal

Style = Literal["point", "comma"]
_GROUP = " \u00a0\u202f'’"
_DIGITS = r"[+-]?(?:\d+|[1-9]\d{{0,2}}(?:{mark}\d{{3}})+|[1-9]\d{{0,2}}(?:[{blank}]\d{{3}})+)"
_EXPONENT = r"(?:[eE][+-]?\d+)?"
# A pattern for each style: digits, perhaps grouped, perhaps a decimal part, perhaps an exponent.
_POINT = rf"(?:{_DIGITS.format(mark=',', blank=_GROUP)}(?:\.\d*)?|[+-]?\.\d+){_EXPONENT}"
_COMMA = rf"(?:{_DIGITS.format(mark='[.]', blank=_GROUP)}(?:,\d*)?|[+-]?,\d+){_EXPONENT}"
_SIGNS = "[.,]"
PATTERNS: dict[Style, str] = {"point": _POINT, "comma": _COMMA}
"""What a number looks like in each style; for whoever reads text outside the database."""


@dataclass(frozen=True)
class NumberEvidence:
    """How the values of one column may be read.

    Attributes:
        column: Column name, for messages.
        point: Values that only a decimal point explains.
        comma: Values that only a decimal comma explains.
        both: Values with two readings.
        example: One of those, or ''.
        comma_only: The values with two readings hold a comma.
    """

    column: str
    point: int
    comma: int
    both: int
    example: str
    comma_only: int

    @property
    def style(self) -> Style | None:
        """What the column itself decides."""
        if bool(self.point) == bool(self.comma):
            return None
        return "point" if self.point else "comma"


def weigh_numbers(connection: Any, relation: str, expression: str, *, column: str) -> NumberEvidence:
    """Count the readings of a text column.

    Args:
        connection: DuckDB connection.
        relation: Relation that holds the column.
        expression: SQL of the text.
        column: Its name, for messages.
    """
    point, comma = _matches(expression, _POINT), _matches(expression, _COMMA)
    both = f"{point} AND {comma}"
    counts = first_row(
        connection,
        f"SELECT count(*) FILTER ({point} AND NOT {comma}), count(*) FILTER ({comma} AND NOT {point}), "
        f"count(*) FILTER ({both}), coalesce(min({expression}) FILTER ({both}), ''), "
        f"count(*) FILTER ({both} AND contains({expression}, ',')) "
        f"FROM {relation} WHERE regexp_matches({expression}, {literal(_SIGNS)})",
    )
    return NumberEvidence(column, *counts)


def choose_style(
    evidence: NumberEvidence, others: Iterable[NumberEvidence], *, point_is_usual: bool
) -> Style | None:
    """The style of a column, or None when it cannot be told.

    Args:
        evidence: Of the column.
        others: Of the number columns of the same file.
        point_is_usual: `1.234` may be taken as one and a bit: a database, or a file separated by commas,
            whose writer used the decimal point. `1,234` is never taken for granted.
    """
    if not evidence.both:
        return evidence.style or "point"
    if evidence.style or (evidence.point and evidence.comma):
        return evidence.style
    styles = {e.style for e in others if e.point or e.comma}
    if len(styles) == 1:
        return styles.pop()
    return "point" if not styles and point_is_usual and not evidence.comma_only else None


def number_sql(expression: str, *, style: Style, strict: bool) -> str:
    """SQL that turns text into a DOUBLE, NULL where it is no number.

    Args:
        expression: SQL of the text.
        style: Which reading a value with two readings gets.
        strict: Read only that style (the mapping says so); else a value with one reading is read so.
    """
    bare = f"regexp_replace({expression}, {literal(f'[,{_GROUP}]')}, '', 'g')"
    point = f"WHEN {_matches(expression, _POINT)} THEN TRY_CAST({bare} AS DOUBLE)"
    bare = f"replace(regexp_replace({expression}, {literal(f'[.{_GROUP}]')}, '', 'g'), ',', '.')"
    comma = f"WHEN {_matches(expression, _COMMA)} THEN TRY_CAST({bare} AS DOUBLE)"
    order = (point, comma) if style == "point" else (comma, point)
    plain = f"WHEN {_matches(expression, r'-?[0-9]+')} THEN TRY_CAST({expression} AS DOUBLE)"
    cases = " ".join(order[:1] if strict else order)
    return f"CASE {plain} {cases} END"


def looks_numeric_sql(expression: str) -> str:
    """SQL condition: the text is a number in either style."""
    return f"({_matches(expression, _POINT)} OR {_matches(expression, _COMMA)})"


def _matches(expression: str, pattern: str) -> str:
    return f"regexp_full_match({expression}, {literal(pattern)})"
