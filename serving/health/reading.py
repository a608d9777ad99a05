"""The health of one partner: score, components that add up, trend, what changed, what would change it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from threading import Lock
from typing import Any

import numpy as np
from sqlalchemy import select

from data.errors import NotFoundError
from models.alerts.settings import AlertSettings
from models.alerts.states import Doors
from models.churn.actions import levers, recompute
from models.counterfactual import WORDING, find_plan
from models.health_change import PARTS, Point, trend
from models.scorecard import Scorecard
from models.spec import CONTEXT
from serving.auth import Identity
from serving.errors import UnavailableError
from serving.health.records import read_before
from serving.health.scores import (
    Scored,
    component_points,
    eta_of,
    like_frame,
    risk_of,
    score_all,
    start_points,
)
from serving.health.tables import HEALTH_HISTORY, HEALTH_NOW, REFRESHES
from serving.overrides import Overrides
from serving.state import Database, iso
from serving.view import Partners, View

CHURN = "churn"
HISTORY_POINTS = 60


@dataclass(frozen=True)
class _Past:
    """What the database holds of one partner."""

    points: list[dict[str, Any]]
    track: Mapping[str, Any] | None
    onboarding: Mapping[str, Any]


class HealthReader:
    """Answers for one partner at a time, from the features in memory and the history in the database.

    Args:
        database: State database.
        view: What is in service.
        overrides: People's values.
        settings: Doors of the alert policy.
        activities: Kinds of value activity.
        card: The weighted scorecard shown beside; None: none.
        clock: Naive UTC time.
    """

    def __init__(
        self,
        database: Database,
        *,
        view: Callable[[], View],
        overrides: Overrides,
        settings: AlertSettings,
        activities: tuple[str, ...],
        card: Scorecard | None,
        clock: Callable[[], datetime],
    ) -> None:
        self._database, self._view, self._overrides = database, view, overrides
        self._settings, self._activities, self._card, self._clock = settings, activities, card, clock
        self._lock = Lock()
        self._scored: tuple[Any, Any, Scored] | None = None

    def of_partner(self, partner_id: str, *, identity: Identity) -> dict[str, Any]:
        """Everything about the health of a partner.

        Raises:
            NotFoundError: Unknown, or another manager's: the two cannot be told apart.
            UnavailableError: No model or no features are in service.
        """
        view = self._view()
        limit = (identity.manager_id or "") if identity.role == "channel_manager" else None
        if not view.sees(partner_id, manager_id=limit):
            raise NotFoundError("There is no such partner.")
        scored = self._all(view)
        place = scored.partner_ids.index(partner_id)
        past = self._past(partner_id)
        partners = view.partners
        if partners is None:
            raise UnavailableError("No partner features are loaded.")
        points = float(scored.points[place])
        probability = float(scored.probability[place])
        as_of = partners.as_of[partner_id]
        override = self._overrides.holding(CHURN, at=self._clock(), entity_ids=[partner_id]).get(partner_id)
        last = past.points[-1] if past.points else None
        return {
            "partner_id": partner_id,
            "health_score": round(float(np.clip(points, 0, 100))),
            "health_points": points,
            "start_points": start_points(scored.bundle),
            **_components(scored, place, partners.matrix.stale_features),
            "trend": self._trend(past, as_of.date(), points),
            "changed_since": _changed(last),
            "history": [_shown(p) for p in past.points],
            "churn_probability_90": None if probability != probability else probability,
            "evidence": scored.evidence[place],
            "state": (override.value["state"] if override else None) or _state(past),
            "model_state": _state(past),
            "override": None
            if override is None
            else {"state": override.value["state"], "author": override.author, "reason": override.reason,
                  "created_at": override.created_at, "expires_at": override.expires_at,
                  "model_value": override.model_value},
            "scorecard": self._beside(scored, place),
            "onboarding": past.onboarding.get(partner_id),
            "what_would_change": self._plan(scored, place),
            "features_as_of": iso(as_of),
            "stale_sources": sorted(partners.matrix.stale_views),
            "degraded": partners.degraded,
            "model_version": scored.served.version,
        }  # fmt: skip

    def _all(self, view: View) -> Scored:
        """All partners scored, once for each model and matrix: one row costs nearly as much."""
        served = view.model(CHURN)
        partners = view.partners
        if partners is None:
            raise UnavailableError("No partner features are loaded.", next_step="`partnerintel features`.")
        with self._lock:
            held = self._scored
            if held is None or held[0] is not served.bundle or held[1] is not partners.matrix:
                kept, places = self._kept(partners)
                scored = score_all(served, partners, activities=self._activities, kept=kept, places=places)
                self._scored = held = (served.bundle, partners.matrix, scored)
            return held[2]

    def _kept(self, partners: Partners) -> tuple[Any, Any]:
        """Features of the last refresh, which stand in for those of silent feeds."""
        if not partners.matrix.stale_features:
            return None, None
        with self._database.read() as connection:
            before = read_before(connection)
        if before is None:
            return None, None
        named = before.places
        return before.frame, np.array([named.get(p, -1) for p in partners.matrix.partner_ids])

    def _past(self, partner_id: str) -> _Past:
        c = HEALTH_HISTORY.c
        with self._database.read() as connection:
            query = select(HEALTH_HISTORY).where(c.partner_id == partner_id).order_by(c.as_of.desc())
            rows = connection.execute(query.limit(HISTORY_POINTS)).mappings().all()
            track = connection.execute(
                select(HEALTH_NOW.c.track).where(HEALTH_NOW.c.partner_id == partner_id)
            ).scalar()
            detail = connection.execute(
                select(REFRESHES.c.detail).order_by(REFRESHES.c.seq.desc()).limit(1)
            ).scalar()
        points = [{**dict(r), "detail": json.loads(r["detail"])} for r in reversed(rows)]
        onboarding = json.loads(detail)["onboarding"] if detail else {}
        return _Past(points, json.loads(track) if track else None, onboarding)

    def _trend(self, past: _Past, today: date, points: float) -> str:
        found = [
            Point(date.fromisoformat(p["as_of"]), p["points"], _aside(p["detail"]["parts"]))
            for p in past.points
            if p["as_of"] < today.isoformat()
        ]
        newest = [p for p in past.points if p["as_of"] >= today.isoformat()]
        aside = _aside(newest[-1]["detail"]["parts"]) if newest else 0.0
        return trend([*found, Point(today, points, aside)])

    def _beside(self, scored: Scored, place: int) -> dict[str, Any] | None:
        if self._card is None:
            return None
        card, notes = self._card.restricted_to(scored.frame.columns)
        if card is None:
            return None
        row = scored.frame.iloc[[place]]
        earned = card.contributions(row)[0]
        return {
            "points": round(float(card.points(row)[0]), 1),
            "criteria": [
                {"label": c.label or c.feature, "points": round(float(p), 2), "of": round(c.weight, 2)}
                for c, p in zip(card.criteria, earned, strict=True)
            ],
            "notes": notes,
        }

    def _plan(self, scored: Scored, place: int) -> dict[str, Any] | None:
        """At most two actions after which the partner would no longer be at risk, by scoring again."""
        bundle = scored.bundle
        if not bundle.labelled:
            return None
        offered = levers(scored.frame)
        doors = Doors.of(self._settings, link=bundle.link)
        eta = float(scored.eta[place])
        target = doors.recover_below if eta >= doors.recover_below else eta - 0.3
        plan = find_plan(
            scored.row(place), offered, recompute=recompute, target=target,
            score=lambda rows: eta_of(bundle, like_frame(rows, scored.frame)),
        )  # fmt: skip
        if plan is None:
            return None
        before, after = (float(risk_of(bundle, e)) for e in (plan.before, plan.after))
        return {
            "actions": list(plan.sentences),
            "churn_probability_90_now": before,
            "churn_probability_90_then": after,
            "below_threshold": bool(plan.after < doors.recover_below),
            "verified_by": "scoring the changed features again with the model in service",
            "wording": f"With {' and '.join(plan.sentences)}, the score would be {after:.0%} instead of "
            f"{before:.0%}. {WORDING}",
        }


def _components(scored: Scored, place: int, stale: frozenset[str]) -> dict[str, Any]:
    """Points of the components; context is shown apart, since nobody can act on it."""
    found = component_points(scored, place)
    silent = {f.group for f in scored.bundle.spec.features if f.name in stale}
    shown = [
        {"component": name, "points": value, "stale_source": name in silent} for name, value in found.items()
    ]
    return {
        "components": [c for c in shown if c["component"] != CONTEXT],
        "context": next((c for c in shown if c["component"] == CONTEXT), None),
    }


def _changed(last: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """What moved the score since the refresh before the last, and by what."""
    if last is None or not last["detail"]["parts"]:
        return None
    detail = last["detail"]
    parts = {name: round(detail["parts"][name], 4) for name in PARTS}
    model = "model changed" if abs(parts["model_change"]) > 1e-9 else "model unchanged"
    return {
        "since": detail["since"],
        "until": last["as_of"],
        "points": round(sum(parts.values()), 4),
        "by": parts,
        "model": model,
        "moved": detail["moved"],
    }


def _shown(point: Mapping[str, Any]) -> dict[str, Any]:
    detail = point["detail"]
    return {
        "as_of": point["as_of"],
        "health_score": round(float(np.clip(point["points"], 0, 100))),
        "churn_probability_90": point["probability"],
        "changed_by": detail["parts"],
        "model_version": point["model_version"],
        "rebuilt": bool(detail.get("rebuilt", False)),
    }


def _aside(parts: Mapping[str, float] | None) -> float:
    return sum(parts[name] for name in PARTS if name != "behaviour") if parts else 0.0


def _state(past: _Past) -> str | None:
    return past.track["state"] if past.track else None
