"""What every capability of a worker is made from: `serving.<capability>` opens itself from this."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from serving.decisions import DecisionLog
from serving.jobs import Jobs
from serving.logs import EventLog
from serving.metrics import Metrics
from serving.overrides import Overrides
from serving.policies import Policies
from serving.settings import ServingSettings
from serving.state import Database
from serving.view import View


@dataclass(frozen=True)
class Edges:
    """What the outside world gives: time and randomness.

    Attributes:
        clock: Naive UTC time.
        ticks: Seconds that only go forward.
        random: Source of random bytes.
        server_pid: Process that starts and stops the workers.
    """

    clock: Callable[[], datetime]
    ticks: Callable[[], float]
    random: Callable[[int], bytes]
    server_pid: int


def utc_now() -> datetime:
    """The machine's clock, naive UTC."""
    return datetime.now(UTC).replace(tzinfo=None)


def real_edges(*, clock: Callable[[], datetime] = utc_now) -> Edges:
    """The machine's own clock and randomness."""
    return Edges(clock, time.monotonic, secrets.token_bytes, os.getppid())


@dataclass(frozen=True)
class Shared:
    """One worker's parts.

    Attributes:
        workspace: Folder with lake, features, registry and reports.
        config: partnerintel.yaml as read; each capability parses its own section.
        settings: Of the service.
        edges: Time and randomness.
        database: The state database.
        decisions: Decision log.
        policies: Versioned rules.
        overrides: People's values beside the model's.
        jobs: Long work.
        view: Gives models and partner features as they are in service now.
        metrics: Counters.
        log: Where events are written.
    """

    workspace: Path
    config: Mapping[str, Any]
    settings: ServingSettings
    edges: Edges
    database: Database
    decisions: DecisionLog
    policies: Policies
    overrides: Overrides
    jobs: Jobs
    view: Callable[[], View]
    metrics: Metrics
    log: EventLog
