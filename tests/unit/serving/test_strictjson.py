from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.strictjson import JsonFault, depth_of, parse_strict

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False)
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def encodable(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


@given(VALUES.filter(encodable), st.booleans())
@settings(max_examples=50, deadline=None)
def test_what_json_writes_is_read_back(value: Any, escape: bool) -> None:
    assert parse_strict(json.dumps(value, ensure_ascii=escape).encode(), max_depth=100) == value


def depth_by_parsing(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth_by_parsing, inner), default=0)


@given(VALUES.filter(encodable), st.booleans())
@settings(max_examples=50, deadline=None)
def test_depth_is_that_of_the_parsed_value(value: Any, escape: bool) -> None:
    assert depth_of(json.dumps(value, ensure_ascii=escape).encode()) == depth_by_parsing(value)


@pytest.mark.parametrize("text", ['"[[["', r'"\"[["', r'"\\"', r'["\\\"[", "]"]', '"a\\\\[[["'])
def test_brackets_inside_strings_do_not_nest(text: str) -> None:
    assert depth_of(text.encode()) == depth_by_parsing(json.loads(text))


@pytest.mark.parametrize(
    ("body", "malformed"),
    [
        (b"", True),
        (b"{", True),
        (b"{'a': 1}", True),
        (b'{"a": NaN}', True),
        (b'{"a": Infinity}', True),
        (b'{"a": -Infinity}', True),
        (b'{"a": 01}', True),
        (b'{"a": 1,}', True),
        (b'{"a": 1} x', True),
        (b'\xef\xbb\xbf{"a": 1}', True),
        (b'{"a": "\xff"}', True),
        ('{"a": 1}'.encode("utf-16"), True),
        (b'{"a": "\x00"}', True),
        (b'{"a": 1, "a": 2}', False),
        (b'{"a": {"b": 1, "b": 2}}', False),
        (b'{"a": 1e999}', False),
        (b'{"a": -1e999}', False),
        (b'{"a": ' + b"9" * 5000 + b"}", False),
        (b'{"a": "\\ud800"}', False),
        (b'{"\\udc00": 1}', False),
        (b"[" * 17 + b"]" * 17, False),
        (b"[" * 100_000, False),
        (b'{"a":' * 100_000, False),
    ],
)
def test_bad_bodies_are_refused_in_words(body: bytes, malformed: bool) -> None:
    with pytest.raises(JsonFault) as caught:
        parse_strict(body)
    assert caught.value.malformed is malformed
    assert caught.value.detail.endswith(".")


def test_a_body_of_four_megabytes_is_checked_in_little_time() -> None:
    body = json.dumps({"rows": ["x" * 100 for _ in range(40_000)]}).encode()
    begun = time.process_time()
    parse_strict(body)
    assert time.process_time() - begun < 2.0
