"""A served world with partners, and a browser of sorts: it keeps cookies, follows nothing, sends forms."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from features.matrix import FeatureMatrix, save_matrix
from serving.lastknown import write_json
from tests.unit.serving.world import AS_OF, NOW, World, open_world, partner_frame, write_seed

HTML = {"accept": "text/html,application/xhtml+xml"}
PARTNERS = 12


def open_console_world(folder: Path, *, config: str | None = None) -> World:
    """A world whose seed carries partners P00 to P11: M1 has the even ones, M2 the others."""
    seed = folder / "seed"
    write_seed(seed)
    frame = partner_frame(PARTNERS, seed=4)
    frame.index = [f"P{i:02}" for i in range(PARTNERS)]
    frame.index.name = "partner_id"
    at = np.full(PARTNERS, np.datetime64(AS_OF, "us"))
    save_matrix(FeatureMatrix.of(frame, features_as_of=at), seed / "matrix")
    managers = {p: ("M1", "M2")[i % 2] for i, p in enumerate(frame.index)}
    write_json(seed / "partners.json", {"confirmed_at": NOW.isoformat(), "managers": managers})
    return open_world(folder, config=config)


@dataclass
class Browser:
    """What a browser does for one person."""

    world: World
    cookies: dict[str, str] = field(default_factory=dict)

    def send(
        self, method: str, path: str, *, headers: dict[str, str] | None = None, **more: Any
    ) -> httpx.Response:
        """One request with the cookies kept so far."""
        given = {**HTML, **(headers or {})}
        if self.cookies:
            given["cookie"] = "; ".join(f"{k}={v}" for k, v in self.cookies.items())

        async def call() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.world.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                return await client.request(method, path, headers=given, **more)

        answer = asyncio.run(call())
        for cookie in answer.headers.get_list("set-cookie"):
            name, _, value = cookie.split(";")[0].partition("=")
            self.cookies[name] = value.strip('"')
        return answer

    def get(self, path: str, **more: Any) -> httpx.Response:
        """Open a page."""
        return self.send("GET", path, **more)

    def post(self, path: str, fields: dict[str, str] | None = None, **more: Any) -> httpx.Response:
        """Send a form, with the token of the page it would stand on."""
        token = re.search(r'name="csrf" value="([0-9a-f]+)"', self.get("/console").text)
        return self.send("POST", path, data={"csrf": token[1] if token else "", **(fields or {})}, **more)

    def sign_in(self, role: str, *, key: str | None = None, back: str = "") -> httpx.Response:
        """Send the sign-in form."""
        form = {"key": key or self.world.keys[role], "next": back}
        return self.send("POST", "/console/sign-in", data=form)


def signed_in(world: World, role: str) -> Browser:
    """A browser of someone with that role."""
    browser = Browser(world)
    assert browser.sign_in(role).status_code == 303
    return browser
