"""The checks of one row of features: every fault with its pointer, never an exception."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from models.spec import Feature, ModelSpec
from serving.problems import FieldError, pointer

MAX_TEXT = 200
MAX_NUMBER = 1e15
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-]\d{2}:\d{2}))?")


@dataclass(frozen=True)
class Row:
    """A good row.

    Attributes:
        number: Its place in the request, from 0.
        entity: Id columns.
        as_of: Time of the features as RFC 3339, when given.
        features: Model input to value; None where missing.
        sent: The row as sent, for the record.
    """

    number: int
    entity: Mapping[str, str]
    as_of: str | None
    features: Mapping[str, float | str | None]
    sent: Mapping[str, Any]


@dataclass(frozen=True)
class BadRow:
    """A faulty row: id columns as far as they could be read, and every fault."""

    number: int
    entity: Mapping[str, str | None]
    errors: tuple[FieldError, ...]

    def as_dict(self) -> dict[str, Any]:
        """The entry under `errors` of the answer."""
        return {"row": self.number, **self.entity, "errors": [e.as_dict() for e in self.errors]}


def check_rows(rows: Sequence[Any], spec: ModelSpec) -> tuple[list[Row], list[BadRow]]:
    """Good rows and faulty rows, each in order.

    Args:
        rows: The `rows` of a request, of any type.
        spec: Inputs and id columns of the model that is to score them.
    """
    good: list[Row] = []
    bad: list[BadRow] = []
    known = {f.name: f for f in spec.features}
    for number, row in enumerate(rows):
        checked = _check_row(number, row, entity_id=spec.entity_id, known=known)
        (good if isinstance(checked, Row) else bad).append(checked)  # type: ignore[arg-type]
    return good, bad


def _check_row(
    number: int, row: Any, *, entity_id: tuple[str, ...], known: Mapping[str, Feature]
) -> Row | BadRow:
    at = ("rows", number)
    if not isinstance(row, dict):
        fault = FieldError(pointer(at), f"a row is an object, not {_kind(row)}")
        return BadRow(number, dict.fromkeys(entity_id), (fault,))
    errors = [
        FieldError(
            pointer((*at, key)), "unknown field; allowed: " + ", ".join((*entity_id, "as_of", "features"))
        )
        for key in row
        if key not in (*entity_id, "as_of", "features")
    ]
    errors += [f for name in entity_id if (f := _id_fault(row, name, at))]
    errors += _moment_faults(row.get("as_of"), at)
    features, faults = _features(row.get("features"), known, at=(*at, "features"))
    entity = {n: row[n] if isinstance(row.get(n), str) else None for n in entity_id}
    if errors or faults:
        return BadRow(number, entity, tuple(errors + faults))
    return Row(number, {k: str(v) for k, v in entity.items()}, row.get("as_of"), features, row)


def _id_fault(row: Mapping[str, Any], name: str, at: tuple[str | int, ...]) -> FieldError | None:
    where = pointer((*at, name))
    if name not in row:
        return FieldError(where, "missing")
    value = row[name]
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_TEXT or _CONTROL.search(value):
        return FieldError(where, f"must be text of 1 to {MAX_TEXT} characters, without control characters")
    return None


def _moment_faults(value: Any, at: tuple[str | int, ...]) -> list[FieldError]:
    if value is None:
        return []
    where = pointer((*at, "as_of"))
    if isinstance(value, str) and _MOMENT.fullmatch(value):
        try:
            datetime.fromisoformat(value) if "T" in value else date.fromisoformat(value)
            return []
        except ValueError:
            pass
    return [FieldError(where, "must be a date or an RFC 3339 time, such as 2026-11-20T00:00:00Z")]


def _features(
    value: Any, known: Mapping[str, Feature], *, at: tuple[str | int, ...]
) -> tuple[dict[str, float | str | None], list[FieldError]]:
    if not isinstance(value, dict):
        detail = "missing" if value is None else f"must be an object of values by name, not {_kind(value)}"
        return {}, [FieldError(pointer(at), detail)]
    errors = [
        FieldError(pointer((*at, name)), "unknown feature; GET /v1/models/{name} lists them")
        for name in value
        if name not in known
    ]
    found: dict[str, float | str | None] = {}
    for name, feature in known.items():
        given = value.get(name)
        converted, fault = _value(given, feature)
        if fault:
            errors.append(FieldError(pointer((*at, name)), fault))
        found[name] = converted
    return found, errors


def _value(given: Any, feature: Feature) -> tuple[float | str | None, str]:
    """The value as the encoder takes it, and what is wrong with it."""
    if given is None:
        return None, ""
    if feature.kind == "category":
        if isinstance(given, str) and len(given) <= MAX_TEXT:
            return given, ""
        return None, f"must be text of at most {MAX_TEXT} characters, or null"
    if isinstance(given, bool):
        return (float(given), "") if feature.kind == "flag" else (None, "must be a number or null")
    if not isinstance(given, int | float):
        return None, "must be true, false or null" if feature.kind == "flag" else "must be a number or null"
    if feature.kind == "flag" and given not in (0, 1):
        return None, "must be true, false or null"
    if abs(given) > MAX_NUMBER:
        return None, f"must lie between -{MAX_NUMBER:g} and {MAX_NUMBER:g}"
    return float(given), ""


def _kind(value: Any) -> str:
    names = {list: "an array", str: "text", bool: "true or false", int: "a number", float: "a number"}
    return "null" if value is None else names.get(type(value), "something else")
