"""A workbook's cell as the text a person sees."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_PADDED = re.compile(r"0{2,}")


def cell_text(value: Any, number_format: str = "General") -> str:
    """Text of a value: dates in ISO 8601, whole numbers without a point, identifiers to the last digit.

    Args:
        value: What openpyxl read.
        number_format: Format of the cell; only `000…`, which shows leading zeros, changes the text.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        text = _number_text(value)
        return text.zfill(len(number_format)) if _PADDED.fullmatch(number_format) and text.isdigit() else text
    if isinstance(value, datetime):
        midnight = (value.hour, value.minute, value.second, value.microsecond) == (0, 0, 0, 0)
        return value.date().isoformat() if midnight else value.isoformat(sep=" ")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        seconds = round(value.total_seconds())
        return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return unescape_xml(str(value))


def _number_text(value: float) -> str:
    if isinstance(value, int):
        return str(value)
    if value != value or value in (float("inf"), float("-inf")):
        return str(value)
    # Programs show fifteen digits: 0.1 + 0.2 is 0.3 there. Whole numbers keep all that are stored.
    shortest = repr(value) if value.is_integer() else f"{value:.15g}"
    text = format(Decimal(shortest), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def unescape_xml(text: str) -> str:
    """`_x000D_` is how workbooks write characters XML cannot hold; `_x005F_` protects such text itself."""

    def one(found: re.Match[str]) -> str:
        code = int(found.group(1), 16)
        return found.group() if 0xD800 <= code <= 0xDFFF else chr(code)

    return _ESCAPED.sub(one, text) if "_x" in text else text
