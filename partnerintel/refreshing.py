"""The nightly refresh of health and alerts, from a workspace."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import suppress
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from data.errors import NotFoundError, PartnerIntelError
from partnerintel.preparing import lake_of
from partnerintel.settings import Project
from partnerintel.state import opened

if TYPE_CHECKING:
    from serving.health.night import Refreshed

MODEL = "churn"
PAST_SNAPSHOTS = 6


def refresh_alerts(project: Project, *, now: datetime) -> Refreshed | None:
    """Score everybody, keep health, and move the alerts on; None where no churn model is in service.

    Raises:
        PartnerIntelError: Settings or features cannot be used.
    """
    from serving.health.night import Night
    from serving.health.opening import rules_of
    from serving.health.refresh import refresh
    from serving.logs import EventLog
    from serving.runtime import open_runtime
    from serving.shared import real_edges

    edges = real_edges(clock=lambda: now)
    quiet = EventLog(clock=edges.clock, stream=io.StringIO())
    runtime = open_runtime(project.workspace.root, edges=edges, log=quiet)
    try:
        view = runtime.resident.refresh()
        if MODEL not in view.models or view.partners is None:
            return None
        newest = max(view.partners.as_of.values()).date()
        shared = runtime.shared
        night = Night(
            view=view,
            now=now,
            random=edges.random,
            old_model=_old_model(runtime),
            overrides=shared.overrides.holding(MODEL, at=now),
            ended=_ended(project, now=now),
            silent_feeds=_silent_feeds(project, now=now),
            rework=_rework(project),
            past=lambda: _past(project, before=newest),
            onboarding=_onboarding(project, now=now),
        )
        return refresh(shared.database, night, rules_of(shared))
    finally:
        runtime.stop()


def drain_events(project: Project, *, now: datetime) -> int:
    """Put the events that came in through the API into the lake; returns how many."""
    from serving.health.pump import Pump

    with opened(project) as database:
        pump = Pump(database, workspace=project.workspace.root, store=lambda: None, clock=lambda: now)
        return pump.drain()


def _old_model(runtime: Any) -> Any:
    def find(version: str, identity: str) -> Any:
        with suppress(PartnerIntelError, OSError):
            return runtime.champions.version("churn", version, identity)
        return None

    return find


def _ended(project: Project, *, now: datetime) -> dict[str, date]:
    """When the agreement of a partner ended last, as known now."""
    lake = lake_of(project)
    if not lake.has("terminations"):
        return {}
    rows = lake.read("terminations")
    known = rows[(rows["event_at"] <= now) & (rows["known_at"].fillna(rows["event_at"]) <= now)]
    last = known.groupby("partner_id")["event_at"].max()
    return {str(partner): at.date() for partner, at in last.items()}


def _silent_feeds(project: Project, *, now: datetime) -> tuple[str, ...]:
    from features.freshness import read_feed_states, stale_sources
    from features.layout import feeds_path

    states = read_feed_states(feeds_path(project.workspace.features))
    return tuple(sorted(stale_sources(states, as_of=now, settings=project.features)))


def _rework(project: Project) -> Any:
    """Features of the past, made again: after a change of settings, and for rows that came late."""
    from features.fingerprint import definition_hash
    from features.snapshot import build_and_save, read_snapshots
    from partnerintel.hindsight import corrected_features
    from serving.health.change import Rework

    lake, root = lake_of(project), project.workspace.features

    def rebuilt(day: str) -> Any:
        on = date.fromisoformat(day)
        build_and_save(root, lake=lake, as_ofs=[on], settings=project.features)
        return read_snapshots(root, as_ofs=[on])

    return Rework(
        settings=definition_hash(settings=project.features),
        rebuilt=rebuilt,
        corrected=lambda day: corrected_features(
            lake, day=date.fromisoformat(day), settings=project.features
        ),
    )


def _past(project: Project, *, before: date) -> Sequence[tuple[date, Any]]:
    """Snapshots of the months before, oldest first, for a history that begins with more than one point."""
    from features.snapshot import read_snapshots, saved_as_ofs

    days = [d for d in saved_as_ofs(project.workspace.features) if d < before][-PAST_SNAPSHOTS:]
    found = []
    for day in days:
        with suppress(NotFoundError, PartnerIntelError):
            found.append((day, read_snapshots(project.workspace.features, as_ofs=[day])))
    return found


def _onboarding(project: Project, *, now: datetime) -> dict[str, Any]:
    from partnerintel.beginning import onboarding_of

    return onboarding_of(lake_of(project), now=now, logins=project.features.event_groups["login"],
                         trainings=project.features.event_groups.get("training", ()))  # fmt: skip
