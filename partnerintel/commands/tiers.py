"""`partnerintel tiers …` and `partnerintel qbr`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from partnerintel.commands.given import HERE, Dir, project_of, utc_now
from partnerintel.failing import guarded
from partnerintel.progress import progress

if TYPE_CHECKING:
    from evaluation.tiers import Deviation
    from models.tiering.simulate import Comparison

app = typer.Typer(no_args_is_help=True, help="Tiers: try rules, put them in force, review partners.")
Rules = Annotated[str, typer.Option("--policy", help="YAML file of the rules, or the name of a template.")]
MOVES_SHOWN = 10


@app.command()
@guarded
def simulate(
    policy: Rules,
    workspace: Dir = HERE,
    output: Annotated[Path | None, typer.Option("--json", help="Write everything as JSON.")] = None,
) -> None:
    """If the rules change, who moves? With the cost of benefits, effects, and where managers deviate."""
    from partnerintel import tiering
    from partnerintel.outputs import write_whole

    project = project_of(workspace)
    with progress("simulate") as tick:
        tick("reviews", 0.2)
        found, audit, now, new = tiering.simulate(project, policy, now=utc_now())
    print_comparison(found, now=now.name, new=new.name)
    typer.echo(
        f"\nHeld against earned under {now.name!r}: {audit.partners:,} partners, "
        f"{100 * audit.agree:.0f} % agree, {audit.mean:+.2f} tiers on average, "
        f"weighted kappa {audit.kappa:.2f}"
    )
    print_deviations("manager", audit.managers)
    if output is not None:
        text = tiering.as_json(found, audit)
        write_whole(output, lambda p: p.write_text(text, encoding="utf-8"))


@app.command(name="review")
@guarded
def review_command(workspace: Dir = HERE) -> None:
    """Review every partner now: refresh standings and the list of recommended changes."""
    from partnerintel import tiering

    project, now = project_of(workspace), utc_now()
    with progress("review") as tick:
        tick("partners", 0.2)
        typer.echo(tiering.review_in_words(project, as_of=now.date(), now=now))


@app.command(name="policy")
@guarded
def policy_command(
    policy: Rules,
    reason: Annotated[str, typer.Option("--reason", help="Why; recorded in the audit log.")],
    workspace: Dir = HERE,
) -> None:
    """Put rules in force as a new version."""
    from partnerintel import tiering

    version = tiering.put_policy(
        project_of(workspace), policy, reason=reason, by="command line", now=utc_now()
    )
    typer.echo(f"tier policy {version} is in force")


def register(root: typer.Typer) -> None:
    """Add the commands to the command line."""
    root.add_typer(app, name="tiers")

    @root.command()
    @guarded
    def qbr(
        partner: Annotated[str, typer.Argument(help="Partner id.")],
        workspace: Dir = HERE,
        output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write.")] = None,
    ) -> None:
        """Write the pack for a quarterly business review: one page to print."""
        from partnerintel.qbr import write_pack

        safe = re.sub(r"[^\w.-]+", "_", partner)
        typer.echo(
            write_pack(project_of(workspace), partner, output or Path(f"qbr-{safe}.html"), now=utc_now())
        )


def print_comparison(found: Comparison, *, now: str, new: str) -> None:
    """Counts, costs, effects and the first moves."""
    from partnerintel.console import print_table

    up = sum(m.up for m in found.moves)
    typer.echo(
        f"{now!r} against {new!r}: of {found.partners:,} partners {up} move up, {len(found.moves) - up} down"
    )
    names = list(dict.fromkeys([*found.counts_new, *found.counts_now]))[::-1]
    print_table(
        [{"tier": n, "now": found.counts_now.get(n, "–"), "new": found.counts_new.get(n, "–")} for n in names]
    )
    typer.echo(f"benefits a year: {found.benefits_now_usd:,.0f} → {found.benefits_new_usd:,.0f} USD")
    print_table(
        [
            {"": f"{e.trait}: {e.value}", "partners": e.partners, "up": e.up, "down": e.down}
            for e in found.effects
        ]
    )
    for move in found.moves[:MOVES_SHOWN]:
        points = f"{move.points_now:.1f} → {move.points_new:.1f} points"
        typer.echo(
            f"  {move.partner_id}  {move.now} → {move.new}  ({points}; holds {move.held or 'no tier'})"
        )
    if len(found.moves) > MOVES_SHOWN:
        typer.echo(f"  … and {len(found.moves) - MOVES_SHOWN} more: --json lists all")


def print_deviations(what: str, found: tuple[Deviation, ...]) -> None:
    """Those that deviate clearly from the mean of all, else that there are none."""
    from partnerintel.console import print_table

    clear = [d for d in found if d.unlike]
    if not clear:
        typer.echo(f"no {what} clearly deviates from the others ({len(found)} looked at)")
        return
    print_table(
        [
            {
                what: d.manager_id,
                "partners": d.partners,
                "above": d.above,
                "below": d.below,
                "mean": f"{d.mean.value:+.2f} ({d.mean.low:+.2f} to {d.mean.high:+.2f})",
            }
            for d in clear
        ]
    )
