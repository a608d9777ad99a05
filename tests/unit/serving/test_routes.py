from __future__ import annotations

import pytest

from serving.api import create_app
from serving.routes import ROLES, ROUTES, RouteTable


def test_every_route_of_the_application_has_a_row_and_every_row_a_route() -> None:
    app = create_app(lambda: pytest.fail("no call is made"))
    real = {(m, r.path) for r in app.routes for m in r.methods - {"HEAD"}}  # type: ignore[attr-defined]
    assert real == {(r.method, r.path) for r in ROUTES if not r.native}


def test_every_row_names_known_roles() -> None:
    assert all(r.roles is None or (r.roles and r.roles <= set(ROLES)) for r in ROUTES)


def test_only_health_and_documents_answer_without_a_key() -> None:
    assert [r.path for r in ROUTES if r.roles is None and not r.page] == [
        "/livez", "/readyz", "/openapi.json", "/docs",
    ]  # fmt: skip


def test_of_the_console_only_the_sign_in_and_its_files_answer_without_a_session() -> None:
    open_pages = {(r.method, r.path) for r in ROUTES if r.page and r.roles is None}
    assert open_pages == {
        ("GET", "/console/sign-in"), ("POST", "/console/sign-in"), ("GET", "/console/static/{name}"),
    }  # fmt: skip


def test_without_a_console_no_page_answers() -> None:
    table = RouteTable(console=False)
    assert table.match("GET", "/console").route is None
    assert table.match("GET", "/livez").route is not None


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/v1/models/churn", "/v1/models/{name}"),
        ("/v1/models/", None),
        ("/v1/models/a/b", None),
        ("/v1/models/churn/score/", None),
        ("//livez", None),
        ("/livez/", None),
        ("/LIVEZ", None),
        ("/v1/partners/a\nb/churn", "/v1/partners/{partner_id}/churn"),
        ("/v1/partners/../models", None),
    ],
)
def test_paths_match_whole_and_exactly(path: str, found: str | None) -> None:
    route = RouteTable().match("GET", path).route
    assert (route.path if route else None) == found


def test_a_known_path_names_its_methods() -> None:
    assert RouteTable().match("DELETE", "/v1/churn/score").allowed == ("POST",)


def test_documents_can_be_switched_off() -> None:
    table = RouteTable(docs=False)
    assert table.match("GET", "/docs").route is None
    assert table.match("GET", "/livez").route is not None
