"""Lists as they are shown, and what is put on record about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection

from data.errors import DataError, InputError
from serving import audit
from serving.auth import Identity
from serving.fit.intake import names_companies
from serving.shared import Shared

NEEDS_MAPPING = (
    "No header is surely the name of the company or its web domain: say which column is, then it is checked."
)


def list_shape(found: Mapping[str, Any], *, dry_run: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A list as it is shown; with what a dry run found, if there was one."""
    state, job = found["state"], found["job_id"] if found["state"] != "ready" else None
    shown = {
        "list_id": found["list_id"],
        "name": found["name"],
        "state": "scoring" if job and state == "draft" else state,
        "needs_mapping": None if names_companies(found["mapping"]) else NEEDS_MAPPING,
        "created_at": found["created_at"],
        "scored_at": found["scored_at"],
        "motion": found["motion"],
        "columns": found["columns"],
        "mapping": found["mapping"],
        "counts": found["counts"],
        "notes": found["notes"],
        "models": found["models"],
        "ranked_by": _ranked_by(found),
        "job": job,
    }
    return {**shown, "dry_run": dry_run} if dry_run is not None else shown


def _ranked_by(found: Mapping[str, Any]) -> dict[str, int] | None:
    """How many ranks follow a probability, and how many, after those, points of the scorecard."""
    points = found["options"].get("by_points")
    if points is None:
        return None
    return {"probability": int(found["counts"]["ranked"]) - points, "scorecard_points": points}


def after_its_job(found: dict[str, Any], shared: Shared, identity: Identity) -> dict[str, Any]:
    """A list whose job failed is a draft again, with a note that says so: nothing has to be sent twice."""
    if found["state"] == "ready" or not found["job_id"]:
        return found
    job = shared.jobs.read(found["job_id"], identity=identity)
    if job.state != "failed":
        return found
    return {**found, "state": "draft", "job_id": None, "notes": [*found["notes"], job.message]}


def unreadable(error: DataError) -> InputError:
    """What the caller sent cannot be read: theirs to mend, not ours."""
    return InputError(error.message, allowed=error.allowed, next_step=error.next_step, pointer="/file")


def override_shape(made: Any) -> dict[str, Any]:
    """An override as it is shown."""
    names = (
        "override_id",
        "value",
        "model_value",
        "author",
        "reason",
        "created_at",
        "expires_at",
        "withdrawn_at",
    )
    return {n: getattr(made, n) for n in names}


def recorded(
    shared: Shared, identity: Identity, action: str, list_id: str, detail: Mapping[str, Any]
) -> Callable[[Connection], int]:
    """Puts what somebody does with a list into the audit log, in the transaction that does it."""
    at, actor = shared.edges.clock(), f"{identity.owner} ({identity.key_id})"
    return lambda connection: audit.append_within(
        connection, at=at, actor=actor, action=action, object=list_id, detail=dict(detail)
    )


def record(shared: Shared, identity: Identity, action: str, list_id: str, detail: Mapping[str, Any]) -> None:
    """The same for what changes nothing, such as an export."""
    with shared.database.write() as connection:
        recorded(shared, identity, action, list_id, detail)(connection)
