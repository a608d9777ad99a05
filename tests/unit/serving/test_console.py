"""The console over HTTP, without BentoML and without a browser: sessions, forms, roles, pages."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import select

from serving.auth import create_key, list_keys, revoke_key
from serving.console.navigation import SECTIONS
from serving.routes import ROLES, ROUTES
from serving.tables import AUDIT_LOG, CONSOLE_SESSIONS
from tests.unit.serving.console_world import HTML, Browser, open_console_world, signed_in
from tests.unit.serving.world import NOW, World

PAGES = tuple(r for r in ROUTES if r.page and r.method == "GET" and r.roles and "{" not in r.path)

LISTED = {item.path for _, items in SECTIONS for item in items}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = open_console_world(tmp_path_factory.mktemp("console"))
    yield made
    made.runtime.stop()


@pytest.fixture
def own_world(tmp_path: Path) -> Iterator[World]:
    made = open_console_world(tmp_path)
    yield made
    made.runtime.stop()


def test_who_is_not_signed_in_is_sent_to_the_sign_in_and_back(world: World) -> None:
    browser = Browser(world)
    answer = browser.get("/console/partners?q=acme&page=2")
    assert answer.status_code == 303
    back = parse_qs(urlsplit(answer.headers["location"]).query)["next"][0]
    assert browser.sign_in("admin", back=back).headers["location"] == "/console/partners?q=acme&page=2"


@pytest.mark.parametrize(
    "back",
    ["//evil.example", "https://evil.example/console", "/console\\evil", "/consolex", "javascript:alert(1)",
     "/v1/models", "/console/../v1", "\\\\evil.example", "/console/sign-in"],
)  # fmt: skip
def test_the_sign_in_leads_to_the_console_and_nowhere_else(world: World, back: str) -> None:
    found = Browser(world).sign_in("admin", back=back).headers["location"]
    assert found == "/console" or found.startswith("/console/")


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(world: World) -> None:
    cookie = Browser(world).sign_in("admin").headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "path=/console" in cookie
    assert "secure" not in cookie
    form = {"key": world.keys["admin"], "next": ""}
    behind_tls = Browser(world).send(
        "POST", "/console/sign-in", data=form, headers={"x-forwarded-proto": "https"}
    )
    assert "secure" in behind_tls.headers["set-cookie"].lower()


def test_the_database_holds_no_token(world: World) -> None:
    browser = signed_in(world, "admin")
    with world.runtime.shared.database.read() as connection:
        rows = [dict(r) for r in connection.execute(select(CONSOLE_SESSIONS)).mappings()]
    assert rows
    assert not any(browser.cookies["partnerintel_session"] in str(r) for r in rows)


def test_a_wrong_key_is_refused_counted_and_written_down(own_world: World) -> None:
    browser = Browser(own_world)
    codes = [browser.sign_in("", key=f"pik_{i:012x}_{'0' * 64}").status_code for i in range(25)]
    assert codes[0] == 401
    assert codes[-1] == 429
    assert browser.cookies == {}
    with own_world.runtime.shared.database.read() as connection:
        actions = list(connection.execute(select(AUDIT_LOG.c.action)).scalars())
    assert actions.count("denied") == codes.count(401)


def test_a_session_ends_when_it_is_signed_out(own_world: World) -> None:
    browser = signed_in(own_world, "admin")
    kept = dict(browser.cookies)
    assert browser.get("/console").status_code == 200
    assert browser.post("/console/sign-out").status_code == 303
    stolen = Browser(own_world, kept)
    assert stolen.get("/console").status_code == 303


def test_a_session_ends_within_seconds_of_its_key(own_world: World) -> None:
    browser = signed_in(own_world, "recruiter")
    assert browser.get("/console").status_code == 200
    mine = next(k for k in list_keys(own_world.runtime.shared.database) if k.role == "recruiter")
    revoke_key(own_world.runtime.shared.database, mine.key_id, now=NOW)
    own_world.clock.advance(5)
    assert browser.get("/console").status_code == 303


def test_a_session_ends_when_its_time_is_over(own_world: World) -> None:
    browser = signed_in(own_world, "admin")
    own_world.clock.advance(12 * 3600 - 10)
    assert browser.get("/console").status_code == 200
    own_world.clock.advance(20)
    assert browser.get("/console").status_code == 303


def test_a_session_is_worth_nothing_for_the_api(world: World) -> None:
    assert signed_in(world, "admin").get("/v1/models", headers={"accept": "*/*"}).status_code == 401


@pytest.mark.parametrize("token", ["", "0" * 64, "g" * 64])
def test_a_form_without_its_token_changes_nothing(world: World, token: str) -> None:
    browser = signed_in(world, "admin")
    answer = browser.send("POST", "/console/sign-out", data={"csrf": token})
    assert answer.status_code == 403
    assert browser.get("/console").status_code == 200


@pytest.mark.parametrize(
    "headers",
    [{"origin": "https://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"},
     {"sec-fetch-site": "same-site"}],
)  # fmt: skip
def test_a_form_of_another_site_changes_nothing(world: World, headers: dict[str, str]) -> None:
    browser = signed_in(world, "admin")
    assert browser.post("/console/sign-out", headers=headers).status_code == 403
    sign_in = {"key": world.keys["admin"], "next": ""}
    assert Browser(world).send("POST", "/console/sign-in", data=sign_in, headers=headers).status_code == 403
    assert browser.get("/console").status_code == 200


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "multipart/form-data; boundary=x", ""])
def test_forms_are_read_as_forms_only(world: World, kind: str) -> None:
    headers = {"content-type": kind} if kind else {}
    answer = Browser(world).send("POST", "/console/sign-in", content=b"key=x", headers=headers)
    assert answer.status_code == 415
    assert "text/html" in answer.headers["content-type"]


def test_a_form_has_a_small_cap(world: World) -> None:
    assert Browser(world).sign_in("", key="x" * 70_000).status_code == 413


@pytest.mark.parametrize("body", [b"key=%ff%fe", b"\xff\xfe", b"&".join([b"a=1"] * 300), b"novalue"])
def test_unreadable_forms_are_refused_in_words(world: World, body: bytes) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}
    answer = Browser(world).send("POST", "/console/sign-in", content=body, headers=form)
    assert 400 <= answer.status_code < 500


@pytest.mark.parametrize("role", ROLES)
def test_every_page_opens_for_its_roles_and_for_nobody_else(world: World, role: str) -> None:
    browser = signed_in(world, role)
    menu = set(re.findall(r'<li><a href="(/console[^"]*)"', browser.get("/console").text))
    for route in PAGES:
        answer = browser.get(route.path)
        assert route.roles is not None
        assert answer.status_code == (200 if role in route.roles else 403), route.path
        assert (route.path in menu) == (role in route.roles and route.path in LISTED), route.path


def test_every_page_forbids_whatever_is_not_its_own(world: World) -> None:
    browser = signed_in(world, "admin")
    paths = [r.path for r in PAGES] + ["/console/partners/P00", "/console/models/churn", "/console/nothing"]
    for path in paths:
        answer = browser.get(path)
        policy = answer.headers["content-security-policy"]
        assert "unsafe" not in policy
        assert "default-src 'none'" in policy
        assert not re.findall(r"<style|\sstyle=|\son[a-z]+=\"|javascript:", answer.text), path
        assert all(u.startswith("/console/static/") for u in re.findall(r'(?:src)="([^"]+)"', answer.text))
        assert answer.headers["cache-control"] == "no-store"


def test_static_files_are_kept_and_load_nothing_themselves(world: World) -> None:
    page = Browser(world).get("/console/sign-in").text
    for path in re.findall(r'(?:src|href)="(/console/static/[^"]+)"', page):
        answer = Browser(world).get(path)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
        assert not re.findall(r"@import|url\(", answer.text) or "htmx" in path
    assert Browser(world).get("/console/static/..%2f..%2fapi.py").status_code == 404


def test_a_manager_sees_their_own_partners_in_lists_and_pages(world: World) -> None:
    browser = signed_in(world, "channel_manager")
    listed = set(re.findall(r"/console/partners/(P\d\d)", browser.get("/console/partners?state=all").text))
    assert listed == {"P00", "P02", "P04", "P06", "P08", "P10"}
    assert browser.get("/console/partners/P00").status_code == 200
    theirs, nobodys = browser.get("/console/partners/P01"), browser.get("/console/partners/P99")
    assert theirs.status_code == nobodys.status_code == 404
    assert theirs.text.replace("P01", "") == nobodys.text.replace("P99", "")


def test_a_partner_page_records_what_it_showed_and_the_decision_replays(world: World) -> None:
    browser = signed_in(world, "channel_manager")
    page = browser.get("/console/partners/P02").text
    decision_id = re.findall(r"dec_[0-9A-Z]{26}", page)[0]
    assert "Replayed: identical" in browser.get(f"/console/decisions/{decision_id}").text
    again = browser.get("/console/partners/P02").text
    spans = [re.findall(r'"score-title">(Within \d+ days)', text) for text in (page, again)]
    assert spans[0] == spans[1] == sorted(spans[0], key=lambda s: int(s.split()[1]))
    assert signed_in(world, "prm").get(f"/console/decisions/{decision_id}").status_code == 404
    assert decision_id in browser.get("/console/decisions").text


def test_what_partners_and_addresses_hold_is_text_and_never_markup(world: World) -> None:
    browser = signed_in(world, "admin")
    evil = '"><script>alert(1)</script>'
    for path in ("/console/partners", "/console/audit", "/console/decisions", "/console/models/churn"):
        names = ("q", "sort", "page", "order", "action", "version", "level", "file")
        answer = browser.send("GET", path, params=dict.fromkeys(names, evil))
        assert answer.status_code in (200, 404), path
        assert "<script>alert" not in answer.text
    named = create_key(
        world.runtime.shared.database, owner=evil, role="admin", now=NOW, random=os.urandom, manager_id=None
    )
    theirs = Browser(world)
    theirs.sign_in("", key=named)
    assert "<script>alert" not in theirs.get("/console").text


def test_the_list_filters_orders_and_pages(world: World) -> None:
    browser = signed_in(world, "admin")

    def listed(query: str) -> list[str]:
        return re.findall(r'href="/console/partners/(P\d\d)"', browser.get(f"/console/partners?{query}").text)

    assert len(listed("state=all")) == 12
    assert listed("state=all&q=p07") == ["P07"]
    assert listed("state=all&sort=name&order=asc") == sorted(listed("state=all"))
    assert listed("state=all&sort=name&order=desc") == sorted(listed("state=all"), reverse=True)
    assert set(listed("state=all&manager=M2")) == {f"P{i:02}" for i in range(1, 12, 2)}
    assert listed("state=all&page=99") != []
    assert "No partner fits" in browser.get("/console/partners?q=nobody").text


def test_errors_are_pages_for_browsers_and_problems_for_machines(world: World) -> None:
    browser = signed_in(world, "admin")
    shown = browser.get("/console/models/none")
    assert shown.status_code == 404
    assert "To the overview" in shown.text
    plain = browser.get("/console/models/none", headers={"accept": "*/*"})
    assert plain.headers["content-type"] == "application/problem+json"
    assert world.call("GET", "/console/models/none", headers=HTML).status_code == 404


def test_without_a_console_there_is_none(tmp_path: Path) -> None:
    world = open_console_world(tmp_path, config="config_version: 1\nserving: {console: false}\n")
    assert Browser(world).get("/console").status_code == 404
    assert world.call("GET", "/v1/models").status_code == 200
    world.runtime.stop()
