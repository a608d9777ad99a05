"""Every route of the service and who may call it: the guard's allow-list, as data.

A request that matches no row is answered 404 before anything behind the guard sees it. A test compares the
table with the routes the running product really has.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

Role = Literal["recruiter", "channel_manager", "prm", "admin"]
ROLES: tuple[Role, ...] = ("recruiter", "channel_manager", "prm", "admin")
EVERYONE: frozenset[str] = frozenset(ROLES)
PARTNER_READERS: frozenset[str] = frozenset({"channel_manager", "prm", "admin"})
RECRUITERS: frozenset[str] = frozenset({"recruiter", "prm", "admin"})
DECIDERS: frozenset[str] = frozenset({"channel_manager", "admin"})
ADMINS: frozenset[str] = frozenset({"admin"})
# /metrics is read by machines; an admin's key need not be handed to the scraper.
OPERATORS: frozenset[str] = frozenset({"prm", "admin"})
KEEPERS: frozenset[str] = frozenset({"channel_manager", "admin"})


@dataclass(frozen=True)
class Route:
    """One method on one path.

    Attributes:
        method: HTTP method.
        path: Path with `{parameters}`, each one non-empty segment.
        roles: Roles that may call it; None: anyone, without credentials.
        body: Whether it takes a JSON body.
        native: Whether BentoML answers it, rather than the mounted application.
        optional: Whether the operator can switch it off (`docs: false`).
        page: Whether it belongs to the console: people sign in, errors are pages, a form may be posted.
        form: What is a body instead: `fields` (URL-encoded, small) or `upload` (multipart, one file).
    """

    method: str
    path: str
    roles: frozenset[str] | None = field(default=None)
    body: bool = False
    native: bool = False
    optional: bool = False
    page: bool = False
    form: Literal["", "fields", "upload"] = ""

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The path as a regular expression over the whole decoded path."""
        parts = re.split(r"\{\w+\}", self.path)
        return re.compile("[^/]+".join(re.escape(p) for p in parts))


def _page(path: str, roles: frozenset[str] | None = EVERYONE) -> Route:
    return Route("GET", path, roles, page=True)


def _form(path: str, roles: frozenset[str] | None = EVERYONE) -> Route:
    return Route("POST", path, roles, page=True, form="fields")


PAGES: tuple[Route, ...] = (
    _page("/console"),
    _page("/console/sign-in", None),
    _form("/console/sign-in", None),
    _form("/console/sign-out"),
    _page("/console/static/{name}", None),
    _page("/console/partners", PARTNER_READERS),
    _page("/console/partners/{partner_id}", PARTNER_READERS),
    _page("/console/partners/{partner_id}/qbr", PARTNER_READERS),
    _form("/console/partners/{partner_id}/override", KEEPERS),
    _form("/console/partners/{partner_id}/withdraw", KEEPERS),
    _page("/console/alerts", PARTNER_READERS),
    _page("/console/alerts/as-of", PARTNER_READERS),
    _page("/console/alerts/proof", PARTNER_READERS),
    _page("/console/alerts/{alert_id}", PARTNER_READERS),
    _form("/console/alerts/{alert_id}/acknowledge", KEEPERS),
    _form("/console/alerts/{alert_id}/assign", KEEPERS),
    _form("/console/alerts/{alert_id}/snooze", KEEPERS),
    _form("/console/alerts/{alert_id}/close", KEEPERS),
    _page("/console/tiers", PARTNER_READERS),
    _page("/console/tiers/simulator", ADMINS),
    _form("/console/tiers/{change_id}/approve", DECIDERS),
    _form("/console/tiers/{change_id}/reject", DECIDERS),
    _page("/console/lists", RECRUITERS),
    Route("POST", "/console/lists", RECRUITERS, page=True, form="upload"),
    _page("/console/lists/template", RECRUITERS),
    _page("/console/lists/{list_id}", RECRUITERS),
    _form("/console/lists/{list_id}/check", RECRUITERS),
    _form("/console/lists/{list_id}/confirm", RECRUITERS),
    _page("/console/lists/{list_id}/export", RECRUITERS),
    _page("/console/lists/{list_id}/report", RECRUITERS),
    Route("POST", "/console/lists/{list_id}/outcomes", RECRUITERS, page=True, form="upload"),
    _page("/console/lists/{list_id}/prospects/{prospect_id}", RECRUITERS),
    _form("/console/lists/{list_id}/prospects/{prospect_id}/outcome", RECRUITERS),
    _form("/console/lists/{list_id}/prospects/{prospect_id}/override", RECRUITERS),
    _form("/console/lists/{list_id}/prospects/{prospect_id}/withdraw", RECRUITERS),
    _page("/console/routing", OPERATORS),
    _page("/console/routing/policies", OPERATORS),
    _page("/console/routing/report", OPERATORS),
    _page("/console/models"),
    _page("/console/models/{name}"),
    _page("/console/models/{name}/drift"),
    _page("/console/decisions"),
    _page("/console/decisions/{decision_id}"),
    _page("/console/checks", OPERATORS),
    _page("/console/audit", ADMINS),
)
ROUTES: tuple[Route, ...] = (
    Route("GET", "/livez"),
    Route("GET", "/readyz"),
    Route("GET", "/metrics", OPERATORS),
    Route("GET", "/openapi.json", optional=True),
    Route("GET", "/docs", optional=True),
    Route("POST", "/v1/churn/score", PARTNER_READERS, body=True),
    Route("GET", "/v1/partners/{partner_id}/churn", PARTNER_READERS),
    Route("GET", "/v1/partners/{partner_id}/health", PARTNER_READERS),
    Route("GET", "/v1/partners/{partner_id}/benchmarks", PARTNER_READERS),
    Route("POST", "/v1/partners/{partner_id}/override", KEEPERS, body=True),
    Route("POST", "/v1/partners/{partner_id}/override/withdraw", KEEPERS, body=True),
    Route("GET", "/v1/alerts", PARTNER_READERS),
    Route("GET", "/v1/alerts/as-of", PARTNER_READERS),
    Route("GET", "/v1/alerts/digest", PARTNER_READERS),
    Route("GET", "/v1/alerts/{alert_id}", PARTNER_READERS),
    Route("POST", "/v1/alerts/{alert_id}/acknowledge", KEEPERS, body=True),
    Route("POST", "/v1/alerts/{alert_id}/assign", KEEPERS, body=True),
    Route("POST", "/v1/alerts/{alert_id}/snooze", KEEPERS, body=True),
    Route("POST", "/v1/alerts/{alert_id}/close", KEEPERS, body=True),
    Route("POST", "/v1/events", OPERATORS, body=True),
    Route("GET", "/v1/events", PARTNER_READERS),
    Route("POST", "/v1/webhooks", OPERATORS, body=True),
    Route("GET", "/v1/webhooks", OPERATORS),
    Route("GET", "/v1/webhooks/{webhook_id}", OPERATORS),
    Route("POST", "/v1/webhooks/{webhook_id}/rotate", OPERATORS, body=True),
    Route("POST", "/v1/webhooks/{webhook_id}/disable", OPERATORS, body=True),
    Route("POST", "/v1/webhooks/{webhook_id}/revive", OPERATORS, body=True),
    Route("GET", "/v1/models", EVERYONE),
    Route("GET", "/v1/models/{name}", EVERYONE),
    Route("POST", "/v1/models/{name}/score", EVERYONE, body=True),
    Route("GET", "/v1/decisions/{decision_id}", EVERYONE),
    Route("POST", "/v1/fit/score", RECRUITERS, body=True),
    Route("POST", "/v1/fit/lists", RECRUITERS, form="upload"),
    Route("GET", "/v1/fit/lists", RECRUITERS),
    Route("GET", "/v1/fit/lists/{list_id}", RECRUITERS),
    Route("POST", "/v1/fit/lists/{list_id}/dry-run", RECRUITERS, body=True),
    Route("POST", "/v1/fit/lists/{list_id}/confirm", RECRUITERS, body=True),
    Route("GET", "/v1/fit/lists/{list_id}/export", RECRUITERS),
    Route("GET", "/v1/fit/lists/{list_id}/report", RECRUITERS),
    Route("POST", "/v1/fit/lists/{list_id}/outcomes", RECRUITERS, body=True),
    Route("GET", "/v1/fit/lists/{list_id}/prospects/{prospect_id}", RECRUITERS),
    Route("GET", "/v1/fit/lists/{list_id}/prospects/{prospect_id}/lift", RECRUITERS),
    Route("POST", "/v1/fit/lists/{list_id}/overrides", RECRUITERS, body=True),
    Route("POST", "/v1/fit/lists/{list_id}/overrides/{override_id}/withdraw", RECRUITERS),
    Route("GET", "/v1/jobs/{job_id}", EVERYONE),
    Route("POST", "/fit_score", RECRUITERS, body=True, native=True),
    Route("POST", "/v1/tiers/recommend", PARTNER_READERS, body=True),
    Route("GET", "/v1/partners/{partner_id}/tier", PARTNER_READERS),
    Route("GET", "/v1/tiers/changes", PARTNER_READERS),
    Route("POST", "/v1/tiers/changes/{change_id}/approve", DECIDERS, body=True),
    Route("POST", "/v1/tiers/changes/{change_id}/reject", DECIDERS, body=True),
    Route("POST", "/v1/partners/{partner_id}/tier/override", DECIDERS, body=True),
    Route("POST", "/v1/partners/{partner_id}/tier/override/withdraw", DECIDERS, body=True),
    Route("POST", "/v1/tiers/simulate", ADMINS, body=True),
    Route("POST", "/recommend_tier", PARTNER_READERS, body=True, native=True),
    Route("POST", "/v1/leads/route", OPERATORS, body=True),
    Route("POST", "/v1/leads/assign", OPERATORS, body=True),
    Route("GET", "/v1/leads/{lead_id}", OPERATORS),
    Route("POST", "/v1/leads/{lead_id}/response", OPERATORS, body=True),
    Route("POST", "/v1/leads/{lead_id}/outcome", OPERATORS, body=True),
    Route("POST", "/v1/leads/{lead_id}/erase", OPERATORS, body=True),
    Route("POST", "/v1/registrations/check", OPERATORS, body=True),
    Route("POST", "/v1/partners/{partner_id}/routing", OPERATORS, body=True),
    Route("GET", "/v1/routing/report", OPERATORS),
    Route("POST", "/route_lead", OPERATORS, body=True, native=True),
    Route("POST", "/churn_score", PARTNER_READERS, body=True, native=True),
    # BentoML's own client reads it to learn the verbs.
    Route("GET", "/schema.json", EVERYONE, native=True),
    *PAGES,
)


@dataclass(frozen=True)
class Match:
    """What the table says about a request: the route, or the methods the path would allow."""

    route: Route | None
    allowed: tuple[str, ...] = ()


class RouteTable:
    """Finds the row for a request; exact paths first, parameters after.

    Args:
        routes: The rows.
        docs: Whether optional routes answer.
        console: Whether pages answer.
    """

    def __init__(
        self, routes: tuple[Route, ...] = ROUTES, *, docs: bool = True, console: bool = True
    ) -> None:
        self.routes = tuple(r for r in routes if (docs or not r.optional) and (console or not r.page))
        self._exact: dict[str, list[Route]] = {}
        for route in self.routes:
            if "{" not in route.path:
                self._exact.setdefault(route.path, []).append(route)
        self._parametric = tuple(r for r in self.routes if "{" in r.path)

    def match(self, method: str, path: str) -> Match:
        """The row for a method and a decoded path."""
        rows = self._exact.get(path) or [r for r in self._parametric if r.pattern.fullmatch(path)]
        for row in rows:
            if row.method == method:
                return Match(row)
        return Match(None, tuple(sorted({r.method for r in rows})))
