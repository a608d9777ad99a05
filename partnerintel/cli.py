"""The command line: parses, calls one use case, prints what came of it.

Heavy libraries are imported inside the commands, so that `--help` answers at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from partnerintel import __version__, environment
from partnerintel.commands import drift as drift_commands
from partnerintel.commands import fit as fit_commands
from partnerintel.commands import tiers as tiers_commands
from partnerintel.commands.given import HERE, Dir, day_of, project_of, utc_now
from partnerintel.commands.person import app as person_app
from partnerintel.commands.policy import app as policy_app
from partnerintel.commands.vetting import app as vetting_app
from partnerintel.failing import DEBUG, guarded
from partnerintel.progress import progress

if TYPE_CHECKING:
    from partnerintel.settings import Project

EXIT_CODES = {
    0: "done",
    1: "something unexpected, or `replay` came to another answer",
    2: "settings, or the command line itself",
    3: "data",
    4: "input",
    5: "not found",
    6: "not enough evidence",
    7: "promotion refused",
    8: "promotion conflict",
    9: "damaged model",
}
app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Partner intelligence: fit, churn, routing and tiers, with reasons.",
    epilog="Exit codes: " + ", ".join(f"{code} {meaning}" for code, meaning in EXIT_CODES.items()) + ".",
)
keys_app = typer.Typer(no_args_is_help=True, help="API keys: create, list, revoke.")
app.add_typer(keys_app, name="keys")
app.add_typer(policy_app, name="policy")
app.add_typer(vetting_app, name="vetting")
app.add_typer(person_app, name="person")
tiers_commands.register(app)

DEFAULT_OUTPUT = Path("scores.csv")
DEMO = Path("var/demo")


def _version(asked: bool) -> None:
    if asked:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def prepare(
    debug: Annotated[
        bool,
        typer.Option("--debug", envvar="PARTNERINTEL_DEBUG", help="Show tracebacks and libraries' chatter."),
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Partner intelligence: fit, churn, routing and tiers, with reasons."""
    del version
    environment.prepare()
    DEBUG.set(debug)
    if not debug:
        environment.hush()


@app.command()
@guarded
def init(
    directory: Annotated[Path, typer.Argument(help="Folder to make.")],
    from_: Annotated[
        Path | None,
        typer.Option("--from", help="Take the mapping of this workspace, such as examples/lead_scoring."),
    ] = None,
) -> None:
    """Make a workspace: a commented partnerintel.yaml, and a CSV template for every table."""
    from partnerintel import starting

    for path in starting.new_workspace(directory, like=from_):
        typer.echo(path)


@app.command()
@guarded
def ingest(workspace: Dir = HERE) -> None:
    """Read the mapped tables, check every row, keep the good ones, quarantine the rest."""
    from partnerintel import console, preparing

    project = project_of(workspace)
    with progress("ingest") as tick:
        report = preparing.ingest_tables(project, now=utc_now(), tick=tick)
    console.print_ingest(report)


@app.command()
@guarded
def features(
    workspace: Dir = HERE,
    as_of: Annotated[str | None, typer.Option(help="Newest snapshot, YYYY-MM-DD; default: today.")] = None,
) -> None:
    """Build the feature snapshots that are stale, and bring the newest one online."""
    from partnerintel import preparing

    project, day = project_of(workspace), day_of(as_of) or utc_now().date()
    with progress("features") as tick:
        built = preparing.build_features(project, as_of=day, now=utc_now(), tick=tick)
    typer.echo(f"{built.built_count} snapshots built, {built.kept} kept; online as of {built.online}")


@app.command()
@guarded
def train(
    model: Annotated[str, typer.Argument(help="Model name, or all.")],
    workspace: Dir = HERE,
    trials: Annotated[
        int | None, typer.Option(min=0, max=1000, help="Search trials; default: from the settings.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed; default: from the settings.")] = None,
) -> None:
    """Tune, fit and register a candidate, and evaluate it against the rules you have today."""
    from partnerintel import console, datasets, learning

    project = project_of(workspace)
    for name in datasets.all_trainable(project) if model == "all" else [model]:
        with progress(f"train {name}") as tick:
            learned = learning.train_model(project, name, now=utc_now(), trials=trials, seed=seed, tick=tick)
        console.print_left_out(learned)
        console.print_report(learned.report)
        typer.echo(f"Model card: {project.workspace.report(name, learned.report['version'], 'html')}")


@app.command()
@guarded
def evaluate(
    model: Annotated[str, typer.Argument(help="Model name, or alerts.")],
    workspace: Dir = HERE,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures here.")] = None,
    test_from: Annotated[str | None, typer.Option(help="Earliest test origin, YYYY-MM-DD.")] = None,
    test_at: Annotated[str | None, typer.Option(help="The one test origin, YYYY-MM-DD.")] = None,
    ceiling: Annotated[
        float,
        typer.Option(
            min=0, metavar="SECONDS", help="Search for a ceiling this long per origin (FLAML; yes/no labels)."
        ),
    ] = 0,
) -> None:
    """Back-test a model on rolling origins and print it beside its baselines; `alerts`: replay the alerts."""
    from partnerintel import console, learning
    from partnerintel.outputs import check_output

    project, origins = project_of(workspace), {"test_from": day_of(test_from), "test_at": day_of(test_at)}
    if json_file is not None:
        check_output(json_file)
    if model == "alerts":
        _evaluate_alerts(project, json_file)
        return
    with progress(f"evaluate {model}") as tick:
        learned = learning.evaluate_model(
            project, model, now=utc_now(), tick=tick, search_seconds=ceiling, **origins
        )
    if json_file is not None:
        learning.write_figures(learned, json_file)
    console.print_left_out(learned)
    console.print_report(learned.report)


def _evaluate_alerts(project: Project, json_file: Path | None) -> None:
    from partnerintel import alerting
    from partnerintel.commands.alerts import print_alerts

    with progress("evaluate alerts") as tick:
        report = alerting.evaluate(project, now=utc_now(), tick=tick)
    alerting.keep(project, report, json_file)
    print_alerts(report)


@app.command()
@guarded
def promote(
    model: Annotated[str, typer.Argument(help="Model name.")],
    workspace: Dir = HERE,
    version: Annotated[int | None, typer.Option(help="Version; default: the newest candidate.")] = None,
    reason: Annotated[str, typer.Option(help="Override a refusal, and say why; kept in the audit log.")] = "",
    by: Annotated[str, typer.Option(help="Who promotes.")] = "command line",
) -> None:
    """Make a candidate the champion, if its gate passes."""
    from partnerintel import promoting

    project = project_of(workspace)
    champion = promoting.promote_model(project, model, version=version, reason=reason, by=by, now=utc_now())
    typer.echo(f"{model}: version {champion.version} is champion ({champion.reason})")


@app.command()
@guarded
def score(
    model: Annotated[str, typer.Argument(help="Model name.")],
    source: Annotated[
        Path | None,
        typer.Argument(metavar="[INPUT]", help="Rows to score (CSV, Parquet); default: everyone."),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="OUT", help="CSV or Parquet to write.")
    ] = DEFAULT_OUTPUT,
    workspace: Dir = HERE,
) -> None:
    """Score a file, or everyone, with intervals and reasons."""
    from partnerintel import console, scoring

    project = project_of(workspace)
    with progress(f"score {model}") as tick:
        scored = scoring.score_file(project, model, source=source, output=output, now=utc_now(), tick=tick)
    console.print_scored(scored, output)


@app.command()
@guarded
def explain(
    entity: Annotated[str, typer.Argument(metavar="ID", help="A partner id, or a/b for several id columns.")],
    workspace: Dir = HERE,
    model: Annotated[str, typer.Option(help="Model name.")] = "churn",
) -> None:
    """Print the score of one partner and the reasons that add up to it; recorded as a decision."""
    from partnerintel import answers, console

    console.print_explanation(
        answers.explain_entity(project_of(workspace), entity, model=model, now=utc_now())
    )


@app.command()
@guarded
def replay(
    decision_id: Annotated[str, typer.Argument(help="As printed by explain, and in every answer.")],
    workspace: Dir = HERE,
) -> None:
    """Score a past decision again, with the features and model of then, and compare bit for bit."""
    from partnerintel import answers, console

    found = answers.replay_decision(project_of(workspace), decision_id, now=utc_now())
    console.print_replay(found)
    raise typer.Exit(0 if found["replayed"] == "identical" else 1)


@app.command()
@guarded
def serve(
    workspace: Dir = HERE,
    host: Annotated[
        str | None, typer.Option(help="Address to bind; default: from the settings, loopback.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port; default: from the settings, 3000.")
    ] = None,
) -> None:
    """Serve the API until Ctrl-C."""
    from partnerintel import running

    raise typer.Exit(running.serve(project_of(workspace), host=host, port=port))


@app.command()
@guarded
def build(workspace: Dir = HERE) -> None:
    """Build a bento that carries the champions, for a machine without this project."""
    from partnerintel import running

    for line in running.build(project_of(workspace), now=utc_now()):
        typer.echo(line)


@app.command()
@guarded
def run(
    workspace: Dir = HERE,
    as_of: Annotated[str | None, typer.Option(help="The night's date, YYYY-MM-DD; default: today.")] = None,
) -> None:
    """Bring everything that is stale up to date, in order; a killed run leaves the old state or the new."""
    from partnerintel import nightly

    nightly.run(project_of(workspace), as_of=day_of(as_of) or utc_now().date(), now=utc_now())


@app.command()
@guarded
def demo(
    workspace: Dir = DEMO,
    partners: Annotated[int, typer.Option(min=40, help="Size of the simulated ecosystem.")] = 700,
    until: Annotated[str | None, typer.Option(help="Last simulated day, YYYY-MM-DD; default: today.")] = None,
    serve_it: Annotated[bool, typer.Option("--serve/--no-serve", help="Serve at the end.")] = True,
) -> None:
    """Simulate a partner ecosystem and take it all the way to a served, explained score."""
    from partnerintel import demo as use_case

    use_case.run(workspace, partners=partners, until=day_of(until), now=utc_now(), serve=serve_it)


@keys_app.command("create")
@guarded
def keys_create(
    owner: Annotated[str, typer.Argument(help="Who will use the key.")],
    role: Annotated[str, typer.Option(help="recruiter, channel_manager, prm or admin.")] = "recruiter",
    manager_id: Annotated[str | None, typer.Option(help="For a channel manager: whose partners.")] = None,
    days: Annotated[
        int | None, typer.Option(min=1, max=3650, help="Valid for this many days; default: until revoked.")
    ] = None,
    workspace: Dir = HERE,
) -> None:
    """Create a key and print it, once."""
    from partnerintel import keys

    project = project_of(workspace)
    typer.echo(keys.create(project, owner=owner, role=role, manager_id=manager_id, days=days, now=utc_now()))


@keys_app.command("list")
@guarded
def keys_list(workspace: Dir = HERE) -> None:
    """List keys, without their secrets."""
    from partnerintel import console, keys

    console.print_table(keys.listed(project_of(workspace)))


@keys_app.command("revoke")
@guarded
def keys_revoke(
    key_id: Annotated[str, typer.Argument(help="As `keys list` shows it.")], workspace: Dir = HERE
) -> None:
    """Revoke a key; the service follows within five seconds."""
    from partnerintel import keys

    keys.revoke(project_of(workspace), key_id, now=utc_now())
    typer.echo(f"{key_id} revoked")


fit_commands.register(app)
drift_commands.register(app)


def main() -> None:
    """Entry point."""
    app(prog_name="partnerintel")
