"""One whole story for each role, in a real browser, against the served demo."""

from __future__ import annotations

import csv
import io
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from serving.auth import create_key
from serving.server import stop
from serving.state import Database
from tests.browsing import PHONE, Visitor, chromium, visitor
from tests.functional.serving.conftest import Served, start

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
PARTNERS = 200


@dataclass
class Demo:
    """The served demo, and who is who in it."""

    served: Served
    manager: str

    def key(self, role: str, *, manager: str | None = None) -> str:
        now = datetime.now(UTC).replace(tzinfo=None)
        owner = manager or f"{role}-of-the-demo"
        return create_key(
            self.served.database, owner=owner, role=role, manager_id=manager, now=now,
            random=secrets.token_bytes,
        )  # fmt: skip

    def rows(self, sql: str) -> list[Any]:
        with self.served.database.read() as connection:
            return list(connection.exec_driver_sql(sql).all())


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    # A demo made before saves the time of making one: PARTNERINTEL_DEMO names its folder.
    given = os.environ.get("PARTNERINTEL_DEMO")
    root = Path(given) if given else tmp_path_factory.mktemp("demo") / "demo"
    if not given:
        command = [sys.executable, "-m", "partnerintel", "demo", "-w", str(root), "--no-serve"]
        subprocess.run([*command, "--partners", str(PARTNERS)], check=True, capture_output=True, timeout=900)
    database = Database(f"sqlite:///{root / 'state.db'}")
    served = start(root, (None, database, {}))  # type: ignore[arg-type]
    try:
        served.wait_for()
        found = Demo(served, "")
        found.manager = found.rows(
            "SELECT manager_id FROM alerts WHERE status = 'open' AND held_out = 0 AND manager_id <> '' "
            "GROUP BY manager_id ORDER BY count(*) DESC, manager_id LIMIT 1"
        )[0][0]
        yield found
    finally:
        stop(served.process, root, drain_seconds=0)
        served.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


def sound(seen: Visitor, name: str) -> None:
    """Keep a picture, and make sure that the page is fit for everybody."""
    seen.picture(name)
    assert seen.barriers() == [], name
    assert seen.overflow() <= 0, name
    assert seen.strangers() == []


def spreadsheet(demo: Demo, *, rows: int) -> bytes:
    """A list as people have it: semicolons, a BOM, German headers, doubles, partners, faults, a formula."""
    from data.lake import Lake

    lake = Lake(demo.served.workspace / "lake")
    newest = lake.read("prospects").drop_duplicates("prospect_id", keep="last")
    open_ones = newest[newest["partner_id"].isna()].astype(object)
    open_ones = open_ones.where(open_ones.notna(), "")
    partners = lake.read("partners").drop_duplicates("partner_id", keep="last")
    head = ["Firma", "Website", "Land", "Ort", "Mitarbeiter", "Branche", "Gründungsjahr", "Typ", "Notiz"]
    names = [
        "name",
        "domain",
        "country",
        "city",
        "employee_count",
        "industry",
        "founded_year",
        "partner_type",
    ]
    body = [[str(r[n]) for n in names] + [""] for r in open_ones.to_dict("records")]
    while len(body) < rows:
        body += [[f"{r[0]} {len(body)}", f"x{len(body)}-{r[1]}", *r[2:]] for r in body[: rows - len(body)]]
    body = body[:rows]
    body[2][-1] = '=HYPERLINK("http://example.invalid")'
    body += [[r[0].upper(), *r[1:]] for r in body[5:8]]
    body += [[str(name), "", "", "", "", "", "", "", ""] for name in partners["name"].head(4)]
    body += [["Faulty Ltd", "faulty.example", "DE", "", "many", "", "", "", ""]]
    text = io.StringIO()
    csv.writer(text, delimiter=";").writerows([head, *body])
    return text.getvalue().encode("utf-8-sig")


def upload(seen: Visitor, content: bytes, name: str) -> None:
    file = {"name": name, "mimeType": "text/csv", "buffer": content}
    seen.page.get_by_label("Drop a file here").set_input_files(file)
    seen.page.get_by_role("button", name="Upload and check").click()
    expect(seen.page.get_by_role("heading", name="What do the columns mean?")).to_be_visible()


def test_a_recruiter_drops_a_list_and_takes_away_a_ranked_one(demo: Demo, browser: Any) -> None:
    with visitor(browser, demo.served.url) as seen:
        page = seen.page
        seen.sign_in(demo.key("recruiter"), back="/console/lists")
        sound(seen, "recruiter-1-lists")

        upload(seen, spreadsheet(demo, rows=120), "messe.csv")
        assert page.get_by_label("Meaning of Mitarbeiter").input_value() == "employee_count"
        tiles = [int(t.replace(",", "")) for t in page.locator(".tile b").all_inner_texts()]
        assert sum(tiles) == 120 + 3 + 4 + 1
        assert tiles[1:] == [4, 3, 1]
        sound(seen, "recruiter-2-mapping")

        page.get_by_role("button", name="Check again").click()
        assert [int(t) for t in page.locator(".tile b").all_inner_texts()] == tiles
        page.get_by_role("button", name=re.compile("^Rank")).click()
        expect(page.get_by_role("link", name="Ranked 120")).to_be_visible()
        listed = page.url
        sound(seen, "recruiter-3-ranked")

        first = page.locator("#table tbody a").first.inner_text()
        page.get_by_label("Search").fill(first)
        expect(page.locator("#table tbody tr")).to_have_count(1)
        page.locator("#table tbody a").first.click()
        expect(page.get_by_role("heading", name="Why", exact=True)).to_be_visible()
        expect(page.get_by_role("heading", name="Most alike among your partners")).to_be_visible()
        page.get_by_role("textbox", name="Why").fill("Asked for by the regional lead")
        page.get_by_role("button", name="Keep").click()
        expect(page.get_by_role("status")).to_contain_text("beside the model's rank")
        sound(seen, "recruiter-4-prospect")

        page.goto(listed)
        expect(page.locator("#table .badge.accent").first).to_have_text("strategic")
        with page.expect_download() as waiting:
            page.get_by_role("link", name="Export CSV").click()
        exported = list(csv.reader(io.StringIO(Path(waiting.value.path()).read_text("utf-8-sig"))))
        assert exported[0][:9] == [
            "Firma", "Website", "Land", "Ort", "Mitarbeiter", "Branche", "Gründungsjahr", "Typ", "Notiz",
        ]  # fmt: skip
        assert not any(cell.startswith(("=", "+", "@")) for row in exported for cell in row)
        page.get_by_role("link", name="How good was it?").click()
        sound(seen, "recruiter-5-report")
        at, who = exported[0].index("pi_rank"), exported[0].index("pi_prospect_id")
        ranks = [(row[who], int(row[at])) for row in exported[1:] if row[at]]
        told = "prospect_id,outcome\n" + "".join(f"{p},{'yes' if r % 3 == 1 else 'no'}\n" for p, r in ranks)
        file = {"name": "back.csv", "mimeType": "text/csv", "buffer": told.encode()}
        page.get_by_label("Drop a CSV or XLSX here").set_input_files(file)
        page.get_by_role("button", name="Send the outcomes").click()
        expect(page.get_by_role("status")).to_contain_text(f"{len(ranks)} outcomes kept")
        expect(page.get_by_role("heading", name="Did the best come first?")).to_be_visible()
        sound(seen, "recruiter-7-outcomes")


def test_odd_headers_are_named_by_hand_without_a_second_upload(demo: Demo, browser: Any) -> None:
    with visitor(browser, demo.served.url) as seen:
        page = seen.page
        seen.sign_in(demo.key("recruiter"), back="/console/lists")
        upload(seen, b"Wer;Wo\nAcme GmbH;DE\nBaltic Data AB;SE\n", "odd.csv")
        expect(page.get_by_role("status")).to_contain_text("We cannot tell which column holds the company")
        page.get_by_role("button", name="Check the rows").click()
        expect(page.get_by_role("alert")).to_contain_text("No column is said to hold")
        page.get_by_label("Meaning of Wer").select_option("name")
        sound(seen, "recruiter-8-odd-headers")
        page.get_by_role("button", name="Check the rows").click()
        expect(page.get_by_role("button", name="Rank 2 prospects")).to_be_visible()


def test_a_long_list_shows_how_far_it_is_and_then_its_ranks(demo: Demo, browser: Any) -> None:
    with visitor(browser, demo.served.url) as seen:
        seen.sign_in(demo.key("recruiter"), back="/console/lists")
        upload(seen, spreadsheet(demo, rows=2_500), "long.csv")
        seen.page.get_by_role("button", name=re.compile("^Rank")).click()
        expect(seen.page.locator("#progress, #ready").first).to_be_visible()
        seen.picture("recruiter-6-progress")
        expect(seen.page.get_by_role("link", name=re.compile("^Ranked"))).to_be_visible(timeout=120_000)
        seen.page.get_by_role("link", name="Next").click()
        expect(seen.page.get_by_text("Page 2 of")).to_be_visible()


def test_a_channel_manager_works_through_monday(demo: Demo, browser: Any) -> None:
    manager = demo.manager
    with visitor(browser, demo.served.url) as seen:
        page = seen.page
        seen.sign_in(demo.key("channel_manager", manager=manager))
        sound(seen, "manager-1-overview")
        page.get_by_role("link", name="Alerts", exact=True).click()
        expect(page.get_by_role("heading", name="My alerts")).to_be_visible()
        mine = demo.rows(
            "SELECT partner_id FROM alerts WHERE status = 'open' AND held_out = 0 "
            f"AND manager_id = '{manager}'"
        )
        assert page.locator("article.alert").count() == len(mine) <= 15
        sound(seen, "manager-2-queue")

        page.locator("article.alert h2 a").first.click()
        alert = page.url
        expect(page.get_by_role("heading", name="What to do")).to_be_visible()
        sound(seen, "manager-3-alert")
        page.get_by_role("button", name="Acknowledge").click()
        expect(page.get_by_role("status")).to_contain_text("Noted")
        page.get_by_label("Name").fill("Sam")
        page.get_by_role("button", name="Assign").click()
        expect(page.get_by_text("with Sam").first).to_be_visible()

        page.get_by_role("link", name="The partner's page").click()
        expect(page.get_by_role("heading", name="Health over time")).to_be_visible()
        expect(page.get_by_role("heading", name="Among its peers")).to_be_visible()
        page.get_by_text("You know something the data does not?").click()
        page.get_by_role("textbox", name="Why", exact=True).fill("They told me on the phone")
        page.get_by_role("button", name="Declare").click()
        expect(page.get_by_text("They told me on the phone")).to_be_visible()
        sound(seen, "manager-4-partner")
        page.get_by_role("link", name="Quarterly review").click()
        sound(seen, "manager-5-quarterly-review")
        page.emulate_media(media="print")
        seen.picture("manager-5-quarterly-review-on-paper")
        page.emulate_media(media="screen")

        page.goto(alert)
        page.get_by_role("textbox", name="Why").fill("Seasonal shutdown")
        page.get_by_role("button", name="Snooze").click()
        expect(page.get_by_role("status")).to_contain_text("Put off")
        page.goto(demo.served.url + "/console/alerts")
        assert page.locator("article.alert").count() == len(mine) - 1
        page.get_by_role("link", name="Snoozed").click()
        assert page.locator("article.alert").count() == 1
        page.goto(demo.served.url + "/console/alerts/as-of")
        sound(seen, "manager-6-last-monday")
        page.get_by_role("link", name="Tier changes").click()
        sound(seen, "manager-7-tiers")
        theirs = demo.rows(f"SELECT alert_id FROM alerts WHERE manager_id <> '{manager}' LIMIT 1")
        if theirs:
            assert seen.open(f"/console/alerts/{theirs[0][0]}").status == 404


def test_the_manager_does_the_same_on_a_phone(demo: Demo, browser: Any) -> None:
    key = demo.key("channel_manager", manager=demo.manager)
    with visitor(browser, demo.served.url, viewport=PHONE, color_scheme="dark") as seen:
        seen.sign_in(key)
        for name in ("", "/alerts", "/partners", "/tiers", "/models/churn/drift"):
            seen.open(f"/console{name}")
            sound(seen, f"phone{name.replace('/', '-') or '-overview'}")


def test_an_engineer_sees_who_gets_a_lead_and_replays_the_decision(demo: Demo, browser: Any) -> None:
    key = demo.key("prm")
    lead = {
        "lead_id": f"story-{secrets.token_hex(4)}",
        "company": "Nordlicht Werke GmbH", "domain": "nordlicht-werke.example",
        "country": "DE", "products": ["cloud"], "estimated_value": {"amount": "40000", "currency": "USD"},
    }  # fmt: skip
    with visitor(browser, demo.served.url) as seen:
        page = seen.page
        seen.sign_in(key, back="/console/routing")
        page.get_by_label("Company").fill(str(lead["company"]))
        page.get_by_label("Country").fill("DE")
        page.get_by_label("Products").fill("cloud")
        page.get_by_label("Value in USD").fill("40000")
        page.get_by_role("button", name="Who would get it?").click()
        expect(page.get_by_role("heading", name="Why not the others")).to_be_visible()
        sound(seen, "engineer-1-lead")
        assert demo.rows("SELECT count(*) FROM routing_offers WHERE lead_id = 'preview'")[0][0] == 0

        headers = {"authorization": f"Bearer {key}", "idempotency-key": secrets.token_hex(8)}
        answer = httpx.post(f"{demo.served.url}/v1/leads/route", json=lead, headers=headers, timeout=60)
        assert answer.status_code == 200, answer.text
        seen.open(f"/console/decisions/{answer.json()['decision_id']}")
        expect(page.get_by_role("status")).to_contain_text("Replayed: identical")
        sound(seen, "engineer-2-replay")
        seen.open("/console/routing/report")
        sound(seen, "engineer-3-exposure")
        seen.open("/console/models/churn")
        sound(seen, "engineer-4-model")
        page.get_by_role("link", name="What it sees now").click()
        expect(page.get_by_role("heading", name="What to do")).to_be_visible()
        sound(seen, "engineer-6-what-it-sees-now")
        seen.open("/console/models/tiering")
        sound(seen, "engineer-7-model-of-amounts")
        seen.open("/console/routing/policies")
        sound(seen, "engineer-8-policies")
        seen.open("/console/checks")
        sound(seen, "engineer-5-checks")


def test_an_administrator_tries_other_rules_and_reads_the_audit_log(demo: Demo, browser: Any) -> None:
    with visitor(browser, demo.served.url) as seen:
        seen.sign_in(demo.key("admin"), back="/console/tiers/simulator")
        slider = seen.page.get_by_role("slider").first
        slider.focus()
        slider.press("Home")
        expect(seen.page.locator("#outcome .tile b").first).not_to_have_text("0")
        sound(seen, "admin-1-simulator")
        seen.open("/console/audit")
        assert "Console: sign in" in seen.text()
        sound(seen, "admin-2-audit")
