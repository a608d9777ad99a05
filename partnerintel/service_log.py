"""The service's own offers as rows of `leads` and `assignments`: policies are judged without an export."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from partnerintel.settings import Project
from partnerintel.state import opened

if TYPE_CHECKING:
    from training.routing_rows import RoutingTables

TIMES = ("offered_at", "respond_by", "answered_at", "closed_at")
ANSWERED = ("accepted", "declined", "expired")
CLOSED = ("won", "lost")


def with_service(tables: RoutingTables, project: Project) -> RoutingTables:
    """The lake's tables and, of leads they do not know, what the service did with them."""
    import pandas as pd

    leads, assignments = service_tables(project)
    known = set(tables.assignments["lead_id"])
    leads, assignments = (f[~f["lead_id"].isin(known)] for f in (leads, assignments))
    if assignments.empty:
        return tables
    old = tables.leads[~tables.leads["lead_id"].isin(leads["lead_id"])]
    both = ((old, leads), (tables.assignments, assignments))
    joined = [pd.concat([a, _like(b, a)], ignore_index=True) for a, b in both]
    return replace(tables, leads=joined[0], assignments=joined[1])


def _like(rows: Any, table: Any) -> Any:
    """Rows with the columns and types of a table."""
    return rows.reindex(columns=table.columns).astype(table.dtypes.to_dict())


def service_tables(project: Project) -> tuple[Any, Any]:
    """Rows of `leads` and of `assignments`, as the canonical tables have them."""
    import pandas as pd

    offers, leads = service_offers(project), _leads(project)
    owners = Counter(row["lead_id"] for row in leads)
    # The lake knows no owners: where two of them use one id, it says whose lead it is.
    names = {
        (r["owner"], r["lead_id"]): r["lead_id"]
        if owners[r["lead_id"]] == 1
        else f"{r['owner']}/{r['lead_id']}"
        for r in leads
    }
    currency = {(r["owner"], r["lead_id"]): r["currency"] for r in leads}
    rows: list[dict[str, Any]] = []
    for offer in offers.to_dict("records"):
        key = offer["owner"], offer["lead_id"]
        if key in names:
            rows += _stages({**offer, "name": names[key]}, currency[key], project)
    columns = ["assignment_id", "lead_id", "partner_id", "status", "reason", "value_usd", "propensity",
             "event_at", "known_at", "row_hash"]  # fmt: skip
    assignments = pd.DataFrame(rows, columns=columns)
    found = [_lead(row, names[row["owner"], row["lead_id"]]) for row in leads]
    columns = ["lead_id", "company", "domain", "country", "region", "city", "industry", "employee_count",
               "products", "estimated_value_usd", "event_at", "known_at", "row_hash"]  # fmt: skip
    return pd.DataFrame(found, columns=columns), assignments


def service_offers(project: Project) -> Any:
    """All offers the service made, one row each; times naive UTC."""
    import pandas as pd

    from serving.routing.tables import OFFERS

    frame = pd.DataFrame(_rows(project, OFFERS), columns=[c.name for c in OFFERS.columns])
    for name in TIMES:
        text = frame[name].astype(object).where(frame[name].notna(), None)
        times = pd.to_datetime(text.map(lambda t: t.removesuffix("Z"), na_action="ignore"), format="ISO8601")
        frame[name] = times.astype("datetime64[us]")
    return frame


def _leads(project: Project) -> list[dict[str, Any]]:
    from serving.routing.tables import LEADS

    return _rows(project, LEADS)


def _rows(project: Project, table: Any) -> list[dict[str, Any]]:
    from sqlalchemy import select

    with opened(project) as database, database.read() as connection:
        return [dict(row) for row in connection.execute(select(table)).mappings()]


def _stages(offer: dict[str, Any], currency: str | None, project: Project) -> list[dict[str, Any]]:
    """Offered, answered and closed, as far as it went."""
    cents = offer["value_cents"]
    value = None if cents is None or cents != cents else project.routing.in_usd(int(cents), currency)
    shared = {
        "assignment_id": f"{offer['owner']}/{offer['lead_id']}/{offer['turn']}", "lead_id": offer["name"],
        "propensity": offer["propensity"], "partner_id": offer["partner_id"], "reason": None,
        "value_usd": None, "row_hash": "",
    }  # fmt: skip
    state = str(offer["state"])
    found: list[tuple[str, Any, dict[str, Any]]] = [("offered", offer["offered_at"], {})]
    if state in ANSWERED:
        found.append((state, offer["answered_at"], {"reason": offer["reason"]}))
    if state in CLOSED:
        found.append(("accepted", offer["answered_at"], {}))
        found.append((state, offer["closed_at"], {"value_usd": value if state == "won" else None}))
    return [{**shared, **more, "status": s, "event_at": at, "known_at": at} for s, at, more in found]


def _lead(row: dict[str, Any], name: str) -> dict[str, Any]:
    import pandas as pd

    kept = json.loads(row["lead"])["lead"]
    at = pd.Timestamp(row["created_at"].removesuffix("Z"))
    names = ("company", "domain", "country", "region", "city", "industry", "employee_count")
    return {
        "lead_id": name, **{n: kept[n] for n in names}, "products": "|".join(kept["products"]) or None,
        "estimated_value_usd": kept["value_usd"], "event_at": at, "known_at": at, "row_hash": "",
    }  # fmt: skip
