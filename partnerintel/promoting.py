"""Making a version the champion, when its gate lets it or a person says why."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from data.errors import NotFoundError, PromotionRefusedError
from partnerintel.datasets import check_model
from partnerintel.settings import Project

if TYPE_CHECKING:
    from models.registry import Champion

FALLBACK_GATE: Mapping[str, Any] = {"passed": False, "refusals": []}
"""Of the scorecard that serves before anything is learnt, which has no report: a person may go back to it."""


ACTIONS = ("model.promote", "model.promote.override")


def promote_model(
    project: Project, model: str, *, version: int | None, reason: str, by: str, now: datetime
) -> Champion:
    """Make a version the champion when the gate of its report passes, or a reason overrides it.

    Raises:
        PromotionRefusedError: The gate refuses and no reason was given.
        PromotionConflictError: Another promotion came first.
        NotFoundError: There is no candidate, or it was not evaluated.
    """
    check_model(project, model)
    registry = project.registry_if_any()
    chosen = version if version is not None or registry is None else registry.candidate(model)
    if registry is None or chosen is None:
        raise NotFoundError(
            f"Model {model!r} has no candidate.", next_step=f"Run `partnerintel train {model}`."
        )
    versions = registry.versions(model)
    _check_version(versions, model, chosen)
    before = registry.champion(model)
    kind = next(v.tags.get("kind") for v in versions if v.version == chosen)
    unjudged = kind == "scorecard" and not project.workspace.report(model, chosen, "json").is_file()
    gate = FALLBACK_GATE if unjudged else stored_report(project, model, chosen)["gate"]
    if not gate["passed"] and not reason.strip():
        refusals = [(r["code"], r["message"]) for r in gate["refusals"]]
        kept = f"version {before.version} stays champion" if before else "there is no champion"
        why = "is the scorecard; to go back to it, say why with --reason" if unjudged else "is refused"
        raise PromotionRefusedError(f"Version {chosen} of {model} {why}; {kept}.", refusals=refusals)
    champion = registry.promote(
        model,
        chosen,
        expected=before.version if before else None,
        by=by,
        reason=reason or "the gate passed",
        at=now,
    )
    record_promotions(project, model, overridden={champion.promoted_at} if not gate["passed"] else set())
    return champion


def stored_report(project: Project, model: str, version: int) -> Mapping[str, Any]:
    """The report kept with a version.

    Raises:
        NotFoundError: The version was not evaluated.
    """
    path = project.workspace.report(model, version, "json")
    if not path.is_file():
        raise NotFoundError(
            f"Version {version} of {model} has no evaluation report.",
            next_step=f"Run `partnerintel train {model}`: it evaluates what it registers.",
        )
    found: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _check_version(versions: Any, model: str, chosen: int) -> None:
    known = [v.version for v in versions]
    if chosen not in known:
        raise NotFoundError(
            f"Model {model!r} has no version {chosen}.", allowed=", ".join(map(str, known)) or "none yet"
        )


def record_promotions(project: Project, model: str, *, overridden: set[datetime]) -> None:
    """Put every promotion of the registry that the audit log lacks into it.

    Registry and audit log may be different databases, so no transaction holds both. The registry's history is
    written with the swap itself; what a crash kept out of the log is made up for by the next promotion.

    Args:
        project: The workspace.
        model: Its promotions.
        overridden: Times of those that a person decided against the gate.
    """
    from serving import audit
    from serving.state import Database, iso

    database = Database(project.serving.database(project.workspace.root))
    try:
        database.migrate()
        with database.write() as connection:
            known = audit.times_within(connection, actions=ACTIONS)
            for row in project.registry().promotions(model):
                at, name = datetime.fromisoformat(row["promoted_at"].rstrip("Z")), f"{model} {row['version']}"
                if (name, iso(at)) in known:
                    continue
                audit.append_within(
                    connection,
                    at=at,
                    actor=row["promoted_by"],
                    action=ACTIONS[at in overridden],
                    object=name,
                    detail={"reason": row["reason"]},
                )
    finally:
        database.close()
