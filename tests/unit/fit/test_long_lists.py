"""A list of any length: checked and ranked by jobs, paged, searched, given back; nothing is sent twice."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import update

from data.simulate.rich.names import company_names
from data.spreadsheet import read_table
from models.spread import Spread
from serving.fit.intake import take_in
from serving.fit.tables import LISTS
from tests.unit.fit.nasty import keep_partners, nasty_file, partners_of
from tests.unit.fit.served import open_fit_world

COUNTRIES = ("DE", "AT", "FR", "IT", "PL")
ODD = b"Wer;Wohin;Wo\r\nAcme GmbH;acme.com;DE\r\nBaltic Data AB;;SE\r\n;;FR\r\n"


@pytest.fixture(scope="module")
def served(tmp_path_factory: Any, bundle: Any) -> Iterator[Any]:
    world = open_fit_world(tmp_path_factory.mktemp("long"), bundle)
    keep_partners(world.workspace)
    yield world
    world.runtime.stop()


def long_file(rows: int) -> bytes:
    """Companies of distinct names, each with an identifier; one in twenty has no usable country."""
    numbers = np.arange(200_000, 200_000 + rows)
    names, domains = company_names(numbers, kind="partner")
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(["Nr", "Firma", "Website", "Land", "Mitarbeiter", "Notiz"])
    for i, (name, domain) in enumerate(zip(names, domains, strict=True)):
        country = "Atlantis" if i % 20 == 7 else COUNTRIES[i % 5]
        writer.writerow([f"N{i:06d}", f"{name} {i:06d}", f"{i:06d}-{domain}", country, 10 + i % 300, f"n{i}"])
    return out.getvalue().encode()


def call(served: Any, method: str, path: str, **more: Any) -> Any:
    return served.call(method, f"/v1/{path}", role="recruiter", **more)


def finished(served: Any, job: str) -> Any:
    until = time.monotonic() + 1200
    while (found := call(served, "GET", f"jobs/{job}").json())["state"] in ("queued", "running"):
        assert time.monotonic() < until
        time.sleep(0.05)
    return found


@pytest.mark.parametrize(
    "rows", [1_500, pytest.param(100_000, marks=[pytest.mark.slow, pytest.mark.timeout(2400)])]
)
def test_a_long_list_is_checked_and_ranked_by_jobs_and_read_in_pages(
    served: Any, monkeypatch: Any, rows: int
) -> None:
    if rows < 10_000:
        monkeypatch.setattr("serving.fit.lists.CHECKED_AT_ONCE", 500)
        monkeypatch.setattr("serving.fit.lists.AT_ONCE", 500)
    answer = call(served, "POST", "fit/lists", files={"file": ("lang.csv", long_file(rows))})
    draft = answer.json()
    assert (answer.status_code, draft["state"]) == (202, "checking")
    assert draft["counts"] == {
        "rows": rows, "ranked": None, "faults": None, "duplicates": None, "existing_partners": None,
    }  # fmt: skip
    path = f"fit/lists/{draft['list_id']}"
    refused = call(served, "POST", f"{path}/confirm", json={})
    if refused.status_code == 422:  # unless it was that quick
        assert draft["job"] in refused.text
    job = finished(served, draft["job"])
    assert (job["state"], job["total"]) == ("done", rows)
    checked = call(served, "POST", f"{path}/dry-run", json={})
    counts = checked.json()["counts"]
    assert (checked.status_code, counts["faults"], counts["rows"]) == (200, rows // 20, rows)
    assert sum(v for k, v in counts.items() if k != "rows") == rows
    confirmed = call(served, "POST", f"{path}/confirm", json={})
    assert (confirmed.status_code, confirmed.json()["state"]) == (202, "scoring")
    assert finished(served, confirmed.json()["job"])["result"]["counts"] == counts
    check_pages(served, path, counts["ranked"])
    check_export(served, path, rows, counts)


def check_pages(served: Any, path: str, ranked: int) -> None:
    """Ranks without a gap from the first page to the last; filters and words leave what they should."""
    for start in (0, 500, ranked - 300):
        asked = {"status": "ranked", "cursor": str(start), "limit": 500}
        found = call(served, "GET", path, params=asked).json()
        assert [r["rank"] for r in found["rows"]] == list(range(start + 1, min(start + 500, ranked) + 1))
        assert found["total"] == ranked
    companies = call(served, "GET", path, params={"sort": "-company", "cursor": "700", "limit": 100}).json()
    names = [r["company"] for r in companies["rows"]]
    assert names == sorted(names, reverse=True)
    one = call(served, "GET", path, params={"search": "n000042"}).json()
    assert [r["prospect_id"] for r in one["rows"]] == ["N000042"]
    german = call(served, "GET", path, params={"country": "DE", "status": "ranked", "limit": 500}).json()
    assert 0 < german["total"] < ranked
    assert {r["country"] for r in german["rows"]} == {"DE"}


def check_export(served: Any, path: str, rows: int, counts: Any) -> None:
    answer = call(served, "GET", f"{path}/export", params={"format": "csv"})
    read = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))
    assert len(read) == rows
    assert {r["Notiz"] for r in read} == {f"n{i}" for i in range(rows)}
    assert [int(r["pi_rank"]) for r in read if r["pi_rank"]] == list(range(1, counts["ranked"] + 1))
    book = call(served, "GET", f"{path}/export", params={"format": "xlsx"})
    assert book.status_code == (200 if rows <= 50_000 else 422)
    if book.status_code == 422:
        assert "CSV" in book.text


def test_what_is_no_companys_column_is_asked_for_and_the_file_is_kept(served: Any) -> None:
    answer = call(served, "POST", "fit/lists", files={"file": ("odd.csv", ODD)}, data={"confirm": "true"})
    draft = answer.json()
    assert (answer.status_code, draft["state"], draft["counts"]["rows"]) == (201, "draft", 3)
    assert "name of the company or its web domain" in draft["needs_mapping"]
    told = {p["column"]: p["examples"] for p in draft["dry_run"]["proposal"]}
    assert told["Wer"] == ["Acme GmbH", "Baltic Data AB"]
    path = f"fit/lists/{draft['list_id']}"
    refused = call(served, "POST", f"{path}/confirm", json={})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/mapping"
    assert "Wer, Wohin, Wo" in refused.text
    mapping = {"name": "Wer", "domain": "Wohin", "country": "Wo"}
    checked = call(served, "POST", f"{path}/dry-run", json={"mapping": mapping}).json()
    assert (checked["needs_mapping"], checked["counts"]["ranked"], checked["counts"]["faults"]) == (
        None,
        2,
        1,
    )
    ranked = call(served, "POST", f"{path}/confirm", json={}).json()
    assert (ranked["state"], ranked["mapping"]) == ("ready", mapping)


def test_what_was_found_once_is_what_is_done() -> None:
    table = read_table(nasty_file().content, "liste.csv")
    partners = partners_of().rename(columns={"partner_id": "id"}).assign(country=None, city=None)
    first = take_in(table, partners=partners)
    assert first.doubles
    assert first.existing
    again = take_in(table, mapping=first.mapping, links=first.links)
    assert again == first


def test_a_job_that_failed_leaves_a_draft_that_says_so(served: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("serving.fit.lists.AT_ONCE", 1)
    draft = call(served, "POST", "fit/lists", files={"file": ("a.csv", b"name\nAcme\nBeta\n")}).json()
    with served.runtime.shared.database.write() as connection:
        one = update(LISTS).where(LISTS.c.list_id == draft["list_id"])
        connection.execute(one.values(checked=None, options='{"filename": "a.csv"}'))
    path = f"fit/lists/{draft['list_id']}"
    job = call(served, "POST", f"{path}/confirm", json={}).json()["job"]
    assert finished(served, job)["state"] == "failed"
    found = call(served, "GET", path).json()["list"]
    assert (found["state"], found["job"]) == ("draft", None)
    assert "logged" in found["notes"][-1]


def test_prospects_without_a_probability_come_after_those_with_one_by_points(
    tmp_path: Path, bundle: Any
) -> None:
    """The unknown have the most points of the scorecard, and would stand first if points were chances."""
    served = open_fit_world(tmp_path, replace(bundle, spread=Spread(constant=0.3, missing=3.0)))
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(["prospect_id", "name", "country", "partner_type", "employee_count", "motion", "industry",
                     "region", "annual_revenue_usd", "founded_year"])  # fmt: skip
    for i in range(30):
        known = ["DE", "reseller", 5 + i, "resell", "retail", "North", 300_000 + i, 2015]
        bare = ["", "integrator", 900 - i, "", "", "", "", ""]
        writer.writerow([f"K{i:02}", f"Known company {i:02}", *known])
        writer.writerow([f"U{i:02}", f"Unknown house {i:02}", *bare])
    sent = {"files": {"file": ("l.csv", out.getvalue().encode())}, "data": {"confirm": "true"}}
    found = call(served, "POST", "fit/lists", **sent).json()
    rows = call(served, "GET", f"fit/lists/{found['list_id']}", params={"limit": 200}).json()["rows"]
    without = [r for r in rows if r["status"] == "ranked" and r["probability"] is None]
    ranked = [r for r in rows if r["status"] == "ranked"]
    assert without, {(r["prospect_id"][0], r["evidence"]) for r in rows}
    assert found["ranked_by"] == {
        "probability": len(ranked) - len(without), "scorecard_points": len(without),
    }  # fmt: skip
    assert max(r["scorecard_points"] for r in without) > 100 * max(r["probability"] or 0 for r in ranked)
    assert [r["ranked_by"] for r in ranked] == ["probability"] * (len(ranked) - len(without)) + [
        "scorecard_points"
    ] * len(without)
    chances = [r["probability"] for r in ranked if r["probability"] is not None]
    assert chances == sorted(chances, reverse=True)
    points = [r["scorecard_points"] for r in without]
    assert points == sorted(points, reverse=True)
