"""Commands about prospects: `fit-list`, `fit-stream` and `profile`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from data.errors import InputError
from partnerintel.commands.given import HERE, Dir, project_of, utc_now
from partnerintel.failing import guarded
from partnerintel.progress import progress

MOST_SHOWN = 20


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("fit-list")(fit_list)
    app.command("fit-stream")(fit_stream)
    app.command("profile")(profile)


@guarded
def fit_list(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="List of prospects: CSV or XLSX.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Ranked list to write (csv, xlsx, parquet); without: a dry run."),
    ] = None,
    faults: Annotated[Path | None, typer.Option(help="Write the faulty rows here.")] = None,
    motion: Annotated[str | None, typer.Option(help="Motion of prospects that name none.")] = None,
    column: Annotated[
        list[str] | None, typer.Option("--map", help="FIELD=COLUMN; replaces the proposed mapping.")
    ] = None,
    workspace: Dir = HERE,
) -> None:
    """Rank a recruiter's list: faults, duplicates and existing partners marked, nothing else changed."""
    from partnerintel import prospects
    from partnerintel.console import print_table

    with progress("fit-list") as tick:
        found = prospects.rank_list(
            project_of(workspace),
            source,
            output=output,
            faults=faults,
            motion=motion,
            mapping=_mapping(column),
            now=utc_now(),
            tick=tick,
        )
    for note in found.notes:
        typer.echo(note, err=True)
    typer.echo("Columns: " + ", ".join(f"{f} = {c}" for f, c in found.mapping.items()))
    if found.faults:
        shown = found.faults[:MOST_SHOWN]
        print_table(
            [{"line": f.line, "column": f.column, "given": f.given[:40], "fault": f.reason} for f in shown]
        )
        if len(found.faults) > len(shown):
            typer.echo(f"… and {len(found.faults) - len(shown)} more; --faults FILE writes them all")
    c = found.counts
    typer.echo(
        f"{c['rows']:,} rows = {c['ranked']:,} to rank + {c['faults']:,} faults + "
        f"{c['duplicates']:,} duplicates + {c['existing_partners']:,} existing partners"
    )
    if output is None:
        typer.echo("Dry run: nothing was scored. -o FILE writes the ranked list.")
    else:
        models = ", ".join(f"{m} version {v}" for m, v in sorted(found.models.items()))
        typer.echo(f"Ranked by {models or 'nobody: there is nothing to rank'}: {output}")


@guarded
def fit_stream(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="CSV whose columns bear the model's names.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="OUT", help="Parquet file to write.")],
    identifier: Annotated[str, typer.Option("--id", help="Column that identifies a row.")] = "prospect_id",
    model: Annotated[str, typer.Option(help="fit, or fit.MOTION.")] = "fit",
    workspace: Dir = HERE,
) -> None:
    """Score a very long list chunk by chunk, with intervals and the factors behind each score."""
    from partnerintel import prospects

    with progress("fit-stream") as tick:
        rows = prospects.stream(
            project_of(workspace), source, output, model=model, id_column=identifier, tick=tick
        )
    typer.echo(f"{rows:,} rows scored into {output}")


@guarded
def profile(
    model: Annotated[
        str | None, typer.Argument(help="fit, or fit.MOTION; default: every profile in service.")
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Markdown file to write.")] = None,
    workspace: Dir = HERE,
) -> None:
    """Print the ideal partner profile: which traits, how much, how sure, and what changed."""
    from partnerintel import prospects
    from partnerintel.outputs import check_output, write_whole

    if output is not None:
        check_output(output)
    text = "\n".join(prospects.profile_pages(project_of(workspace), model=model))
    if output is None:
        typer.echo(text)
    else:
        write_whole(output, lambda p: p.write_text(text, encoding="utf-8"))
        typer.echo(output)


def _mapping(given: list[str] | None) -> dict[str, str] | None:
    if not given:
        return None
    pairs = [text.partition("=") for text in given]
    wrong = [f"{a}{b}{c}" for a, b, c in pairs if not (a and b and c)]
    if wrong:
        raise InputError(f"--map {wrong[0]!r} is not FIELD=COLUMN.", allowed='such as --map "name=Firma"')
    return {field: column for field, _, column in pairs}
