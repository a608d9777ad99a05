"""What the console needs beside the API's use cases, composed from a worker's shared parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from data.mapping import parse_settings
from models.churn.settings import ChurnSettings
from serving.auth import Identity
from serving.console.directory import Directory
from serving.console.records import Records
from serving.console.sessions import Sessions
from serving.console.standings import Standings
from serving.limiter import DenialLimiter
from serving.policies import Policies
from serving.settings import ServingSettings
from serving.shared import Shared
from serving.usecases import UseCases
from serving.view import View


@dataclass(frozen=True)
class Console:
    """The console's own parts.

    Attributes:
        sessions: Who is signed in.
        limiter: Counts failed sign-ins.
        directory: Names of partners.
        standings: How partners stand, for lists.
        records: Reports, promotions, decisions, checks and audit rows, to be read.
        view: Models and features in service now.
        settings: Of the service.
        clock: Naive UTC time.
        workspace: Folder of the workspace.
        config: partnerintel.yaml as read.
        policies: Versions of policies, and which are in force.
    """

    sessions: Sessions
    limiter: DenialLimiter
    directory: Directory
    standings: Standings
    records: Records
    view: Callable[[], View]
    settings: ServingSettings
    clock: Callable[[], datetime]
    workspace: Path
    config: Mapping[str, Any]
    policies: Policies


@dataclass(frozen=True, kw_only=True)
class Cases(UseCases):
    """Everything a worker answers with.

    Attributes:
        console: The console's own parts; None without a console.
    """

    console: Console | None = None


def open_console(shared: Shared, *, verify: Callable[[str | None], Identity | None]) -> Console:
    """Compose the console.

    Args:
        shared: What all capabilities share.
        verify: Who an Authorization header stands for.
    """
    settings, edges = shared.settings, shared.edges
    directory = Directory(shared.workspace / "lake")
    churn = parse_settings(ChurnSettings, shared.config.get("churn") or {}, at="churn")
    return Console(
        sessions=Sessions(
            shared.database,
            verify=verify,
            lasts=timedelta(hours=settings.console_session_hours),
            clock=edges.clock,
            ticks=edges.ticks,
            random=edges.random,
        ),
        limiter=DenialLimiter(settings.denials_per_minute, clock=edges.ticks),
        directory=directory,
        standings=Standings(directory, churn),
        records=Records(shared.workspace, shared.database),
        view=shared.view,
        settings=settings,
        clock=edges.clock,
        workspace=shared.workspace,
        config=shared.config,
        policies=shared.policies,
    )
