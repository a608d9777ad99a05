"""The demo: a simulated partner ecosystem, taken all the way to a served, explained score."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import typer

from partnerintel import alerting, console, demo_world, keys, nightly, rows, running, scoring
from partnerintel.preparing import lake_of
from partnerintel.progress import progress
from partnerintel.settings import Project

KEY_DAYS = 30


def run(workspace: Path, *, partners: int, until: date | None, now: datetime, serve: bool) -> None:
    """Simulate, ingest, build, train, evaluate, promote, make keys, serve.

    A second run finds the same world, shows it, and serves at once.
    """
    project, world = demo_world.settle(workspace, partners=partners, until=until, now=now)
    if world.state != "ready" or world.partner is None:
        nightly.run(project, as_of=world.until, now=now)
        _judge_alerts(project, now=now)
        partner = _riskiest(project)
        world = replace(world, state="ready", partner=partner, manager=_manager_of(project, partner))
        demo_world.keep(workspace, world)
    _show_report(project)
    _show_keys(project, str(world.partner), world.manager, now=now)
    if serve:
        running.serve(project, host=None, port=None)


def _judge_alerts(project: Project, *, now: datetime) -> None:
    """The page that says whether alerts work, from the last two quarters; all of them take a minute."""
    with progress("evaluate alerts") as tick:
        alerting.keep(project, alerting.evaluate(project, now=now, tick=tick, quarters=2))


def _show_report(project: Project) -> None:
    registry = project.registry()
    version = registry.candidate("churn")
    path = project.workspace.report("churn", version or 0, "json")
    if path.is_file():
        typer.echo("")
        console.print_report(json.loads(path.read_text(encoding="utf-8")))
        typer.echo(f"Model card: {_short(path.with_suffix('.html'))}")
    champion = registry.champion("churn")
    if champion is not None and champion.version != version:
        typer.echo(f"Version {champion.version}, the scorecard, stays champion.")


def _show_keys(project: Project, partner: str, manager: str | None, *, now: datetime) -> None:
    """Keys of an administrator and of the manager whose partner is at the greatest risk."""
    address = f"http://{project.serving.host}:{project.serving.port}"
    admin = keys.create(project, owner="demo", role="admin", manager_id=None, days=KEY_DAYS, now=now)
    typer.echo(f"\nKey of an administrator:      {admin}")
    if manager is not None:
        theirs = keys.create(
            project, owner=manager, role="channel_manager", manager_id=manager, days=KEY_DAYS, now=now
        )
        typer.echo(f"Key of channel manager {manager}: {theirs}")
    typer.echo(
        "\nAsk for the partner at the greatest risk:\n\n"
        f"  curl -s -H 'Authorization: Bearer {admin}' {address}/v1/partners/{partner}/churn\n\n"
        f"or without the service:\n\n  partnerintel explain {partner} -w {_short(project.workspace.root)}\n\n"
        f"or open {address}/console in a browser and sign in with either key.\n"
    )


def _riskiest(project: Project) -> str:
    """The partner still active that the champion fears most for."""
    bundle, _ = scoring.champion_bundle(project, "churn")
    resident = rows.resident_rows(project)
    recent = resident.features["days_since_last_won"].to_numpy() <= project.churn.active_within_days
    eta = bundle.eta(bundle.encode(resident.features), horizon=max(bundle.horizons))
    eta[~recent] = -float("inf")
    return str(resident.keys["partner_id"].iloc[int(eta.argmax())])


def _manager_of(project: Project, partner: str) -> str | None:
    """Who owned the partner last."""
    owners: Any = lake_of(project).read("partner_managers")
    owners = owners[owners["partner_id"] == partner].sort_values(["event_at", "known_at"], kind="stable")
    return None if owners.empty else str(owners["manager_id"].iloc[-1])


def _short(path: Path) -> str:
    """Relative to where the command was run, when it lies below."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
