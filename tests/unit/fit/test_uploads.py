"""Files as people send them, over HTTP: taken cell for cell, or refused with the reason; never a 5xx."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.fit.served import open_fit_world
from tests.unit.spreadsheet.uploads import uploads

pytestmark = pytest.mark.slow  # the readers themselves are tested in every run; this is the whole way


@pytest.fixture(scope="module")
def served(tmp_path_factory: Any, bundle: Any) -> Any:
    return open_fit_world(tmp_path_factory.mktemp("uploads"), bundle)


def send(served: Any, name: str, content: bytes) -> Any:
    files = {"file": (name, content)}
    return served.call(
        "POST", "/v1/fit/lists", role="recruiter", files=files, data={"mapping": '{"name": "Firma"}'}
    )


def test_every_kind_of_file_is_taken_with_all_its_rows_or_refused(served: Any) -> None:
    tried = taken = 0
    for upload in uploads():
        answer = send(served, upload.name, upload.content)
        tried += 1
        assert answer.status_code in (201, 422), (upload.title, answer.status_code, answer.text[:300])
        if answer.status_code == 201:
            taken += 1
            counts = answer.json()["counts"]
            parts = sum(v for k, v in counts.items() if k != "rows")
            assert counts["rows"] == parts, upload.title
            assert not upload.refused, upload.title
            assert counts["rows"] == len(upload.rows) + len(upload.faults), upload.title
        elif upload.refused:
            assert answer.json()["errors"], upload.title
    assert tried >= 80
    assert taken >= 40
