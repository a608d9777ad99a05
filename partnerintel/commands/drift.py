"""`partnerintel drift`: whether models still see what they were trained on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from partnerintel.commands.given import HERE, Dir, project_of, utc_now
from partnerintel.failing import guarded
from partnerintel.progress import progress

MOST_COLUMNS = 10


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("drift")(guarded(drift))


def drift(
    model: Annotated[str, typer.Argument(help="Model name.")],
    workspace: Dir = HERE,
) -> None:
    """Compare what the model in service was trained on with what it sees now; the nightly run does so too."""
    from partnerintel import drifting

    with progress(f"drift {model}") as tick:
        told = drifting.drift_of_model(project_of(workspace), model, now=utc_now(), tick=tick)
    print_drift(told)


def print_drift(told: Mapping[str, Any]) -> None:
    """The scores, the columns that moved most, and what to do."""
    from partnerintel.console import print_table
    from partnerintel.drifting import in_words

    typer.echo(in_words(told))
    typer.echo(f"version {told['version']}; {told['meaning']}, {told['since']} to {told['until']}")
    shown = [told["score"], *told["features"][:MOST_COLUMNS]]
    print_table([_row(f) for f in shown])
    for line in told["advice"]:
        typer.echo(f"- {line}")


def _row(found: Mapping[str, Any]) -> dict[str, str]:
    known = found["psi"] is not None
    return {
        "column": found["label"],
        "then": f"{found['n_then']:,}",
        "now": f"{found['n_now']:,}",
        "index": f"{found['psi']:.3f}" if known else "not enough",
        "chance alone": f"{found['by_chance']:.3f}" if known else "",
        "verdict": found["verdict"].replace("_", " "),
    }
