"""Lists as they are shown, and what is put on record about them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from serving import audit
from serving.auth import Identity
from serving.fit.intake import FIELDS, Intake
from serving.shared import Shared

MOST_FAULTS_SHOWN = 200


def list_shape(found: Mapping[str, Any], *, dry_run: Intake | None = None) -> dict[str, Any]:
    """A list as it is shown; with what a dry run found, if there was one."""
    job = found["job_id"] if found["state"] == "draft" else None
    shown = {
        "list_id": found["list_id"],
        "name": found["name"],
        "state": "scoring" if job else found["state"],
        "created_at": found["created_at"],
        "scored_at": found["scored_at"],
        "motion": found["motion"],
        "columns": found["columns"],
        "mapping": found["mapping"],
        "counts": found["counts"],
        "notes": found["notes"],
        "models": found["models"],
        "job": job,
    }
    return {**shown, "dry_run": _dry_run(dry_run)} if dry_run else shown


def _dry_run(intake: Intake) -> dict[str, Any]:
    faults = intake.faults[:MOST_FAULTS_SHOWN]
    return {
        "fields": list(FIELDS),
        "proposal": [
            {"column": m.column, "field": m.field, "confidence": m.confidence, "like": m.like}
            for m in intake.proposal
        ],
        "faults": [f.__dict__ for f in faults],
        "faults_left_out": len(intake.faults) - len(faults),
        "duplicates": [
            {
                "line": d.row.line,
                "of_line": d.of_line,
                "probability": d.probability,
                "evidence": list(d.evidence),
            }
            for d in intake.doubles[:MOST_FAULTS_SHOWN]
        ],
        "existing_partners": [
            {
                "line": e.row.line,
                "partner_id": e.partner_id,
                "probability": e.probability,
                "evidence": list(e.evidence),
            }
            for e in intake.existing[:MOST_FAULTS_SHOWN]
        ],
    }


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


def record(shared: Shared, identity: Identity, action: str, list_id: str, detail: Mapping[str, Any]) -> None:
    """Put what somebody did with a list into the audit log."""
    audit.append(
        shared.database,
        at=shared.edges.clock(),
        actor=f"{identity.owner} ({identity.key_id})",
        action=action,
        object=list_id,
        detail=dict(detail),
    )
