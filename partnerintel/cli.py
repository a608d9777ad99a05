"""The command line: parses, calls one use case, prints what came of it.

Heavy libraries are imported inside the commands, so that `--help` answers at once.
"""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from data.errors import ConfigError, InputError, PartnerIntelError, PromotionRefusedError
from partnerintel import environment

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Partner intelligence: fit, churn, routing and tiers, with reasons.",
    epilog="Exit codes: 0 done, 2 settings, 3 data, 4 input, 5 not found, 6 not enough evidence, "
    "7 promotion refused, 8 promotion conflict, 9 damaged model, 1 anything else.",
)
keys_app = typer.Typer(no_args_is_help=True, help="API keys: create, list, revoke.")
app.add_typer(keys_app, name="keys")

Dir = Annotated[Path, typer.Option("--workspace", "-w", help="Folder with partnerintel.yaml.")]
HERE = Path()


def _day(text: str | None) -> date | None:
    """A date given as YYYY-MM-DD, or None."""
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InputError(f"{text!r} is not a date.", allowed="YYYY-MM-DD, such as 2026-10-31") from None


def _now() -> datetime:
    """The one place on the command line that asks the clock; naive UTC."""
    return datetime.now(UTC).replace(tzinfo=None)


def _open(workspace: Path) -> Any:
    from partnerintel.settings import open_project

    return open_project(workspace)


@app.command()
def init(directory: Annotated[Path, typer.Argument(help="Folder to make.")]) -> None:
    """Write a commented partnerintel.yaml and a CSV template for every table."""
    from data.template import write_template

    for path in write_template(directory):
        typer.echo(path)


@app.command()
def ingest(workspace: Dir = HERE) -> None:
    """Read the mapped tables, check every row, keep the good ones, quarantine the rest."""
    from partnerintel import console, preparing

    with console.progress("ingest") as tick:
        report = preparing.ingest_tables(_open(workspace), now=_now(), tick=tick)
    console.print_ingest(report)


@app.command()
def features(
    workspace: Dir = HERE,
    as_of: Annotated[str | None, typer.Option(help="Newest snapshot, YYYY-MM-DD; default: today.")] = None,
) -> None:
    """Build the feature snapshots that are stale and bring the newest one online."""
    from partnerintel import console, preparing

    with console.progress("features") as tick:
        built = preparing.build_features(
            _open(workspace), as_of=_day(as_of) or _now().date(), now=_now(), tick=tick
        )
    typer.echo(built)


@app.command()
def train(
    model: Annotated[str, typer.Argument(help="Model name, or all.")],
    workspace: Dir = HERE,
    trials: Annotated[int | None, typer.Option(help="Search trials; default: from the settings.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed; default: from the settings.")] = None,
) -> None:
    """Tune, fit and register a candidate, and evaluate it against the rules you have today."""
    from partnerintel import console, learning

    project = _open(workspace)
    for name in learning.trainable(project) if model == "all" else [model]:
        with console.progress(f"train {name}") as tick:
            trained = learning.train_model(project, name, now=_now(), trials=trials, seed=seed, tick=tick)
        console.print_report(trained)


@app.command()
def evaluate(
    model: Annotated[str, typer.Argument(help="Model name.")],
    workspace: Dir = HERE,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures here.")] = None,
    test_from: Annotated[str | None, typer.Option(help="Earliest test origin, YYYY-MM-DD.")] = None,
    test_at: Annotated[str | None, typer.Option(help="The one test origin, YYYY-MM-DD.")] = None,
) -> None:
    """Back-test a model on rolling origins and print it beside its baselines."""
    from partnerintel import console, learning

    with console.progress(f"evaluate {model}") as tick:
        report = learning.evaluate_model(
            _open(workspace),
            model,
            now=_now(),
            test_from=_day(test_from),
            test_at=_day(test_at),
            json_file=json_file,
            tick=tick,
        )
    console.print_report(report)


@app.command()
def promote(
    model: Annotated[str, typer.Argument(help="Model name.")],
    workspace: Dir = HERE,
    version: Annotated[int | None, typer.Option(help="Version; default: the newest candidate.")] = None,
    reason: Annotated[str, typer.Option(help="Override a refusal, and say why; kept in the audit log.")] = "",
    by: Annotated[str, typer.Option(help="Who promotes.")] = "command line",
) -> None:
    """Make a candidate the champion, if its gate passes."""
    from partnerintel import learning

    champion = learning.promote_model(
        _open(workspace), model, version=version, reason=reason, by=by, now=_now()
    )
    typer.echo(f"{model}: version {champion.version} is champion.")


@app.command()
def score(
    model: Annotated[str, typer.Argument(help="Model name.")],
    source: Annotated[
        Path | None, typer.Argument(help="Rows to score (CSV, Parquet); default: all partners.")
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="CSV or Parquet to write.")] = Path(
        "scores.csv"
    ),
    workspace: Dir = HERE,
) -> None:
    """Score a file, or every partner, with intervals and reasons."""
    from partnerintel import answers, console

    with console.progress(f"score {model}") as tick:
        count = answers.score_file(_open(workspace), model, source=source, output=output, tick=tick)
    typer.echo(f"{count} rows scored into {output}")


@app.command()
def explain(
    entity: Annotated[str, typer.Argument(metavar="ID", help="A partner id.")],
    workspace: Dir = HERE,
    model: Annotated[str, typer.Option(help="Model name.")] = "churn",
) -> None:
    """Print the score of one partner and the reasons that add up to it."""
    from partnerintel import answers, console

    console.print_explanation(answers.explain_entity(_open(workspace), entity, model=model, now=_now()))


@app.command()
def replay(decision_id: str, workspace: Dir = HERE) -> None:
    """Score a past decision again, with the features and model of then, and compare bit for bit."""
    from partnerintel import answers, console

    console.print_json(answers.replay_decision(_open(workspace), decision_id, now=_now()))


@app.command()
def serve(
    workspace: Dir = HERE,
    host: Annotated[
        str | None, typer.Option(help="Address to bind; default: from the settings, loopback.")
    ] = None,
    port: Annotated[int | None, typer.Option(help="Port; default: from the settings.")] = None,
) -> None:
    """Serve the API."""
    from partnerintel import running

    sys.exit(running.serve(_open(workspace), host=host, port=port))


@app.command()
def build(workspace: Dir = HERE) -> None:
    """Build a bento that carries the champions, for a machine without this project."""
    from partnerintel import running

    typer.echo(running.build_bento(_open(workspace), now=_now()))


@app.command()
def run(
    workspace: Dir = HERE,
    as_of: Annotated[str | None, typer.Option(help="The night's date, YYYY-MM-DD; default: today.")] = None,
) -> None:
    """Bring everything that is stale up to date, in order; a killed run leaves the old state or the new."""
    from partnerintel import nightly

    nightly.run(_open(workspace), as_of=_day(as_of) or _now().date(), now=_now())


@app.command()
def demo(
    workspace: Dir = Path("var/demo"),
    partners: Annotated[int, typer.Option(help="Size of the simulated ecosystem.")] = 1500,
    until: Annotated[str | None, typer.Option(help="Last simulated day, YYYY-MM-DD; default: today.")] = None,
    serve_it: Annotated[bool, typer.Option("--serve/--no-serve", help="Serve at the end.")] = True,
) -> None:
    """Simulate a partner ecosystem and take it all the way to a served, explained score."""
    from partnerintel import demo as use_case

    use_case.run(workspace, partners=partners, until=_day(until) or _now().date(), now=_now(), serve=serve_it)


@keys_app.command("create")
def keys_create(
    owner: Annotated[str, typer.Argument(help="Who will use the key.")],
    role: Annotated[str, typer.Option(help="recruiter, channel_manager, prm or admin.")] = "recruiter",
    manager_id: Annotated[str | None, typer.Option(help="For a channel manager: whose partners.")] = None,
    days: Annotated[
        int | None, typer.Option(help="Valid for this many days; default: until revoked.")
    ] = None,
    workspace: Dir = HERE,
) -> None:
    """Create a key and print it, once."""
    from partnerintel import keys

    typer.echo(
        keys.create(_open(workspace), owner=owner, role=role, manager_id=manager_id, days=days, now=_now())
    )


@keys_app.command("list")
def keys_list(workspace: Dir = HERE) -> None:
    """List keys, without their secrets."""
    from partnerintel import console, keys

    console.print_table(keys.listed(_open(workspace)))


@keys_app.command("revoke")
def keys_revoke(key_id: str, workspace: Dir = HERE) -> None:
    """Revoke a key; the service follows within five seconds."""
    from partnerintel import keys

    keys.revoke(_open(workspace), key_id, now=_now())
    typer.echo(f"{key_id} revoked")


def main() -> None:
    """Entry point: prepares the environment, turns our errors into one readable message and an exit code."""
    environment.prepare()
    try:
        app()
    except PromotionRefusedError as error:
        typer.secho(str(error), fg="red", err=True)
        for code, message in error.refusals:
            typer.echo(f"  {code}  {message}", err=True)
        sys.exit(error.exit_code)
    except ConfigError as error:
        where = f"{error.pointer}: " if error.pointer else ""
        typer.secho(f"{where}{error}", fg="red", err=True)
        sys.exit(error.exit_code)
    except PartnerIntelError as error:
        typer.secho(str(error), fg="red", err=True)
        sys.exit(error.exit_code)
