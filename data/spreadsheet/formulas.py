"""Keeping exported text from being run as a formula, and taking the protection off again.

A spreadsheet program runs a cell that begins with = + - @ (or a full-width form), with a tab or with a
return. An apostrophe in front makes it text. Someone who opens a comma file under semicolons may also see a
cell begin *inside* one of ours, so the same is done after a separator or a new line inside a cell where what
follows could be run. `unescape_formula(escape_formula(t)) == t` for every text.
"""

from __future__ import annotations

import re

_LIVE = "=+\\-@\uff1d\uff0b\uff0d\uff20"
# Blanks, marks of no width and quotes that programs skip before they look for a formula.
_SKIPPED = '[ \u00a0\u1680\u2000-\u200f\u2028-\u202f\u205f\u2060\u3000\ufeff"]*'
_START = f"'*{_SKIPPED}[{_LIVE}\t\r\n]"
_INNER = f"'*{_SKIPPED}(?:[=@\uff1d\uff20]|[+\\-\uff0b\uff0d](?=[^,;|\t\r\n]*[(!]|[^,;\t\r\n]*\\|))"
_AFTER = "(?<=[,;|\t\r\n])"
_OPEN = re.compile(f"\\A(?={_START})|{_AFTER}(?={_INNER})")
_GUARDED = re.compile(f"\\A'(?={_START})|{_AFTER}'(?={_INNER})")
_NUMBER = re.compile(r"-\d+(?:[.,]\d+)*(?:[eE][+-]?\d+)?%?", re.ASCII)


def is_live(text: str) -> bool:
    """Whether a spreadsheet program might run the text as a formula; a negative number is only a number."""
    return escape_formula(text) != text


def escape_formula(text: str) -> str:
    """The text with an apostrophe wherever it would be run."""
    if not text or _NUMBER.fullmatch(text):
        return text
    return _OPEN.sub("'", text)


def unescape_formula(text: str) -> str:
    """The text without the apostrophes `escape_formula` puts."""
    return _GUARDED.sub("", text) if "'" in text else text
