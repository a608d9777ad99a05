"""The checks of one prospect: every fault with its pointer, never an exception."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from data.tables import TABLES, Column
from models.accounts.places import country_code, is_country
from serving.problems import FieldError, pointer
from serving.rows import MAX_NUMBER, MAX_TEXT, BadRow, _id_fault, _kind

LEFT_OUT = ("partner_id", "event_at", "known_at")
COLUMNS: dict[str, Column] = {
    c.name: c for c in TABLES["prospects"].columns if c.name not in LEFT_OUT and c.name != "prospect_id"
}
"""What a prospect may hold beside its id, in the words of the prospects table."""


@dataclass(frozen=True)
class Prospect:
    """A good prospect.

    Attributes:
        number: Its place in the request, from 0.
        prospect_id: As sent.
        row: Canonical values; extra inputs of the model by their names.
        sent: The row as sent, for the record.
    """

    number: int
    prospect_id: str
    row: Mapping[str, Any]
    sent: Mapping[str, Any]


def check_prospects(rows: Sequence[Any], *, extra: Mapping[str, str]) -> tuple[list[Prospect], list[BadRow]]:
    """Good prospects and faulty rows, each in order.

    Args:
        rows: The `prospects` of a request, of any type.
        extra: Further inputs of the model in service, name → kind.
    """
    good: list[Prospect] = []
    bad: list[BadRow] = []
    for number, row in enumerate(rows):
        found = _check(number, row, extra)
        if isinstance(found, Prospect):
            good.append(found)
        else:
            bad.append(found)
    return good, bad


def _check(number: int, row: Any, extra: Mapping[str, str]) -> Prospect | BadRow:
    at = ("prospects", number)
    if not isinstance(row, dict):
        fault = FieldError(pointer(at), f"a prospect is an object, not {_kind(row)}")
        return BadRow(number, {"prospect_id": None}, (fault,))
    errors = [f for f in [_id_fault(row, "prospect_id", at)] if f]
    known = {"prospect_id", *COLUMNS, *extra}
    unknown = [key for key in row if key not in known]
    errors += [
        FieldError(pointer((*at, k)), "unknown field; allowed: " + ", ".join(sorted(known))) for k in unknown
    ]
    values: dict[str, Any] = {}
    for name in (*COLUMNS, *extra):
        values[name], wrong = _value(name, row.get(name), extra)
        if wrong:
            errors.append(FieldError(pointer((*at, name)), wrong))
    entity = row.get("prospect_id")
    if errors:
        return BadRow(number, {"prospect_id": entity if isinstance(entity, str) else None}, tuple(errors))
    return Prospect(number, str(entity), values, row)


def _value(name: str, given: Any, extra: Mapping[str, str]) -> tuple[Any, str]:
    if given is None:
        return None, ""
    column = COLUMNS.get(name)
    if column is not None and column.type == "string":
        return text_value(name, given)
    if column is None and extra[name] == "category":
        return text_value(name, given)
    if isinstance(given, bool):
        return (
            (float(given), "")
            if column is None and extra[name] == "flag"
            else (None, "must be a number or null")
        )
    if not isinstance(given, int | float):
        return None, "must be a number or null"
    return number_value(column, float(given))


def text_value(name: str, given: Any) -> tuple[str | None, str]:
    """A text field, and what is wrong with it; a country must be one."""
    if not isinstance(given, str) or len(given) > MAX_TEXT:
        return None, f"must be text of at most {MAX_TEXT} characters, or null"
    text = " ".join(given.split())
    if not text:
        return None, ""
    if name == "country":
        code = country_code(text)
        if not is_country(code):
            return None, "is not a country; a two-letter code such as DE is understood best"
        return code.upper(), ""
    return text, ""


def number_value(column: Column | None, number: float) -> tuple[float | None, str]:
    """A number within what its column allows, and what is wrong with it."""
    if not math.isfinite(number) or abs(number) > MAX_NUMBER:
        return None, f"must lie between -{MAX_NUMBER:g} and {MAX_NUMBER:g}"
    if column is not None and column.type == "integer" and not number.is_integer():
        return None, "is not a whole number"
    if column is not None and column.low is not None and number < column.low:
        return None, f"is below {column.low:g}"
    if column is not None and column.high is not None and number > column.high:
        return None, f"is above {column.high:g}"
    return number, ""
