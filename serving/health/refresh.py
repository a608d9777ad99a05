"""The nightly refresh: all partners scored, health kept, alerts moved on, in one transaction."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

import numpy as np
from sqlalchemy import Connection, select

from models.alerts.cycle import Book, Watched, turn
from models.alerts.records import Alert
from models.alerts.states import Doors, Reading
from serving.decisions import DecisionLog
from serving.errors import UnavailableError
from serving.health.change import Changed, change_of
from serving.health.night import Night, Refreshed, Rules
from serving.health.records import Before, StoredAlert, read_before, stored
from serving.health.scores import Scored, score_all
from serving.health.tables import ALERTS, REFRESHES
from serving.health.writing import CHURN, Writer
from serving.ids import new_id
from serving.overrides import Override
from serving.state import Database


def refresh(database: Database, night: Night, rules: Rules) -> Refreshed:
    """Run one refresh; a process that dies in it leaves everything as it was.

    Raises:
        UnavailableError: No model is in service.
        NotFoundError: The same.
    """
    served, partners = night.view.model(CHURN), night.view.partners
    if partners is None:
        raise UnavailableError(
            "No partner features are loaded.", next_step="`partnerintel features` builds them."
        )
    with database.write() as connection:
        before = read_before(connection)
        last = _last_refresh(connection)
        kept, places = _kept(before, partners.matrix.partner_ids)
        scored = score_all(served, partners, activities=rules.activities, kept=kept, places=places)
        old = _old_bundle(night, before, served)
        changed = change_of(
            scored, before, old_bundle=old, rework=night.rework,
            settings_before=str(last.get("settings", "")),
        )  # fmt: skip
        on = max(partners.as_of.values()).date()
        book, was = _book(connection, before, on, rules)
        turned = turn(
            book, _watched(scored, changed, night, rules, on), on=on,
            doors=Doors.of(rules.settings, link=served.bundle.link), settings=rules.settings,
            playbook=rules.playbook, silent_feeds=night.silent_feeds,
            new_id=lambda _: new_id("alr", at=night.now, random=night.random),
        )  # fmt: skip
        writer = Writer(connection, DecisionLog(database), night, rules, scored, changed, turned, on)
        writer.history(first=before is None)
        writer.alerts(was)
        writer.scores()
        writer.news(str(last.get("model_version", "")))
        return writer.finish()


def _last_refresh(connection: Connection) -> dict[str, Any]:
    query = select(REFRESHES).order_by(REFRESHES.c.seq.desc()).limit(1)
    row = connection.execute(query).mappings().first()
    return {**json.loads(row["detail"]), "model_version": row["model_version"]} if row else {}


def _kept(before: Before | None, partner_ids: Sequence[str]) -> tuple[Any, Any]:
    if before is None:
        return None, None
    named = before.places
    return before.frame, np.array([named.get(p, -1) for p in partner_ids])


def _old_bundle(night: Night, before: Before | None, served: Any) -> Any:
    if before is None or before.manifest == served.bundle.manifest_sha256:
        return None
    found = night.old_model(before.version, before.manifest)
    return found.bundle if found is not None else None


def _book(
    connection: Connection, before: Before | None, on: date, rules: Rules
) -> tuple[Book, dict[str, StoredAlert]]:
    """Tracks, and the alerts that still matter: those not closed, and those within the pause."""
    rows = connection.execute(select(ALERTS)).mappings()
    found = [stored(dict(row)) for row in rows]
    pause = rules.settings.cooldown_days

    def matters(alert: Alert) -> bool:
        return alert.closed_on is None or (on - alert.closed_on).days < pause

    alerts = sorted((s.alert for s in found if matters(s.alert)), key=lambda a: a.alert_id)
    return Book(before.tracks if before else {}, alerts), {s.alert.alert_id: s for s in found}


def _watched(scored: Scored, changed: Changed, night: Night, rules: Rules, on: date) -> Iterable[Watched]:
    managers = night.view.partners.managers if night.view.partners else {}
    drivers = scored.drivers()
    previous = changed.previous_eta
    for i, partner in enumerate(scored.partner_ids):
        # Where the features of a silent feed are unknown from before, nothing can be judged.
        frozen = float(scored.raw_eta[i] - scored.eta[i])
        old = None if previous is None else float(previous[i]) + frozen
        probability = float(scored.probability[i])
        silent = float(scored.silent_days[i])
        yield Watched(
            partner_id=partner,
            manager_id=managers.get(partner, ""),
            reading=Reading(float(scored.raw_eta[i]), scored.bundle.manifest_sha256, old, frozen),
            probability=None if probability != probability else probability,
            margin_cents=int(scored.margin_cents[i]),
            driver=drivers[i],
            active=silent <= rules.settings.active_within_days,
            departed=_left(night.ended.get(partner), on, silent) or silent > rules.silence_days,
            forced=_forced(night.overrides.get(partner)),
        )


def _left(ended: date | None, on: date, silent: float) -> bool:
    """Whether the agreement ended and nothing of value happened since."""
    return ended is not None and not silent < (on - ended).days


def _forced(override: Override | None) -> Any:
    return override.value.get("state") if override is not None and isinstance(override.value, dict) else None
