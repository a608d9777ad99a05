"""`partnerintel person`: what is kept of somebody, and forgetting it."""

from __future__ import annotations

from typing import Annotated

import typer

from partnerintel.commands.given import HERE, Dir, project_of, utc_now
from partnerintel.failing import guarded

app = typer.Typer(no_args_is_help=True, help="Personal data of one person: show all of it, erase all of it.")
Who = Annotated[str, typer.Argument(help="contact_id, lead_id or e-mail address.")]


@app.command()
@guarded
def show(who: Who, workspace: Dir = HERE) -> None:
    """Print what is kept of a person: table rows, routed leads, quarantined cells."""
    from partnerintel import console, persons

    console.print_json(persons.kept(project_of(workspace), who))


@app.command()
@guarded
def erase(
    who: Who,
    workspace: Dir = HERE,
    by: Annotated[str, typer.Option(help="Who does it.")] = "command line",
) -> None:
    """Erase what names a person, everywhere and for good; decisions verify as before."""
    from partnerintel import persons

    counts = persons.erase(project_of(workspace), who, by=by, now=utc_now())
    for where, count in counts.items():
        typer.echo(f"{where:18} {count:,} erased")
    typer.echo("Ingesting the same source again brings nothing back; your own files are yours to clean.")
