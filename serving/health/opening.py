"""Health, alerts, webhooks and incoming events of a worker, made from what is shared."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from data.mapping import parse_settings
from models.alerts.playbook import Playbook, read_playbook, standard_playbook
from models.alerts.settings import AlertSettings
from models.churn.settings import ChurnSettings
from models.scorecard import CHURN_DEFAULT, Scorecard
from serving.health.background import Background
from serving.health.delivering import Dispatcher
from serving.health.intake import EventIntake
from serving.health.night import Rules
from serving.health.pump import Pump
from serving.health.queue import AlertQueue
from serving.health.reading import HealthReader
from serving.health.webhooks import Webhooks
from serving.shared import Shared

PLAYBOOK = "playbooks.yaml"
"""A workspace may bring its own catalogue of plays."""


@dataclass(frozen=True)
class HealthCases:
    """What the application calls.

    Attributes:
        reader: Health of partners.
        queue: Alerts.
        intake: Events in, and events told.
        webhooks: Registrations and deliveries.
        background: What runs beside requests.
    """

    reader: HealthReader
    queue: AlertQueue
    intake: EventIntake
    webhooks: Webhooks
    background: tuple[Background, ...] = ()

    def start(self) -> None:
        """Begin the work beside requests."""
        for one in self.background:
            one.start()

    def stop(self) -> None:
        """End it."""
        for one in self.background:
            one.stop()


def rules_of(shared: Shared) -> Rules:
    """The policy of a workspace: its `alerts:` and `churn:` sections, and its playbook."""
    churn = parse_settings(ChurnSettings, shared.config.get("churn") or {}, at="churn")
    return Rules(
        settings=alert_settings(shared.config),
        playbook=_playbook(shared),
        activities=churn.value_activities,
        silence_days=churn.silence_bound_days or churn.horizons_days[-1],
    )


def alert_settings(config: Any) -> AlertSettings:
    """The `alerts:` section."""
    return parse_settings(AlertSettings, config.get("alerts") or {}, at="alerts")


def _playbook(shared: Shared) -> Playbook:
    own = shared.workspace / PLAYBOOK
    return read_playbook(own) if own.is_file() else standard_playbook()


def open_health(shared: Shared) -> HealthCases:
    """Compose the use cases."""
    rules = rules_of(shared)
    edges = shared.edges
    card = (shared.config.get("scorecards") or {}).get("churn")
    reader = HealthReader(
        shared.database,
        view=shared.view,
        overrides=shared.overrides,
        settings=rules.settings,
        activities=rules.activities,
        card=parse_settings(Scorecard, card, at="scorecards.churn") if card else CHURN_DEFAULT,
        clock=edges.clock,
    )
    queue = AlertQueue(
        shared.database, overrides=shared.overrides, view=shared.view, clock=edges.clock, random=edges.random
    )
    intake = EventIntake(
        shared.database,
        view=shared.view,
        quarantine=shared.workspace / "lake" / "quarantine",
        clock=edges.clock,
        random=edges.random,
    )
    allowed = shared.settings.webhook_hosts
    webhooks = Webhooks(shared.database, allowed=allowed, clock=edges.clock, random=edges.random)
    return HealthCases(reader, queue, intake, webhooks, _background(shared, webhooks))


def _background(shared: Shared, webhooks: Webhooks) -> tuple[Background, ...]:
    locks = shared.workspace / "serving"
    found = [
        Background(
            "events", pump_of(shared).work, lock=locks / "events.lock", every_seconds=0.5, log=shared.log
        )
    ]
    if shared.settings.webhooks:
        dispatcher = Dispatcher(webhooks, allowed=shared.settings.webhook_hosts)
        lock = locks / "webhooks.lock"
        found.append(Background("webhooks", dispatcher.work, lock=lock, every_seconds=1.0, log=shared.log))
    return tuple(found)


def pump_of(shared: Shared) -> Pump:
    """What applies received events."""

    @cache
    def store() -> Any:
        from features.settings import FeatureSettings
        from features.store import FeatureStore

        return FeatureStore(FeatureSettings.from_config(shared.config), shared.workspace)

    return Pump(shared.database, workspace=shared.workspace, store=store, clock=shared.edges.clock)
