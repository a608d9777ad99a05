"""`partnerintel policy`: routing rules by version; compared, judged, put in force, taken back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from partnerintel.commands.given import HERE, Dir, day_of, project_of, utc_now
from partnerintel.failing import guarded

app = typer.Typer(no_args_is_help=True, help="Routing policies: add, compare, judge, promote, roll back.")
Version = Annotated[int, typer.Argument(min=1, help="As `policy list` shows it.")]
Against = Annotated[int | None, typer.Option(min=1, help="Compare with this one; default: the one in force.")]
Json = Annotated[Path | None, typer.Option("--json", help="Write the figures here.")]
By = Annotated[str, typer.Option(help="Who does it.")]
COMMAND_LINE = "command line"
SHOWN = 20


@app.command("list")
@guarded
def list_(workspace: Dir = HERE) -> None:
    """List versions, newest first, and which of them decide."""
    from partnerintel import console, policy

    console.print_table(policy.listed(project_of(workspace), now=utc_now()))


@app.command()
@guarded
def show(version: Version, workspace: Dir = HERE) -> None:
    """Print the rules of a version, defaults included."""
    from partnerintel import console, policy

    console.print_json(policy.shown(project_of(workspace), version, now=utc_now()))


@app.command()
@guarded
def add(
    file: Annotated[Path, typer.Argument(help="Rules as YAML or JSON; what is not given keeps its default.")],
    name: Annotated[str, typer.Option(help="For people.")] = "",
    by: By = COMMAND_LINE,
    workspace: Dir = HERE,
) -> None:
    """Keep the rules of a file as a new version; nothing is routed by it yet."""
    from partnerintel import policy

    found = policy.add(project_of(workspace), file, name=name or file.stem, by=by, now=utc_now())
    typer.echo(f"routing policy {found.version} ({found.name}) is kept")


@app.command()
@guarded
def diff(
    version: Version,
    against: Against = None,
    json_file: Json = None,
    workspace: Dir = HERE,
) -> None:
    """Show which past leads would go elsewhere under a version, and to whom."""
    from partnerintel import policy_judging
    from partnerintel.progress import progress

    project = project_of(workspace)
    _check(json_file)
    with progress("policy diff") as tick:
        found = policy_judging.diff(project, version, against=against, now=utc_now(), tick=tick)
    _keep(json_file, found)
    _print_diff(found)


@app.command()
@guarded
def evaluate(
    version: Version,
    against: Against = None,
    json_file: Json = None,
    workspace: Dir = HERE,
) -> None:
    """Estimate from the log what a version would bring; no verdict where the log cannot tell."""
    from partnerintel import policy, policy_judging
    from partnerintel.progress import progress

    project = project_of(workspace)
    _check(json_file)
    with progress("policy evaluate") as tick:
        found = policy_judging.evaluate(project, version, against=against, now=utc_now(), tick=tick)
    policy.keep_report(project, found)
    _keep(json_file, found)
    _print_evaluation(found)


@app.command()
@guarded
def promote(
    version: Version,
    canary: Annotated[
        float | None, typer.Option(min=0.001, max=0.999, help="Let it decide this share of the leads only.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Override a refusal, and say why; kept in the audit log.")] = "",
    by: By = COMMAND_LINE,
    workspace: Dir = HERE,
) -> None:
    """Put a version in force, if the log does not speak against it; or on trial with --canary."""
    from partnerintel import policy

    new = policy.promote(project_of(workspace), version, canary=canary, reason=reason, by=by, now=utc_now())
    typer.echo(_in_force(new))


@app.command()
@guarded
def trial(json_file: Json = None, workspace: Dir = HERE) -> None:
    """Compare the version on trial with the one in force, by the leads that each decided."""
    from partnerintel import policy, policy_trial

    project = project_of(workspace)
    _check(json_file)
    found = policy_trial.judge(project, now=utc_now())
    policy.keep_report(project, found, kind="trial")
    _keep(json_file, found)
    _print_trial(found)


@app.command()
@guarded
def rollback(
    reason: Annotated[str, typer.Option(help="Why; kept in the audit log.")] = "",
    by: By = COMMAND_LINE,
    workspace: Dir = HERE,
) -> None:
    """End the trial, or go back to the version that was in force before."""
    from partnerintel import policy

    typer.echo(_in_force(policy.rollback(project_of(workspace), reason=reason, by=by, now=utc_now())))


@app.command()
@guarded
def report(
    since: Annotated[str | None, typer.Option(help="First day, YYYY-MM-DD; default: a year back.")] = None,
    json_file: Json = None,
    workspace: Dir = HERE,
) -> None:
    """Show who was offered leads, by tier, region and size, and what came of them."""
    from partnerintel import policy_judging

    project = project_of(workspace)
    _check(json_file)
    found = policy_judging.report_routing(project, since=day_of(since), now=utc_now())
    _keep(json_file, found)
    _print_report(found)


def _check(path: Path | None) -> None:
    if path is not None:
        from partnerintel.outputs import check_output

        check_output(path)


def _keep(path: Path | None, found: Mapping[str, Any]) -> None:
    if path is not None:
        from partnerintel.policy import write_json

        write_json(path, found)


def _in_force(new: Any) -> str:
    trial = f", {new.canary_version} on trial for {new.canary_share:.0%}" if new.canary_version else ""
    return f"routing policy {new.version} is in force{trial}"


def _print_diff(found: Mapping[str, Any]) -> None:
    from partnerintel.console import print_table

    typer.echo(_heading(found))
    typer.echo(
        f"{found['changed']} of them ({found['changed_share']:.0%}) would go to another partner first; "
        f"the models expect {_wins(found, 'before')} wins of 100 before, {_wins(found, 'after')} after"
    )
    names = ("lead_id", "logged", "before", "after", "expected_wins")
    print_table([{n: _shown(row[n]) for n in names} for row in found["leads"][:SHOWN]])
    if len(found["leads"]) > SHOWN:
        typer.echo(f"… and {len(found['leads']) - SHOWN} more; --json has them all")
    _print_shares(found)


def _print_evaluation(found: Mapping[str, Any]) -> None:
    from partnerintel.console import print_table

    typer.echo(_heading(found))
    scale = 100 if "won" in found["reward"] and "USD" not in found["reward"] else 1
    unit = "wins of 100 leads" if scale == 100 else "USD a lead"
    names = {
        "logged": "what the log brought", "dr": "doubly robust", "snips": "self-normalised weights",
        "ips": "weights", "dm": "reward model",
    }  # fmt: skip
    print_table(
        [
            {
                unit: said,
                f"policy {found['policy']}": _value(found["policy_value"][key], scale),
                f"policy {found['against']}": _value(found["against_value"][key], scale),
            }
            for key, said in names.items()
        ]
    )
    support = found["support"]
    typer.echo(
        f"support: {support['decisions']} decisions count as {support['effective_size']:.1f} of policy "
        f"{found['policy']}'s own; mean weight {support['mean_weight']:.2f}"
    )
    fair = found["fairness"]
    typer.echo(f"fairness bands give up {fair['wins_given_up_per_100']:.2f} expected wins of 100 leads")
    _print_shares(found)
    verdict = found["verdict"]
    typer.echo(f"verdict: {verdict['message']} {verdict['next_step']}".rstrip())
    if verdict["answer"] != "refused":
        typer.echo(f"gain over policy {found['against']}: {_value(verdict['gain'], scale)} {unit}")
    if found["simulated"]:
        typer.echo("The data is simulated: these figures prove the pipeline, not the market.")


def _print_trial(found: Mapping[str, Any]) -> None:
    from partnerintel.console import print_table

    typer.echo(f"routing policy {found['policy']} on trial for {found['share']:.0%}")
    print_table(
        [
            {
                "version": arm["version"],
                "leads": arm["leads"],
                "outcome known": arm["known"],
                "won of 100": "–" if arm["wins_per_100"] is None else f"{arm['wins_per_100']:.1f}",
                "answered in time": _percent(arm["in_time_share"]),
                "wins given up for fairness": f"{arm['fairness_cost']:.2f}",
            }
            for arm in found["arms"]
        ]
    )
    verdict = found["verdict"]
    typer.echo(f"verdict: {verdict['message']} {verdict['next_step']}".rstrip())
    typer.echo(f"gain: {_value(verdict['gain'], 100)} wins of 100 leads")


def _print_report(found: Mapping[str, Any]) -> None:
    from partnerintel.console import print_table

    answers = found["answers"]
    typer.echo(
        f"{answers['offers']:,} offers of {answers['leads']:,} leads from {found['from']} to {found['to']}: "
        + ", ".join(
            f"{_percent(answers[f'{a}_share'])} {a}" for a in ("accepted", "declined", "expired", "open")
        )
    )
    for by, rows in found["exposure"].items():
        print_table(
            [
                {
                    by: row[by],
                    "partners": f"{row['partners']:,}",
                    "of partners": _percent(row["partner_share"]),
                    "of offers": _percent(row["offer_share"]),
                    "reached": _percent(row["reached_share"]),
                    "accepted": _rate(row["accept_rate"]),
                    "won of accepted": _rate(row["win_rate"]),
                }
                for row in rows
            ]
        )
    if found["simulated"]:
        typer.echo("The data is simulated: these figures prove the pipeline, not the market.")


def _print_shares(found: Mapping[str, Any]) -> None:
    from partnerintel.console import print_table

    typer.echo("share of offers:")
    for by in ("tier", "size"):
        rows = found["exposure"][by]
        print_table([{by: r[by], **{n: _percent(r[n]) for n in ("logged", "before", "after")}} for r in rows])


def _heading(found: Mapping[str, Any]) -> str:
    return (
        f"routing policy {found['policy']} against {found['against']}: {found['leads_judged']:,} leads "
        f"from {found['from']} to {found['to']}"
    )


def _wins(found: Mapping[str, Any], name: str) -> str:
    return f"{found['expected_wins_per_100'][name]:.1f}"


def _value(value: Mapping[str, float | None], scale: float) -> str:
    if value["value"] is None or value["low"] is None or value["high"] is None:
        return "not known"
    return f"{scale * value['value']:.1f} ({scale * value['low']:.1f} to {scale * value['high']:.1f})"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.0f} %"


def _rate(value: float | None) -> str:
    """A group's rate; with fewer than ten known answers there is none."""
    return "not enough" if value is None else _percent(value)


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:+.2f}"
    return "nobody" if value is None else str(value)
