"""Health, alerts, webhooks and incoming events of a worker, made from what is shared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from data.mapping import parse_settings
from models.alerts.playbook import Playbook, read_playbook, standard_playbook
from models.alerts.settings import AlertSettings
from models.churn.settings import ChurnSettings
from models.scorecard import CHURN_DEFAULT, Scorecard
from serving.health.night import Rules
from serving.health.queue import AlertQueue
from serving.health.reading import HealthReader
from serving.shared import Shared

PLAYBOOK = "playbooks.yaml"
"""A workspace may bring its own catalogue of plays."""


@dataclass(frozen=True)
class HealthCases:
    """What the application calls.

    Attributes:
        reader: Health of partners.
        queue: Alerts.
    """

    reader: HealthReader
    queue: AlertQueue


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
    return HealthCases(reader, queue)
