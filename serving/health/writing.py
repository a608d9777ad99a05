"""Writes what a refresh came to into its open transaction: alerts, scores, history, events, the record."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import Any

import numpy as np
from sqlalchemy import Connection, delete, func, insert, select

from models.alerts.cycle import Change, Turned
from models.alerts.records import Alert
from models.health_change import PARTS
from serving import audit, outbox
from serving.decisions import DecisionLog, canonical
from serving.health.change import Changed
from serving.health.deciding import record_openings
from serving.health.night import Night, Refreshed, Rules
from serving.health.records import StoredAlert, write_alerts, write_before
from serving.health.scores import Scored, eta_of, points_of, risk_of
from serving.health.shown import Told, shown_of, tell_all
from serving.health.tables import HEALTH_HISTORY, REFRESHES
from serving.outbox import News
from serving.state import iso

CHURN = "churn"
ACTOR = "refresh"
TELLING_POINTS = 1.0
"""Features are named for a score that moved by so much."""
TOLD_POINTS = 10.0
"""A score that moved by so much is told to webhooks."""


@dataclass
class Writer:
    """Writes what a refresh came to into the open transaction."""

    connection: Connection
    decisions: DecisionLog
    night: Night
    rules: Rules
    scored: Scored
    changed: Changed
    turned: Turned
    on: date

    def __post_init__(self) -> None:
        self.places = {p: i for i, p in enumerate(self.scored.partner_ids)}
        self.layout: dict[str, list[str]] = {}
        self.details: dict[str, dict[str, Any]] = {}
        self.told: dict[int, list[Any]] = {}

    def alerts(self, was: Mapping[str, StoredAlert]) -> None:
        """Alerts that changed, or that show something new."""
        done = {c.alert.alert_id: c.what for c in self.turned.changes}
        live = [a for a in self.turned.book.alerts if a.status != "closed" or a.alert_id in done]
        known = [a for a in live if a.partner_id in self.places]
        partners = self.night.view.partners
        told = tell_all(
            self.scored,
            {a.alert_id: (self.places[a.partner_id], _when_opened(was.get(a.alert_id))) for a in known},
            as_of=[self._as_of(a.partner_id) for a in known],
            stale=partners.matrix.stale_features if partners else frozenset(),
            details=self.details,
        )
        decided = self._decided([a for a in known if a.alert_id not in was and a.kind == "risk"])
        pairs = []
        for alert in live:
            old = was.get(alert.alert_id)
            fresh = self._stored(alert, old, told.get(alert.alert_id))
            made = decided.get(alert.alert_id) or (old.shown.get("decision_id") if old else None)
            if made is not None:
                fresh = replace(fresh, shown={**fresh.shown, "decision_id": made})
            if old is None or fresh != old:
                pairs.append((fresh, done.get(alert.alert_id, "refreshed")))
        write_alerts(self.connection, pairs, actor=ACTOR, at=self.night.now)

    def _decided(self, opened: Sequence[Alert]) -> dict[str, str]:
        """A decision for each alert that opens: the score it opened with, to be made again at any time."""
        partners = self.night.view.partners
        if partners is None:
            return {}
        places = {a.alert_id: self.places[a.partner_id] for a in opened}
        return record_openings(
            self.connection, self.decisions, self.scored, places, partners=partners,
            settings=self.rules.settings, now=self.night.now, random=self.night.random,
        )  # fmt: skip

    def _stored(self, alert: Alert, old: StoredAlert | None, told: Told | None) -> StoredAlert:
        if told is None:
            return StoredAlert(alert, old.shown if old else {}, old.region if old else "", alert.priority)
        place = self.places[alert.partner_id]
        probability = float(self.scored.probability[place])
        risk = 0.0 if probability != probability else probability
        shown = shown_of(
            self.scored, place, alert=alert, track=self.turned.book.tracks[alert.partner_id], told=told,
            override=self.night.overrides.get(alert.partner_id), playbook=self.rules.playbook,
            currency=self.rules.currency, as_of=self._as_of(alert.partner_id),
        )  # fmt: skip
        region = self.scored.columns["region"][place] if "region" in self.scored.columns else None
        return StoredAlert(alert, shown, str(region or ""), risk * int(self.scored.margin_cents[place]))

    def _as_of(self, partner_id: str) -> datetime:
        partners = self.night.view.partners
        return partners.as_of[partner_id] if partners else self.night.now

    def scores(self) -> None:
        """What the next refresh needs of this one."""
        served, partners = self.scored.served, self.night.view.partners
        self.layout = write_before(
            self.connection,
            partner_ids=self.scored.partner_ids,
            managers=partners.managers if partners else {},
            as_of=[self._as_of(p).date().isoformat() for p in self.scored.partner_ids],
            version=served.version,
            manifest=served.bundle.manifest_sha256,
            points=self.scored.points,
            frame=self.scored.frame,
            tracks=self.turned.book.tracks,
        )

    def history(self, *, first: bool) -> None:
        """A point for every partner; a second refresh of the same day adds its change to the first's."""
        if first:
            self._rebuild()
        days = sorted({self._as_of(p).date().isoformat() for p in self.scored.partner_ids})
        query = select(HEALTH_HISTORY.c.partner_id, HEALTH_HISTORY.c.as_of, HEALTH_HISTORY.c.detail)
        held = {
            (r.partner_id, r.as_of): json.loads(r.detail)
            for r in self.connection.execute(query.where(HEALTH_HISTORY.c.as_of.in_(days)))
        }
        self.told = self.changed.moved(self.scored, self._telling())
        rows = [self._point(i, partner, held) for i, partner in enumerate(self.scored.partner_ids)]
        for day in days:
            self.connection.execute(delete(HEALTH_HISTORY).where(HEALTH_HISTORY.c.as_of == day))
        if rows:
            self.connection.execute(insert(HEALTH_HISTORY), rows)

    def _point(self, i: int, partner: str, held: Mapping[tuple[str, str], Any]) -> dict[str, Any]:
        day = self._as_of(partner).date().isoformat()
        probability = float(self.scored.probability[i])
        parts = {name: float(values[i]) for name, values in self.changed.parts.items()}
        known = all(v == v for v in parts.values())
        detail: dict[str, Any] = {"parts": parts if known else None, "since": self.changed.since[i] or None}
        earlier = held.get((partner, day))
        if earlier is not None and known:
            before = earlier["parts"] or dict.fromkeys(PARTS, 0.0)
            added = {name: before[name] + parts[name] for name in PARTS}
            detail = {"parts": added if earlier["parts"] or any(parts.values()) else None,
                      "since": earlier["since"]}  # fmt: skip
        told = [asdict(m) for m in self.told.get(i, [])]
        detail["moved"] = told or (earlier or {}).get("moved", [])
        self.details[partner] = detail
        return {
            "partner_id": partner, "as_of": day, "recorded_at": iso(self.night.now),
            "model_version": self.scored.served.version, "points": float(self.scored.points[i]),
            "probability": None if probability != probability else probability, "detail": canonical(detail),
        }  # fmt: skip

    def _telling(self) -> list[int]:
        """Partners whose own doing moved the score enough to be told."""
        moved = np.abs(np.nan_to_num(self.changed.parts["behaviour"]))
        return [int(i) for i in np.flatnonzero(moved >= TELLING_POINTS)]

    def _rebuild(self) -> None:
        """Scores of earlier days by the model of now, so that a trend need not wait a month."""
        before: dict[str, float] = {}
        rows = []
        for day, frame in self.night.past():
            etas = eta_of(self.scored.bundle, frame)
            risks, points = risk_of(self.scored.bundle, etas), points_of(self.scored.bundle, etas)
            for partner, point, risk in zip(
                frame["partner_id"], points.tolist(), risks.tolist(), strict=True
            ):
                if partner not in self.places or day >= self._as_of(partner).date():
                    continue
                parts = None
                if partner in before:
                    parts = {**dict.fromkeys(PARTS, 0.0), "behaviour": point - before[partner]}
                before[partner] = point
                detail: dict[str, Any] = {"parts": parts, "since": None, "moved": [], "rebuilt": True}
                rows.append(
                    {"partner_id": partner, "as_of": day.isoformat(), "recorded_at": iso(self.night.now),
                     "model_version": self.scored.served.version, "points": point,
                     "probability": risk if self.scored.bundle.labelled else None,
                     "detail": canonical(detail)}
                )  # fmt: skip
        if rows:
            self.connection.execute(insert(HEALTH_HISTORY), rows)

    def news(self, version_before: str) -> None:
        """Events for webhooks and the pull backstop; what is held out is told to nobody."""
        found = [_alert_news(c) for c in self.turned.changes if not c.alert.held_out]
        version = self.scored.served.version
        if version_before and version_before != version:
            payload = {"model": CHURN, "model_version": version, "previous_version": version_before}
            found.append(News("model.promoted", CHURN, None, payload))
        found += self._moved_news()
        outbox.append_within(self.connection, found, at=self.night.now, random=self.night.random)

    def _moved_news(self) -> Iterable[News]:
        managers = self.night.view.partners.managers if self.night.view.partners else {}
        total = sum(self.changed.parts[name] for name in PARTS)
        for i in np.flatnonzero(np.abs(np.nan_to_num(total)) >= TOLD_POINTS):
            partner = self.scored.partner_ids[i]
            payload = {
                "partner_id": partner,
                "health_score": round(float(np.clip(self.scored.points[i], 0, 100)), 1),
                "changed_by": {name: round(float(self.changed.parts[name][i]), 2) for name in PARTS},
            }
            yield News("score.changed", partner, managers.get(partner), payload)

    def finish(self) -> Refreshed:
        """The record of the refresh, and its line in the audit log."""
        alerts = self.turned.book.alerts
        counts = {what: sum(c.what == what and not c.alert.held_out for c in self.turned.changes)
                  for what in ("opened", "closed", "returned", "escalated")}  # fmt: skip
        seq = int(self.connection.execute(select(func.max(REFRESHES.c.seq))).scalar() or 0) + 1
        detail: dict[str, Any] = {
            "layout": self.layout, "settings": self.night.rework.settings, "counts": counts,
            "silent_feeds": list(self.night.silent_feeds), "onboarding": dict(self.night.onboarding),
        }  # fmt: skip
        version = self.scored.served.version
        row = {"seq": seq, "at": iso(self.night.now), "as_of": self.on.isoformat(), "model_version": version}
        self.connection.execute(insert(REFRESHES).values(**row, detail=canonical(detail)))
        audit.append_within(
            self.connection, at=self.night.now, actor=ACTOR, action="alerts.refresh",
            object=self.on.isoformat(), detail=counts,
        )  # fmt: skip
        return Refreshed(
            len(self.scored.partner_ids), self.on.isoformat(), counts["opened"], counts["closed"],
            sum(a.waits for a in alerts), sum(a.held_out and a.status != "closed" for a in alerts), version,
        )  # fmt: skip


def _when_opened(old: StoredAlert | None) -> Any:
    return old.shown.get("values_when_opened") if old else None


def _alert_news(change: Change) -> News:
    alert = change.alert
    payload = {
        "alert_id": alert.alert_id, "partner_id": alert.partner_id, "kind": alert.kind,
        "opened_on": alert.opened_on.isoformat(), "driver": alert.driver, "suggested_play": alert.play,
        "churn_probability_90": alert.probability, "outcome": alert.outcome or None,
    }  # fmt: skip
    return News(f"alert.{change.what}", alert.alert_id, alert.manager_id or None, payload)
