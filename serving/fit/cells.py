"""Cells of an uploaded list as values: each with a fault in words where it holds none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from data.numbers import PATTERNS, Style
from models.accounts.contact import registrable_domain
from serving.fit.prospects import COLUMNS, number_value, text_value

_PATTERN = {style: re.compile(pattern) for style, pattern in PATTERNS.items()}
_GROUPS = re.compile("[ \u00a0\u202f'’]")
_DATE = re.compile(r"(\d{4})-\d\d?-\d\d?(?:[T ][\d:.]+Z?)?|\d\d?([./-])\d\d?\2(\d{4})")
"""A day with its year in full: whichever of the others is the month, the year is the same."""
_UNIT = re.compile(r"^(?:usd|us\$|\$|€|eur)\s*|\s*(?:usd|us\$|\$|€|eur)$", re.IGNORECASE)
NOTHING = {"", "-", "–", "n/a", "n.a.", "#n/a", "null", "none", "unknown", "unbekannt", "k.a.", "k. a.", "?"}
"""Cells that mean no value; `NA` is Namibia where a country is asked for, and nothing elsewhere."""


def read_column(name: str, cells: Sequence[str | None]) -> list[tuple[Any, str]]:
    """(value, fault) of every cell; the whole column decides how numbers are written.

    Args:
        name: Canonical field.
        cells: Text as uploaded, None where empty.
    """
    column = COLUMNS.get(name)
    if column is not None and column.type in ("integer", "number"):
        style = _style(cells)
        whole = column.type == "integer"
        return [_number(name, cell, style, whole=whole) for cell in cells]
    return [_text(name, cell) for cell in cells]


def _text(name: str, cell: str | None) -> tuple[Any, str]:
    plain = " ".join((cell or "").split())
    if plain.casefold() in NOTHING or (plain == "NA" and name != "country"):
        return None, ""
    if name == "domain":
        return (plain, "") if registrable_domain(plain) or "." in plain else (None, "is not a web domain")
    return text_value(name, plain)


def _number(name: str, cell: str | None, style: Style | None, *, whole: bool) -> tuple[Any, str]:
    plain = " ".join((cell or "").split())
    if plain.casefold() in NOTHING or plain == "NA":
        return None, ""
    text = _UNIT.sub("", plain)
    if name == "founded_year" and (day := _DATE.fullmatch(text)):
        text = day[1] or day[3]
    readings = {s: p.fullmatch(text) is not None for s, p in _PATTERN.items()}
    if not any(readings.values()):
        return None, "is not a year such as 1999" if name == "founded_year" else "is not a number"
    values = {s: _value(text, s) for s, fits in readings.items() if fits}
    if len(set(values.values())) == 1:
        found = next(iter(values.values()))
    elif whole:
        # Nobody has 1.2 employees: where one reading is whole, it is meant.
        found = max(values.values())
    elif style is None:
        point, comma = (f"{values[s]:g}" for s in ("point", "comma"))
        return None, f"could be {point} or {comma}: no other value of the column tells"
    else:
        found = values[style]
    return number_value(COLUMNS[name], found)


def _style(cells: Sequence[str | None]) -> Style | None:
    """How the column writes numbers, by the cells that have one reading; None where they disagree."""
    votes = set()
    for cell in cells:
        text = _UNIT.sub("", " ".join((cell or "").split()))
        fits = [s for s, p in _PATTERN.items() if p.fullmatch(text)]
        if len(fits) == 1 and re.search("[.,]", text):
            votes.add(fits[0])
    return votes.pop() if len(votes) == 1 else None


def _value(text: str, style: Style) -> float:
    plain = _GROUPS.sub("", text)
    return float(plain.replace(",", "") if style == "point" else plain.replace(".", "").replace(",", "."))
