"""What the trial of a routing policy shows, from the service's own offers."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from data.errors import NotFoundError
from models.routing.policy import KIND
from partnerintel.policy import policies_of
from partnerintel.service_log import service_offers
from partnerintel.settings import Project


def judge(project: Project, *, now: datetime) -> dict[str, Any]:
    """The version on trial beside the one in force.

    Raises:
        NotFoundError: No version is on trial.
    """
    from evaluation.routing_report import to_json
    from evaluation.trial import judge_trial

    with policies_of(project) as policies:
        in_force = policies.in_force(KIND)
    if in_force is None or in_force.canary_version is None:
        raise NotFoundError(
            "No routing policy is on trial.",
            next_step="Start with `partnerintel policy promote N --canary 0.1`.",
        )
    found = judge_trial(
        service_offers(project),
        on_trial=in_force.canary_version,
        in_force=in_force.version,
        settings=project.routing,
        now=now,
    )
    refused = found.refusal
    report: dict[str, Any] = to_json(
        {
            "policy": in_force.canary_version,
            "against": in_force.version,
            "share": in_force.canary_share,
            "arms": [{**asdict(arm), "wins_per_100": 100 * arm.rate} for arm in found.arms],
            "verdict": {
                "answer": found.answer,
                "code": refused.code if refused else found.answer,
                "message": refused.message if refused else f"The trial: {found.answer.replace('_', ' ')}.",
                "next_step": refused.next_step if refused else "",
                "gain": asdict(found.gain),
            },
        }
    )
    return report
