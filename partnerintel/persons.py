"""What is kept of a person, everywhere; and forgetting it, everywhere."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from data.erasure import Person, erase_person, find_person
from data.errors import NotFoundError
from partnerintel.preparing import lake_of
from partnerintel.settings import Project
from partnerintel.state import opened
from serving import audit
from serving.routing.persons import Routed, erase_routed, find_routed


def kept(project: Project, who: str) -> dict[str, Any]:
    """Everything kept of a person, as plain values.

    Args:
        project: Workspace.
        who: A contact's or lead's identifier, or an e-mail address.

    Raises:
        NotFoundError: Nothing names this person.
    """
    person, routed = _find(project, who)
    return {
        "tables": {name: _plain(frame) for name, frame in person.rows.items()},
        "leads_to_route": [{"lead_id": r.lead_id, "contact": json.loads(r.content)} for r in routed],
        "quarantined_cells": {path.name: hits for path, hits in person.cells.items()},
    }


def erase(project: Project, who: str, *, by: str, now: datetime) -> Mapping[str, int]:
    """Forget a person in tables, quarantine and routed leads; what was decided verifies as before.

    Returns:
        Rows and cells by where they were.

    Raises:
        NotFoundError: Nothing names this person.
    """
    person, routed = _find(project, who)
    erase_person(lake_of(project), person, at=now)
    counts = {name: len(frame) if person.names else 0 for name, frame in person.rows.items()}
    counts |= {"leads_to_route": len(routed), "quarantined_cells": sum(person.cells.values())}
    with opened(project) as database:
        with database.write() as connection:
            for lead in routed:
                erase_routed(connection, owner=lead.owner, lead_id=lead.lead_id, at=now)
            rows = ", ".join(key for keys in person.keys.values() for key in keys)
            audit.append_within(
                connection, at=now, actor=by, action="person.erase", object=rows, detail=counts
            )
        database.forget()
    return counts


def _find(project: Project, who: str) -> tuple[Person, list[Routed]]:
    person = find_person(lake_of(project), who)
    with opened(project) as database, database.read() as connection:
        routed = find_routed(connection, {*person.names, who.lower()})
    if not (person.rows or person.cells or routed):
        raise NotFoundError(
            f"Nothing is kept of {who!r}.",
            next_step="Give the contact_id or lead_id of a row, or an e-mail address, as it was ingested.",
        )
    return person, routed


def _plain(frame: Any) -> list[dict[str, Any]]:
    return json.loads(frame.drop(columns="row_hash").to_json(orient="records", date_format="iso"))
