"""What a refresh goes by, what it takes from outside, and what it says it did."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from models.alerts.playbook import Playbook
from models.alerts.settings import AlertSettings
from serving.health.change import Rework
from serving.overrides import Override
from serving.view import View


def no_model(version: str, identity: str) -> Any:
    """No old model can be had."""
    del version, identity


NO_REWORK = Rework()


@dataclass(frozen=True)
class Rules:
    """What a refresh goes by.

    Attributes:
        settings: The policy.
        playbook: What to suggest.
        activities: Kinds of value activity.
        silence_days: A partner silent for so long has left.
        currency: Of margins.
    """

    settings: AlertSettings
    playbook: Playbook
    activities: tuple[str, ...]
    silence_days: int
    currency: str = "USD"


@dataclass(frozen=True)
class Night:
    """What a refresh takes from outside.

    Attributes:
        view: Model and features.
        now: Naive UTC.
        random: Source of random bytes.
        old_model: Gives a version by (version, identity); None when it cannot be had.
        overrides: Overrides of kind `churn` that hold, by partner.
        ended: Partner → day its agreement ended; one that was active since is back.
        silent_feeds: Sources that have gone silent.
        rework: Makes features of the past again.
        past: (day, features with partner_id) of snapshots before; used while there is no history.
        onboarding: What is known of the first days of new partners, kept for display.
    """

    view: View
    now: datetime
    random: Callable[[int], bytes]
    old_model: Callable[[str, str], Any] = no_model
    overrides: Mapping[str, Override] = field(default_factory=dict)
    ended: Mapping[str, date] = field(default_factory=dict)
    silent_feeds: tuple[str, ...] = ()
    rework: Rework = NO_REWORK
    past: Callable[[], Sequence[tuple[date, Any]]] = tuple
    onboarding: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Refreshed:
    """What a refresh did."""

    partners: int
    as_of: str
    opened: int
    closed: int
    waiting: int
    held_out: int
    model_version: str
