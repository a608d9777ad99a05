"""`partnerintel vetting`: who is accepted, reviewed or declined; compared, put in force, taken back."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from partnerintel.failing import guarded

app = typer.Typer(no_args_is_help=True, help="Vetting of applicants: show, check, put in force, roll back.")
Dir = Annotated[Path, typer.Option("--workspace", "-w", help="Folder with partnerintel.yaml.")]
Rules = Annotated[Path, typer.Argument(help="Rules as YAML or JSON; what is not given keeps its default.")]
By = Annotated[str, typer.Option(help="Who does it.")]
HERE = Path()
COMMAND_LINE = "command line"
SHOWN = 10


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


def _project(workspace: Path) -> Any:
    from partnerintel.settings import open_project

    return open_project(workspace)


@app.command()
@guarded
def show(workspace: Dir = HERE) -> None:
    """Print the rules in force, defaults included, and where they come from."""
    from partnerintel import console, vetting

    found = vetting.holding(_project(workspace))
    typer.echo(f"{found} decides", err=True)
    console.print_json(found.rules.model_dump(mode="json"))


@app.command()
@guarded
def check(file: Rules, workspace: Dir = HERE) -> None:
    """Show how many prospects of your ranked lists would get another verdict; nothing is changed."""
    from partnerintel import vetting

    project = _project(workspace)
    now, found = vetting.changed_by(project, vetting.read_rules(file))
    _print_change(str(now), file.name, found)


@app.command()
@guarded
def put(
    file: Rules,
    reason: Annotated[str, typer.Option("--reason", help="Why; kept in the audit log.")],
    name: Annotated[str, typer.Option(help="For people.")] = "",
    by: By = COMMAND_LINE,
    workspace: Dir = HERE,
) -> None:
    """Put the rules of a file in force as a new version, and show what that changes."""
    from partnerintel import vetting

    project = _project(workspace)
    rules = vetting.read_rules(file)
    now, found = vetting.changed_by(project, rules)
    version = vetting.put(project, rules, name=name or file.stem, reason=reason, by=by, now=_now())
    _print_change(str(now), f"version {version}", found)
    typer.echo(f"vetting policy {version} is in force; verdicts of ranked lists stay as they were given")


@app.command()
@guarded
def history(workspace: Dir = HERE) -> None:
    """List every change of what is in force, newest first."""
    from partnerintel import console, vetting

    found = vetting.history(_project(workspace))
    if found:
        console.print_table(found)
    else:
        typer.echo("no vetting policy was ever put in force: `fit.vetting` of partnerintel.yaml decides")


@app.command()
@guarded
def rollback(
    reason: Annotated[str, typer.Option("--reason", help="Why; kept in the audit log.")],
    by: By = COMMAND_LINE,
    workspace: Dir = HERE,
) -> None:
    """Go back to the version that was in force before."""
    from partnerintel import vetting

    found = vetting.rollback(_project(workspace), reason=reason, by=by, now=_now())
    typer.echo(f"vetting policy {found.version} is in force")


def _print_change(now: str, new: str, found: Any) -> None:
    """Verdicts now and then, and the first who move."""
    from models.fit.vetting_change import VERDICTS
    from partnerintel.console import print_table

    total = sum(found.counts.values())
    if not total:
        typer.echo("no list was ranked yet, so there is nobody to compare on")
        return
    typer.echo(f"{now} against {new}: of {total:,} ranked prospects {len(found.moved):,} get another verdict")
    print_table(
        [
            {
                "": f"{v} now",
                **{f"{w} then": found.counts.get((v, w), 0) for w in VERDICTS},
                "all": found.total(v, then=False),
            }
            for v in VERDICTS
        ]
        + [{"": "all", **{f"{w} then": found.total(w, then=True) for w in VERDICTS}, "all": total}]
    )
    for name, before, after, why in found.moved[:SHOWN]:
        typer.echo(f"  {name}: {before} → {after}. {why}")
    if len(found.moved) > SHOWN:
        typer.echo(f"  … and {len(found.moved) - SHOWN:,} more")
