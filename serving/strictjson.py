"""JSON as the standard has it: no NaN, no duplicate keys, no endless nesting, valid UTF-8 only."""

from __future__ import annotations

import json
import math
import re
from typing import Any

MAX_DEPTH = 16
MAX_DIGITS = 308
_NOT_STRUCTURE = bytes(b for b in range(256) if b not in b'[]{}"')
_ESCAPES = re.compile(rb"\\.", re.DOTALL)
_STRINGS = re.compile(rb'"[^"]*"')
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


class JsonFault(Exception):
    """A body that is not acceptable JSON; the text never repeats what was sent.

    Args:
        detail: What is wrong.
        malformed: True when it is no JSON at all (400), False when it is refused JSON (422).
    """

    def __init__(self, detail: str, *, malformed: bool = True) -> None:
        self.detail, self.malformed = detail, malformed
        super().__init__(detail)


def depth_of(body: bytes) -> int:
    """How deep brackets nest, without building anything.

    Only structure is kept (at C speed), then strings are dropped: a bracket inside one does not count.
    """
    unescaped = _ESCAPES.sub(b"", body) if b"\\" in body else body
    bare = _STRINGS.sub(b"", unescaped.translate(None, _NOT_STRUCTURE))
    depth = deepest = 0
    for byte in bare:
        depth += 1 if byte in b"[{" else -1 if byte in b"]}" else 0
        deepest = max(deepest, depth)
    return deepest


def parse_strict(body: bytes, *, max_depth: int = MAX_DEPTH) -> Any:
    """The value of a JSON document.

    Args:
        body: The document, UTF-8 without a byte order mark.
        max_depth: Deepest nesting of arrays and objects.

    Raises:
        JsonFault: With what is wrong.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise JsonFault(f"The body is not UTF-8 (byte {error.start}).") from None
    if depth_of(body) > max_depth:
        raise JsonFault(f"The body nests deeper than {max_depth} levels.", malformed=False)
    try:
        value = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_float=_finite,
            parse_int=_integer,
        )
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise JsonFault(f"The body is not valid JSON: {error.msg} at {where}.") from None
    except RecursionError:
        raise JsonFault(f"The body nests deeper than {max_depth} levels.", malformed=False) from None
    if _SURROGATE.search(body):
        _check_text(value)
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise JsonFault("An object of the body holds a key twice.", malformed=False)
    return found


def _no_constant(name: str) -> Any:
    raise JsonFault(f"The body holds {name}, which JSON has not.")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise JsonFault("The body holds a number too large for a 64-bit float.", malformed=False)
    return value


def _integer(text: str) -> int:
    # Thousands of digits cost quadratic time, and no 64-bit float holds them.
    if len(text) > MAX_DIGITS:
        raise JsonFault("The body holds a number too large for a 64-bit float.", malformed=False)
    return int(text)


def _check_text(value: Any) -> None:
    """Refuse half of a surrogate pair: it cannot be stored or sent back as UTF-8."""
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise JsonFault("The body holds half of a surrogate pair.", malformed=False) from None
