"""A real browser on the served console: what it loads, what axe finds, what it looks like."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

SCREENSHOTS = Path(__file__).resolve().parents[1] / "var" / "screenshots"
DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
GRAVE = ("serious", "critical")


@contextmanager
def chromium() -> Iterator[Any]:
    """Debian's chromium, driven by playwright; nothing is downloaded."""
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium")
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("chromium is missing: .ci/run installs it")
        pytest.skip("chromium is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        # The sandbox cannot be had by root in a container; only our own pages are opened.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@dataclass
class Visitor:
    """One person's browser window.

    Attributes:
        page: playwright.sync_api.Page.
        url: The service.
        requested: Every address the window asked for.
        complaints: What the browser complained about in its console.
    """

    page: Any
    url: str
    requested: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def sign_in(self, key: str, *, back: str = "/console") -> None:
        """As a person does it."""
        self.page.goto(self.url + back)
        self.page.get_by_label("API key").fill(key)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url(self.url + back)

    def open(self, path: str) -> Any:
        """Go to a page; returns the response."""
        return self.page.goto(self.url + path)

    def text(self) -> str:
        """What the main part of the page says."""
        return str(self.page.inner_text("main"))

    def picture(self, name: str, *, whole: bool = True) -> Path:
        """Keep what is seen."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        path = SCREENSHOTS / f"{name}.png"
        self.page.screenshot(path=path, full_page=whole)
        return path

    def barriers(self) -> list[str]:
        """What axe calls serious or critical on this page."""
        from axe_playwright_python.sync_playwright import Axe

        found = Axe().run(self.page).response["violations"]
        return [
            f"{v['id']}: {n['target']} {n.get('failureSummary', '')}"
            for v in found
            if v["impact"] in GRAVE
            for n in v["nodes"][:3]
        ]

    def overflow(self) -> int:
        """Pixels by which the page is wider than the window."""
        return int(
            self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        )

    def strangers(self) -> list[str]:
        """Requests that left the service."""
        home = urlsplit(self.url).netloc
        return [u for u in self.requested if urlsplit(u).netloc != home]

    def first_paint(self, path: str) -> float:
        """Milliseconds from the request to the first contentful paint."""
        self.open(path)
        entry = "performance.getEntriesByName('first-contentful-paint').map(e => e.startTime)"
        for _ in range(100):
            found = self.page.evaluate(entry)
            if found:
                return float(found[0])
            self.page.wait_for_timeout(20)
        raise AssertionError(f"{path} was never painted")


@contextmanager
def visitor(browser: Any, url: str, **options: Any) -> Iterator[Visitor]:
    """A fresh window without cookies.

    Args:
        browser: What `chromium` gives.
        url: The service.
        options: Of playwright's new_context, such as `java_script_enabled=False`.
    """
    context = browser.new_context(**{"viewport": DESKTOP, **options})
    page = context.new_page()
    found = Visitor(page, url)
    page.on("request", lambda r: found.requested.append(r.url))
    page.on("console", lambda m: found.complaints.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda e: found.complaints.append(str(e)))
    try:
        yield found
    finally:
        context.close()
