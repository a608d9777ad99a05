"""Errors in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from serving.api import create_app
from serving.problems import WRITTEN


def _patterns(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("pattern"), str):
            yield value["pattern"]
        value = list(value.values())
    for one in value if isinstance(value, list) else []:
        yield from _patterns(one)


def test_every_pattern_of_the_contract_is_told_in_words() -> None:
    document = create_app(lambda: pytest.fail("no call is made")).openapi()
    assert set(_patterns(document)) <= set(WRITTEN)
