"""Hostile files on their whole way in (B5 over HTTP): a 4xx with a reason, and nothing written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from serving.fit.tables import LISTS
from tests.unit.fit.served import open_fit_world
from tests.unit.spreadsheet.bombs import bombs

GOOD = b"name,country\nAcme,DE\n"
TEXTS = {
    "zero bytes": ("a.csv", b"name\0,country\nAcme,DE\n"),
    "only zero bytes": ("a.csv", b"\0" * 5000),
    "an open quote": ("a.csv", b'name,country\n"Acme,DE\n' * 3),
    "a program": ("a.csv", b"\x7fELF\x02\x01\x01" + b"\0" * 900),
    "a picture": ("a.csv", b"\x89PNG\r\n\x1a\n" + b"\0\1" * 500),
    "a page": ("a.xlsx", b"<html><script>alert(1)</script></html>"),
    "an entity in a text called workbook": ("a.xlsx", b'<?xml version="1.0"?><!DOCTYPE a SYSTEM "file:///etc/passwd">'),
    "a pickle": ("a.parquet", b"\x80\x05cos\nsystem\n(S'touch hit'\ntR."),
    "old workbook": ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600),
    "a zip by another name": ("a.csv", b"PK\x03\x04" + b"\0" * 300),
    "half a character pair": ("a.csv", b"\xff\xfea\0\x00\xd8"),
    "too many columns": ("a.csv", b",".join(b"c%d" % i for i in range(2000)) + b"\n" + b"," * 1999 + b"\n"),
    "nothing": ("a.csv", b""),
}  # fmt: skip
NAMES = ("../../../escaped.csv", "/etc/passwd", "C:\\windows\\x.csv", "a\\..\\..\\b.csv", "n" * 500 + ".csv",
         "nul.csv\u202e.exe", "<script>.csv", "%2e%2e%2fx.csv", ".", "..")  # fmt: skip
LINE = b"--B\r\nContent-Disposition: form-data; name="
BODIES = {
    "no part": b"--B--\r\n",
    "no end": LINE + b'"file"; filename="a.csv"\r\n\r\nname\nAcme',
    "no file": LINE + b'"name"\r\n\r\nx\r\n--B--\r\n',
    "a file that is a field": LINE + b'"file"\r\n\r\nname\nAcme\r\n--B--\r\n',
    "two files": 2 * (LINE + b'"file"; filename="a.csv"\r\n\r\nname\nAcme\r\n') + b"--B--\r\n",
    "many fields": b"".join(LINE + b'"f%d"\r\n\r\nx\r\n' % i for i in range(500)) + b"--B--\r\n",
    "a header without end": b"--B\r\n" + b"X" * 60_000,
    "another boundary": b"--C\r\n\r\n--C--\r\n",
    "a nested mapping": LINE + b'"mapping"\r\n\r\n' + b"[" * 9000 + b"\r\n--B--\r\n",
    "a name without end": LINE + b'"file"; filename="' + b"n" * 50_000 + b'"\r\n\r\nname\nAcme\r\n--B--\r\n',
    "bytes that are no text": LINE + b'"name"\r\n\r\n\xff\xfe\r\n--B--\r\n',
}


@pytest.fixture(scope="module")
def served(tmp_path_factory: Any, bundle: Any) -> Iterator[Any]:
    world = open_fit_world(tmp_path_factory.mktemp("hostile"), bundle)
    yield world
    world.runtime.stop()


def written(served: Any) -> tuple[int, frozenset[str]]:
    """Lists kept, and the files of the workspace beside those of the database."""
    with served.runtime.shared.database.read() as connection:
        lists = connection.execute(select(func.count()).select_from(LISTS)).scalar_one()
    files = {str(p) for p in served.workspace.rglob("*") if "state.db" not in p.name}
    return int(lists), frozenset(files)


def refused(served: Any, title: str, **sent: Any) -> str:
    answer = served.call("POST", "/v1/fit/lists", role="recruiter", **sent)
    assert 400 <= answer.status_code < 500, (title, answer.status_code, answer.text[:300])
    assert answer.headers["content-type"] == "application/problem+json", title
    assert answer.json()["errors"], title
    return str(answer.text)


def test_text_that_is_none_is_refused_and_nothing_is_written(served: Any) -> None:
    before = written(served)
    for title, (name, content) in TEXTS.items():
        told = refused(served, title, files={"file": (name, content)})
        assert "/file" in told, title
        assert "Traceback" not in told
    assert written(served) == before


def bombs_of(every: int) -> list[Any]:
    """Hostile workbooks; one whose flipped byte changes nothing is none."""
    return [b for b in bombs() if not b.title.startswith("byte ")][::every]


@pytest.mark.parametrize("every", [7, pytest.param(1, marks=pytest.mark.slow)])
def test_a_hostile_workbook_is_refused_and_nothing_is_written(served: Any, every: int) -> None:
    before = written(served)
    tried = bombs_of(every)
    for bomb in tried:
        refused(served, bomb.title, files={"file": (bomb.name, bomb.content)}, data={"confirm": "true"})
    assert len(tried) > 3
    assert written(served) == before


def test_a_form_that_is_none_is_refused_and_nothing_is_written(served: Any) -> None:
    before = written(served)
    for title, body in BODIES.items():
        headers = {"content-type": "multipart/form-data; boundary=B"}
        refused(served, title, content=body, headers=headers)
    assert written(served) == before


def test_a_name_is_only_a_name(served: Any) -> None:
    lists, files = written(served)
    for name in NAMES:
        answer = served.call("POST", "/v1/fit/lists", role="recruiter", files={"file": (name, GOOD)})
        assert answer.status_code == 201, (name, answer.text[:300])
        assert len(answer.json()["name"]) <= 200
    assert written(served) == (lists + len(NAMES), files)
    assert not Path("escaped.csv").exists()


def test_the_console_refuses_the_same_in_words(served: Any) -> None:
    from tests.unit.fit.test_list_pages import send_file
    from tests.unit.serving.console_world import signed_in

    desk, before = signed_in(served, "recruiter"), written(served)
    worst = [*TEXTS.values(), *((b.name, b.content) for b in bombs_of(9))]
    for name, content in worst:
        page = send_file(desk, "/console/lists", name, content)
        assert page.status_code == 422, (name, page.status_code)
        assert "This cannot be used as it is" in page.text
    assert written(served) == before
