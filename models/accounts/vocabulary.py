"""Word lists of the matcher, kept as data in vocabulary.json.

Lists: `legal_forms` (what cleanco lacks), `front_forms` and `back_forms` (legal forms written in front, or
without a space), `fillers` (articles and connectives), `street_types`, `inside` (floors and suites),
`shared_domains` (mail and social platforms) and the map `countries`.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

from models.accounts.folding import fold


@cache
def _vocabulary() -> dict[str, Any]:
    return json.loads((files("models.accounts") / "vocabulary.json").read_text(encoding="utf-8"))


@cache
def word_list(name: str) -> tuple[str, ...]:
    """A list as it is written, in order."""
    return tuple(_vocabulary()[name])


@cache
def word_set(name: str) -> frozenset[str]:
    """A list as a set, folded unless it holds domains."""
    listed = word_list(name)
    return frozenset(listed if name == "shared_domains" else map(fold, listed))


@cache
def word_map(name: str) -> dict[str, str]:
    """A map with folded keys."""
    return {fold(key): value for key, value in _vocabulary()[name].items()}
