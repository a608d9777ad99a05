"""What an alert shows: risk, reasons, what changed since it opened, the play; frozen at each refresh."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from models.alerts.playbook import Playbook
from models.alerts.records import Alert
from models.alerts.states import Track
from models.health import reference_horizon
from models.health_change import moved_most
from serving.health.scores import Scored, like_frame
from serving.overrides import Override
from serving.state import iso

MOST_REASONS = 5


def money(cents: int, currency: str) -> dict[str, str]:
    """Cents as the contract writes money."""
    sign = "-" if cents < 0 else ""
    return {"amount": f"{sign}{abs(cents) // 100}.{abs(cents) % 100:02d}", "currency": currency}


def shown_of(
    scored: Scored,
    place: int,
    *,
    alert: Alert,
    track: Track,
    told: Told,
    override: Override | None,
    playbook: Playbook,
    currency: str,
    as_of: datetime,
) -> dict[str, Any]:
    """Plain values for one alert."""
    probability = _number(scored.probability[place])
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
        "reasons": told.reasons,
        "play": _play(playbook, alert.play),
        "changed_since_last": told.detail.get("parts"),
        "moved": told.detail.get("moved", []),
        "probability_when_opened": alert.probability,
        "moved_since_opened": told.since_opened,
        "values_when_opened": told.when_opened,
        "model_version": scored.served.version,
        "features_as_of": iso(as_of),
        "override": _override(override),
    }


@dataclass(frozen=True)
class Told:
    """What takes the model to say of an alert.

    Attributes:
        detail: What the history says of the partner's last change.
        reasons: As the contract shapes them.
        since_opened: What the partner did since the alert opened that moved its health most.
        when_opened: Features when it opened.
    """

    detail: Mapping[str, Any]
    reasons: list[dict[str, Any]]
    since_opened: list[dict[str, Any]]
    when_opened: Mapping[str, Any]


def tell_all(
    scored: Scored,
    asked: Mapping[str, tuple[int, Mapping[str, Any] | None]],
    *,
    as_of: Sequence[datetime],
    stale: frozenset[str],
    details: Mapping[str, Mapping[str, Any]],
) -> dict[str, Told]:
    """What there is to tell of many alerts, asked of the model at once.

    Args:
        scored: All partners.
        asked: Alert → place of its partner, and its features when it opened (None: it opens now).
        as_of: Time of the features, in the order of `asked`.
        stale: Features whose source is silent.
        details: Partner → what the history says.
    """
    if not asked:
        return {}
    places = [place for place, _ in asked.values()]
    now = [scored.row(place) for place in places]
    then = [old or new for (_, old), new in zip(asked.values(), now, strict=True)]
    since = _since_opened(scored, places, now, then)
    reasons = _reasons(scored, places, as_of=as_of, stale=stale)
    partners = [scored.partner_ids[p] for p in places]
    return {
        alert: Told(details.get(partner, {}), why, moved, opened)
        for alert, partner, why, moved, opened in zip(asked, partners, reasons, since, then, strict=True)
    }


def _reasons(
    scored: Scored, places: Sequence[int], *, as_of: Sequence[datetime], stale: frozenset[str]
) -> list[list[dict[str, Any]]]:
    from models.explain import reasons

    bundle = scored.bundle
    rows = scored.frame.iloc[list(places)].reset_index(drop=True)
    horizon = reference_horizon(bundle)
    found = reasons(bundle, rows, horizon=horizon, max_reasons=MOST_REASONS, as_of=as_of)
    return [
        [
            {
                "factor": r.factor, "direction": r.direction, "contribution": float(r.contribution),
                "sentence": r.sentence, "value": r.value, "peer_value": r.peer_value, "as_of": iso(at),
                "stale": r.feature in stale, "actionable": bool(r.actionable),
            }
            for r in one.reasons
        ]
        for one, at in zip(found, as_of, strict=True)
    ]  # fmt: skip


def _since_opened(
    scored: Scored, places: Sequence[int], now: Sequence[Mapping[str, Any]], then: Sequence[Mapping[str, Any]]
) -> list[list[dict[str, Any]]]:
    """By the model of now, whatever model opened the alert."""
    bundle = scored.bundle
    kappa = bundle.trained["health"]["kappa"]
    by_then = bundle.explain(bundle.encode(like_frame(then, scored.frame))).by_feature
    return [
        []
        if new == old
        else [
            asdict(m)
            for m in moved_most(
                bundle.spec.names, old.get, new.get, -kappa * by_then[k], -kappa * scored.by_feature[place]
            )
        ]
        for k, (place, new, old) in enumerate(zip(places, now, then, strict=True))
    ]


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
