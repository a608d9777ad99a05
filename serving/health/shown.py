"""What an alert shows: risk, reasons, what changed since it opened, the play; frozen at each refresh."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from models.alerts.playbook import Playbook
from models.alerts.records import Alert
from models.alerts.states import Track
from models.health import reference_horizon
from models.health_change import moved_most
from serving.health.scores import Scored, like_frame, row_of
from serving.overrides import Override
from serving.state import iso

MOST_REASONS = 5


def money(cents: int, currency: str) -> dict[str, str]:
    """Cents as the contract writes money."""
    sign = "-" if cents < 0 else ""
    return {"amount": f"{sign}{abs(cents) // 100}.{abs(cents) % 100:02d}", "currency": currency}


def shown_of(
    scored: Scored,
    detail: Mapping[str, Any],
    place: int,
    *,
    alert: Alert,
    track: Track,
    override: Override | None,
    playbook: Playbook,
    currency: str,
    as_of: datetime,
    stale: frozenset[str],
    previous: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Plain values for one alert; `detail` is what the history says of the partner's last change."""
    probability = _number(scored.probability[place])
    at_opening = (previous or {}).get("values_when_opened") or row_of(scored.frame, place)
    return {
        "state": override.value["state"] if override else track.state,
        "model_state": track.state,
        "since_cycle": track.since,
        "cause": track.cause,
        "churn_probability_90": probability,
        "interval": None
        if probability is None
        else [_number(scored.low[place]), _number(scored.high[place])],
        "evidence": scored.evidence[place],
        "margin_at_risk": money(int(scored.margin_cents[place]), currency),
        "reasons": _reasons(scored, place, as_of=as_of, stale=stale),
        "play": _play(playbook, alert.play),
        "changed_since_last": detail.get("parts"),
        "moved": detail.get("moved", []),
        "probability_when_opened": alert.probability,
        "moved_since_opened": _since_opened(scored, place, at_opening),
        "values_when_opened": at_opening,
        "model_version": scored.served.version,
        "features_as_of": iso(as_of),
        "override": _override(override),
    }


def _reasons(scored: Scored, place: int, *, as_of: datetime, stale: frozenset[str]) -> list[dict[str, Any]]:
    from models.explain import reasons

    bundle = scored.bundle
    rows = scored.frame.iloc[[place]]
    found = reasons(bundle, rows, horizon=reference_horizon(bundle), max_reasons=MOST_REASONS, as_of=[as_of])[
        0
    ]
    return [
        {
            "factor": r.factor, "direction": r.direction, "contribution": float(r.contribution),
            "sentence": r.sentence, "value": r.value, "peer_value": r.peer_value, "as_of": iso(as_of),
            "stale": r.feature in stale, "actionable": bool(r.actionable),
        }
        for r in found.reasons
    ]  # fmt: skip


def _since_opened(scored: Scored, place: int, then: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the partner did since the alert opened that moved its health most, by the model of now."""
    now = row_of(scored.frame, place)
    if now == then:
        return []
    bundle = scored.bundle
    rows = like_frame([then], scored.frame)
    kappa = bundle.trained["health"]["kappa"]
    by_then = bundle.explain(bundle.encode(rows)).by_feature[0]
    found = moved_most(bundle.spec.names, then, now, -kappa * by_then, -kappa * scored.by_feature[place])
    return [asdict(m) for m in found]


def _play(playbook: Playbook, key: str) -> dict[str, Any] | None:
    play = playbook.named(key)
    if play is None:
        return None
    return {"key": play.key, "title": play.title, "steps": list(play.steps), "works_when": play.works_when}


def _override(override: Override | None) -> dict[str, Any] | None:
    if override is None:
        return None
    return {
        "override_id": override.override_id, "state": override.value["state"], "author": override.author,
        "reason": override.reason, "created_at": override.created_at, "expires_at": override.expires_at,
    }  # fmt: skip


def _number(value: Any) -> float | None:
    found = float(value)
    return None if found != found else found
