"""The recruiter's pages: columns named by hand, outcomes sent back, faults in words."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.fit.served import open_fit_world
from tests.unit.fit.test_long_lists import ODD, long_file
from tests.unit.serving.console_world import Browser, signed_in


@pytest.fixture(scope="module")
def desk(tmp_path_factory: Any, bundle: Any) -> Iterator[Browser]:
    world = open_fit_world(tmp_path_factory.mktemp("pages"), bundle)
    yield signed_in(world, "recruiter")
    world.runtime.stop()


def send_file(desk: Browser, path: str, name: str, content: bytes, **more: Any) -> Any:
    token = re.search(r'name="csrf" value="([0-9a-f]+)"', desk.get("/console/lists").text)
    assert token
    return desk.send("POST", path, data={"csrf": token[1]}, files={"file": (name, content)}, **more)


@pytest.fixture(scope="module")
def ranked(desk: Browser) -> str:
    place = send_file(desk, "/console/lists", "lang.csv", long_file(120)).headers["location"]
    columns = {"column-Nr": "prospect_id", "column-Firma": "name", "column-Land": "country"}
    assert desk.post(f"{place}/confirm", columns).status_code == 303
    return str(place)


def test_the_overview_leads_to_the_first_list_and_then_to_the_newest(bundle: Any, tmp_path: Any) -> None:
    world = open_fit_world(tmp_path, bundle)
    desk = signed_in(world, "recruiter")
    assert "Upload one" in desk.get("/console").text
    place = send_file(desk, "/console/lists", "lang.csv", long_file(12)).headers["location"]
    overview = desk.get("/console").text
    assert f'<a href="{place}">lang.csv</a>' in overview
    assert "To confirm" in overview
    assert "Newest lists" not in signed_in(world, "channel_manager").get("/console").text
    world.runtime.stop()


def test_odd_headers_lead_to_the_page_of_columns_and_on_without_a_second_upload(desk: Browser) -> None:
    answer = send_file(desk, "/console/lists", "odd.csv", ODD)
    assert answer.status_code == 303
    place = answer.headers["location"]
    first = desk.get(place).text
    assert "We cannot tell which column holds the company" in first
    assert "Acme GmbH · Baltic Data AB" in first
    assert "Check the rows" in first
    assert "Columns to name" in desk.get("/console/lists").text
    twice = desk.post(f"{place}/check", {"column-Wer": "name", "column-Wohin": "name"})
    assert twice.status_code == 422
    assert "are both said to be name" in twice.text
    assert twice.text.count('<option value="name" selected>') == 2
    none = desk.post(f"{place}/confirm", {"column-Wo": "country"})
    assert (none.status_code, "No column is said to hold the name" in none.text) == (422, True)
    assert desk.post(f"{place}/check", {"column-Wer": "name", "column-Wo": "country"}).status_code == 303
    assert "Rank 2 prospects" in desk.get(place).text
    done = desk.post(f"{place}/confirm", {"column-Wer": "name", "column-Wo": "country"})
    assert done.status_code == 303
    assert "Baltic Data AB" in desk.get(place).text


def test_an_exported_list_with_a_column_more_brings_its_outcomes_back(desk: Browser, ranked: str) -> None:
    assert "Send back what came of them" in desk.get(f"{ranked}/report").text
    content = desk.get(f"{ranked}/export?format=csv").content.decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(content, newline="")))
    for row in rows:
        rank = int(row["pi_rank"] or 0)
        row["Outcome"] = "" if not rank else "maybe" if rank == 3 else "yes" if rank % 3 == 1 else "Nein"
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    page = send_file(desk, f"{ranked}/outcomes", "back.csv", out.getvalue().encode())
    assert page.status_code == 200
    judged = sum(bool(r["pi_rank"]) for r in rows) - 1
    assert f"{judged} outcomes kept" in page.text
    assert "“maybe” is neither yes nor no" in page.text
    report = desk.get(f"{ranked}/report").text
    for words in (
        "Did the best come first?",
        "Random order",
        "Your scorecard",
        "Did its probabilities hold?",
    ):
        assert words in report, words


def test_one_prospect_can_be_marked_on_its_page(desk: Browser, ranked: str) -> None:
    place = f"{ranked}/prospects/N000003"
    assert desk.post(f"{place}/outcome", {"outcome": "succeeded"}).headers["location"].startswith(place)
    assert "Succeeded</span>" in desk.get(place).text
    assert desk.post(f"{place}/outcome", {"outcome": "failed"}).status_code == 303
    assert "Did not succeed</span>" in desk.get(place).text
    assert desk.post(f"{place}/outcome", {"outcome": "signed"}).status_code == 422


def test_a_file_without_outcomes_says_what_to_send(desk: Browser, ranked: str) -> None:
    page = send_file(desk, f"{ranked}/outcomes", "x.csv", b"Firma\nAcme\n")
    assert page.status_code == 422
    assert "add a column outcome" in page.text


def test_a_refused_upload_speaks_to_people_and_leads_back(desk: Browser) -> None:
    back = {"referer": "http://test/console/lists"}
    page = send_file(desk, "/console/lists", "broken.csv", b"a\0b,c\0d\n1,2\n", headers=back)
    assert page.status_code == 422
    assert "This cannot be used as it is" in page.text
    assert "contract" not in page.text
    assert page.text.count("broken.csv") == 1
    assert "upload.csv" not in page.text
    assert 'href="/console/lists">Back to where you were' in page.text
    away = send_file(desk, "/console/lists", "b.csv", b"", headers={"referer": "http://evil.example/console"})
    assert "Back to where you were" not in away.text
