"""The demo: a simulated partner ecosystem, taken all the way to a served, explained score."""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path

import typer

from partnerintel import answers, console, keys, learning, nightly, running
from partnerintel.settings import Project, open_project

SEED = 7


def run(workspace: Path, *, partners: int, until: date, now: datetime, serve: bool) -> None:
    """Simulate, ingest, build, train, evaluate, promote, make keys, serve.

    A second run finds everything fresh and serves at once; another size or date begins anew.
    """
    project = _workspace(workspace, partners=partners, until=until)
    nightly.run(project, as_of=until, now=now)
    _show(project)
    admin = keys.create(project, owner="demo", role="admin", manager_id=None, days=30, now=now)
    partner = _riskiest(project)
    address = f"http://{project.serving.host}:{project.serving.port}"
    typer.echo(
        "\nAsk for the partner at the greatest risk:\n\n"
        f"  curl -s -H 'Authorization: Bearer {admin}' {address}/v1/partners/{partner}/churn\n"
    )
    if serve:
        running.serve(project, host=None, port=None)


def _workspace(workspace: Path, *, partners: int, until: date) -> Project:
    from data.simulate import simulate, write

    asked = {"partners": partners, "until": until.isoformat(), "seed": SEED}
    note = workspace / "simulated.json"
    if not note.is_file() or json.loads(note.read_text(encoding="utf-8")) != asked:
        with console.progress("simulate") as tick:
            tick(f"{partners:,} partners", 0.1)
            world = simulate("demo", partners=partners, seed=SEED, end=until)
            tick("write", 0.7)
            write(world, workspace)
        note.write_text(json.dumps(asked), encoding="utf-8")
        typer.echo(f"simulate  {sum(map(len, world.tables.values())):,} rows in {len(world.tables)} tables")
    return open_project(workspace)


def _show(project: Project) -> None:
    champion = learning.registry_of(project).champion("churn")
    if champion is not None:
        path = project.workspace.report("churn", champion.version, "json")
        if path.is_file():
            console.print_report(json.loads(path.read_text(encoding="utf-8")))
            typer.echo(f"Model card: {path.with_suffix('.html')}")


def _riskiest(project: Project) -> str:
    """The partner still active that the champion fears most for."""
    bundle, _ = answers.champion_bundle(project, "churn")
    ids, rows = answers.resident_rows(project)
    recent = rows["days_since_last_won"].to_numpy() <= project.churn.active_within_days
    horizon = max(bundle.horizons)
    eta = bundle.eta(bundle.encode(rows), horizon=horizon)
    eta[~recent] = -float("inf")
    return str(ids["partner_id"].iloc[int(eta.argmax())])
