"""The service's own leads and offers as canonical tables: what was routed here is what models learn from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select

from models.routing.settings import RoutingSettings
from serving.routing.tables import LEADS, OFFERS
from serving.state import Database

ANSWERED = {"won": "accepted", "lost": "accepted"}


def tables_of(database: Database, settings: RoutingSettings) -> tuple[Any, Any]:
    """Frames `leads` and `assignments` of everything routed so far, without anything that names a person.

    The same state gives the same rows, so they can be appended to the lake every night.

    Args:
        database: State database.
        settings: Rates of currencies.
    """
    import pandas as pd

    with database.read() as connection:
        leads = [dict(r) for r in connection.execute(select(LEADS)).mappings()]
        offers = [dict(r) for r in connection.execute(select(OFFERS)).mappings()]
    by_id = {(lead["owner"], lead["lead_id"]): lead for lead in leads}
    rows = [row for o in offers for row in _stages(o, by_id[(o["owner"], o["lead_id"])], settings)]
    return pd.DataFrame([_lead(row) for row in leads]), pd.DataFrame(rows)


def _lead(row: Mapping[str, Any]) -> dict[str, Any]:
    sent = json.loads(row["lead"])["lead"]
    names = ("lead_id", "company", "domain", "country", "region", "city", "industry", "employee_count")
    at = _moment(row["created_at"])
    return {
        **{name: sent[name] for name in names},
        "products": "|".join(sent["products"]) or None,
        "estimated_value_usd": sent["value_usd"],
        "event_at": at,
        "known_at": at,
    }


def _stages(
    offer: Mapping[str, Any], lead: Mapping[str, Any], settings: RoutingSettings
) -> Iterator[dict[str, Any]]:
    """One row for each thing that happened to an offer; the decision names the assignment."""
    shared = {
        "assignment_id": offer["decision_id"],
        "lead_id": offer["lead_id"],
        "partner_id": offer["partner_id"],
        "propensity": offer["propensity"],
        "reason": None,
        "value_usd": None,
    }
    offered = _moment(offer["offered_at"])
    yield {**shared, "status": "offered", "event_at": offered, "known_at": offered}
    if offer["answered_at"]:
        at = _moment(offer["answered_at"])
        status = ANSWERED.get(offer["state"], offer["state"])
        reason = offer["reason"] if status != "accepted" else None
        yield {**shared, "status": status, "reason": reason, "event_at": at, "known_at": at}
    if offer["closed_at"]:
        value = settings.in_usd(offer["value_cents"], lead["currency"])
        known = max(_moment(lead["updated_at"]), _moment(offer["closed_at"]))
        yield {
            **shared, "status": offer["state"], "reason": offer["reason"], "value_usd": value,
            "event_at": _moment(offer["closed_at"]), "known_at": known,
        }  # fmt: skip


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.removesuffix("Z"))
