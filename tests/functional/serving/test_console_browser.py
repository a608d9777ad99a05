"""The console in a real browser, over the small served world: every page, keyboard, phone, no script."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from serving.routes import ROUTES
from tests.browsing import DESKTOP, PHONE, Visitor, chromium, visitor
from tests.functional.serving.conftest import Served

MOST = ("admin", "channel_manager", "recruiter")
"""Who between them sees every page in every variant."""


def paths(role: str) -> list[str]:
    """Every page a role may open, one that is not there, and one of each kind with a parameter."""
    found = [r.path for r in ROUTES if r.page and r.method == "GET" and r.roles and role in r.roles]
    named = ["/console/models/churn", "/console/models/churn/drift", "/console/nothing"]
    pages = [p for p in found if "{" not in p and p != "/console/lists/template"]
    of_partners = ["/console/partners/P0", "/console/partners/P0/qbr"]
    return pages + named + of_partners * (role != "recruiter")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module", autouse=True)
def _an_offer(served: Served) -> None:
    """Pages of figures show tables only where there is something to count."""
    lead = {"lead_id": "L-browser", "country": "DE", "industry": "software"}
    answer = served.call("POST", "/v1/leads/route", json=lead, headers={"idempotency-key": "browser"})
    assert answer.json()["outcome"] == "offered", answer.text


def complaints(seen: Visitor) -> list[str]:
    """All but the 404 that was asked for."""
    return [c for c in seen.complaints if "404" not in c]


@pytest.mark.parametrize("role", MOST)
def test_no_page_of_a_role_has_a_barrier_leaves_the_origin_or_overflows(
    served: Served, browser: Any, role: str
) -> None:
    for scheme, size in (("light", DESKTOP), ("dark", PHONE)):
        with visitor(browser, served.url, viewport=size, color_scheme=scheme) as seen:
            seen.sign_in(served.keys[role])
            for path in paths(role):
                seen.open(path)
                assert seen.barriers() == [], path
                assert seen.overflow() <= 0, (path, size)
            assert seen.strangers() == []
            assert complaints(seen) == []


@pytest.mark.parametrize("role", MOST)
def test_every_page_says_the_same_without_javascript(served: Served, browser: Any, role: str) -> None:
    with (
        visitor(browser, served.url, java_script_enabled=False) as plain,
        visitor(browser, served.url) as scripted,
    ):
        for seen in (plain, scripted):
            seen.sign_in(served.keys[role])
        # Decisions and sign-ins go on being recorded, so lists of those differ.
        for path in (p for p in paths(role) if p not in ("/console/audit", "/console/decisions")):
            texts = []
            for seen in (plain, scripted):
                seen.open(path)
                texts.append([line for line in seen.text().splitlines() if "dec_" not in line])
            assert texts[0] == texts[1], path


def test_the_search_filters_as_one_types_and_the_address_follows(served: Served, browser: Any) -> None:
    with visitor(browser, served.url) as seen:
        seen.sign_in(served.keys["admin"])
        seen.open("/console/partners?state=all")
        seen.page.get_by_label("Search").fill("P17")
        expect(seen.page.locator("#table tbody tr")).to_have_count(1)
        assert "P17" in seen.page.inner_text("#table")
        assert "q=P17" in seen.page.url
        seen.page.reload()
        assert seen.page.locator("#table tbody tr").count() == 1


def test_the_keyboard_reaches_content_at_once_and_every_menu_entry(served: Served, browser: Any) -> None:
    with visitor(browser, served.url) as seen:
        seen.sign_in(served.keys["admin"])
        seen.page.keyboard.press("Tab")
        assert seen.page.evaluate("document.activeElement.textContent") == "Skip to content"
        reached = set()
        for _ in range(20):
            seen.page.keyboard.press("Tab")
            reached.add(seen.page.evaluate("document.activeElement.getAttribute('href')"))
        assert {"/console/partners", "/console/models", "/console/audit"} <= reached


def test_signing_out_leaves_nothing_to_go_back_to(served: Served, browser: Any) -> None:
    with visitor(browser, served.url) as seen:
        seen.sign_in(served.keys["prm"])
        seen.page.get_by_role("button", name="Sign out").click()
        seen.page.wait_for_url("**/console/sign-in")
        seen.open("/console/partners")
        assert "/console/sign-in" in seen.page.url


def test_pages_do_not_shift_while_they_load(served: Served, browser: Any) -> None:
    observe = (
        "window.shift = 0; new PerformanceObserver(l => l.getEntries().forEach(e => window.shift += e.value))"
        ".observe({type: 'layout-shift', buffered: true})"
    )
    with visitor(browser, served.url) as seen:
        seen.sign_in(served.keys["admin"])
        for path in (
            "/console",
            "/console/partners?state=all",
            "/console/partners/P0",
            "/console/models/churn",
        ):
            seen.open(path)
            seen.page.evaluate(observe)
            seen.page.wait_for_timeout(50)
            assert seen.page.evaluate("window.shift") < 0.01, path
