"""Opening an alert is a decision, with its score, model, policy and features; it can be made again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import Connection

from models.alerts.settings import AlertSettings
from models.health import reference_horizon
from serving.auth import Identity
from serving.decisions import REFRESH_KEY, Decision, DecisionLog
from serving.health.scores import Scored
from serving.ids import new_id
from serving.scores import Input, Options, score_inputs
from serving.scoring import answer_of, moment_text
from serving.view import Partners

REFRESH = Identity(REFRESH_KEY, "refresh", "admin")
"""The owner of these decisions: whoever may see the partner may read them."""
REASONS = 5


def record_openings(
    connection: Connection,
    log: DecisionLog,
    scored: Scored,
    opened: Mapping[str, int],
    *,
    partners: Partners,
    settings: AlertSettings,
    now: datetime,
    random: Callable[[int], bytes],
) -> dict[str, str]:
    """Record the scores alerts open with, in the transaction that opens them.

    Nothing in a decision says whether its alert is shown or held out.

    Args:
        connection: The open transaction.
        log: Where decisions are kept.
        scored: All partners; where a feed is silent, with its features as they were when last well.
        opened: Alert → place of its partner.
        partners: Whom the scores are of.
        settings: The policy, kept with the decision.
        now: Naive UTC.
        random: Source of random bytes.

    Returns:
        Alert → decision.
    """
    if not opened:
        return {}
    served, matrix = scored.served, partners.matrix
    options = Options(
        horizons=(reference_horizon(served.bundle),),
        max_reasons=REASONS,
        stale_views=tuple(sorted(matrix.stale_views)),
        stale_features=tuple(sorted(matrix.stale_features)),
    )
    names = [scored.partner_ids[place] for place in opened.values()]
    rows = [
        Input(scored.row(place), moment_text(partners.as_of[name]), stale=False)
        for name, place in zip(names, opened.values(), strict=True)
    ]
    kept = {**asdict(options), "stale": False, "policy": settings.model_dump(mode="json")}
    decisions = []
    for name, row, scores in zip(names, rows, score_inputs(served, rows, options), strict=True):
        decision_id = new_id("dec", at=now, random=random)
        entity = {"partner_id": name}
        decisions.append(
            Decision(
                decision_id=decision_id,
                entity_id=entity,
                model=served.bundle.model,
                model_version=served.version,
                manifest_sha256=served.bundle.manifest_sha256,
                matrix_version=matrix.version,
                features_as_of=row.as_of,
                features=row.features,
                options=kept,
                request=entity,
                response=answer_of(entity, scores, decision_id),
            )
        )
    log.record_within(connection, decisions, identity=REFRESH, at=now)
    return {alert: made.decision_id for alert, made in zip(opened, decisions, strict=True)}
