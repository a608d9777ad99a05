"""The menu: which pages there are, and who is shown which. Roles come from the route table alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from serving.auth import Identity
from serving.routes import ROUTES


@dataclass(frozen=True)
class Item:
    """One entry of the menu.

    Attributes:
        title: What it says.
        path: Where it leads.
        icon: Name of its picture in `icons.html`.
    """

    title: str
    path: str
    icon: str


SECTIONS: tuple[tuple[str, tuple[Item, ...]], ...] = (
    ("", (Item("Overview", "/console", "home"),)),
    ("Recruiting", (Item("Prospect lists", "/console/lists", "list"),)),
    (
        "Partners",
        (
            Item("Alerts", "/console/alerts", "bell"),
            Item("Partners", "/console/partners", "people"),
            Item("Tier changes", "/console/tiers", "tier"),
            Item("Tier simulator", "/console/tiers/simulator", "slider"),
        ),
    ),
    (
        "Routing",
        (
            Item("Who gets a lead", "/console/routing", "route"),
            Item("Policies", "/console/routing/policies", "slider"),
            Item("Exposure and SLA", "/console/routing/report", "chart"),
        ),
    ),
    (
        "Trust",
        (
            Item("Models", "/console/models", "model"),
            Item("Decisions", "/console/decisions", "replay"),
            Item("Data checks", "/console/checks", "check"),
            Item("Audit log", "/console/audit", "book"),
        ),
    ),
)
_ROLES = {route.path: route.roles for route in ROUTES if route.page and route.method == "GET"}

_FORMS = {route.path: route.roles for route in ROUTES if route.page and route.method == "POST"}


def may_open(path: str, identity: Identity | None) -> bool:
    """Whether the caller's role may open a page."""
    roles = _ROLES.get(path)
    return identity is not None and path in _ROLES and (roles is None or identity.role in roles)


def may_send(path: str, identity: Identity | None) -> bool:
    """Whether the caller's role may send a form; the path as in the route table."""
    roles = _FORMS.get(path)
    return identity is not None and path in _FORMS and (roles is None or identity.role in roles)


def current(path: str) -> str:
    """The entry of the menu a page belongs to: the one whose path it extends the furthest; ''."""
    paths = [item.path for _, items in SECTIONS for item in items]
    within = [p for p in paths if path == p or (p != "/console" and path.startswith(p + "/"))]
    return max(within, key=len, default="")


def menu(identity: Identity | None) -> Sequence[tuple[str, Sequence[Item]]]:
    """The sections a caller is shown; empty ones are left out."""
    shown = ((title, [i for i in items if may_open(i.path, identity)]) for title, items in SECTIONS)
    return [(title, items) for title, items in shown if items]
