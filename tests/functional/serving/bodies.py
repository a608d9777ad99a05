"""Bad request bodies: malformed JSON, refused JSON, and every field of a good body made wrong."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

from tests.unit.serving.world import good_row

JUNK: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, 1e308, "", "x", "\u0000", "💥", "x" * 5000, [], [[]], {}, {"a": {}},
    [None], "'; DROP TABLE decisions; --", "../../etc/passwd", "${jndi:ldap://x}", "{{7*7}}", "=HYPERLINK(1)",
)  # fmt: skip

MALFORMED: tuple[bytes, ...] = (
    b"", b" ", b"{", b"}", b"[", b"]", b"nul", b"NaN", b"Infinity", b"-", b"'x'", b'"x', b"{]", b"{}{}",
    b"{} x", b'{"rows"}', b'{"rows":}', b'{"rows":,}', b'{"rows":[}', b'{"rows":[1,]}',
    b"{rows:[]}", b'{"rows":[]',
    b'{"rows":[NaN]}', b'{"rows":[Infinity]}', b'{"rows":[-Infinity]}', b'{"rows":[1e999]}', b'{"rows":[01]}',
    b'{"rows":[+1]}', b'{"rows":[.5]}', b'{"rows":[0x10]}', b'{"rows":["\\x41"]}', b'{"rows":["\x01"]}',
    b'{"rows":["\\ud800"]}', b'{"rows":[1], "rows":[2]}', b'{"partner_ids":["a"],"partner_ids":["b"]}',
    b"\xef\xbb\xbf{}", "{}".encode("utf-16"), "{}".encode("utf-32"), b"\xff\xfe", b'{"rows":["\xff"]}',
    b'{"rows":["\xc0\xaf"]}', b"\x80\x04\x95", b"<x/>", b"a=1&b=2", b"--x\r\n\r\n", b"/* c */ {}",
    b"// c\n{}", b"[" * 17 + b"]" * 17, b"[" * 50_000, b'{"a":' * 50_000, b'{"rows":' + b"9" * 6000 + b"}",
    b'{"rows":[9007199254740993]}', b"0", b"1e5", b'"text"', b"true", b"null", b"[]", b"[{}]",
)  # fmt: skip


def bad_bodies(entity: str = "partner_id") -> Iterator[bytes]:
    """All of them; each has something wrong, whichever scoring route it is sent to."""
    yield from MALFORMED
    good: dict[str, Any] = {"rows": [good_row()], "max_reasons": 5}
    for field in ("rows", "horizons_days", "max_reasons", "unknown_field", "decision_id", "model_version"):
        for junk in JUNK:
            if not (field == "max_reasons" and junk == 5):
                yield dumped({**good, field: junk})
    for field in (entity, "as_of", "features", "score", "horizons_days"):
        for junk in (*JUNK, 2026, "2026-13-01", "2026-11-20T25:00:00Z", "yesterday"):
            fine = (field == "as_of" and junk is None) or (field == "features" and junk == {})
            if fine or (field == entity and is_id(junk)):
                continue
            row = copy.deepcopy(good["rows"][0])
            row[field] = junk
            yield dumped({**good, "rows": [row]})
    for field, wrong in (("login_count_30d", "number"), ("country", "text"), ("no_such_feature", "any")):
        for junk in JUNK:
            if junk is None and wrong != "any":
                continue
            number = isinstance(junk, int | float) and not isinstance(junk, bool) and abs(junk) < 1e15
            text = isinstance(junk, str) and len(junk) <= 200
            if (wrong == "number" and number) or (wrong == "text" and text):
                continue
            yield dumped({**good, "rows": [good_row(**{field: junk})]})
    for junk in JUNK:
        yield dumped(junk)
        yield dumped({"rows": [junk]})
        yield dumped({"partner_ids": junk, "rows": [good_row()]})
        yield dumped({"partner_ids": [junk], "rows": [good_row()]})
    for count in (0, 1001, 5000):
        yield dumped({"rows": [{}] * count})
        yield dumped({"partner_ids": ["a"] * count})
    for wrong_horizons in (
        [0],
        [-30],
        [45],
        [30, 45],
        [30.5],
        ["30"],
        [True],
        [None],
        [[30]],
        list(range(1, 12)),
    ):
        yield dumped({**good, "horizons_days": wrong_horizons})
    for reasons in (0, -1, 21, 10**9, 5.5, "5", True, [5]):
        yield dumped({**good, "max_reasons": reasons})


def is_id(value: Any) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= 200 and value.isprintable()


def dumped(value: Any) -> bytes:
    return json.dumps(value).encode()
