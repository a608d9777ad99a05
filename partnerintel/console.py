"""What commands print when they are done: plain text, the same at a terminal and in a pipe."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from data.checks import Finding
    from data.ingest import IngestReport
    from partnerintel.learning import Learned
    from partnerintel.scoring import Scored

MOST_FINDINGS = 12
SHOWN_METRICS = (
    "auc",
    "log_loss",
    "top_fifth_share",
    "gini",
    "tweedie_loss",
    "quadratic_weighted_kappa",
    "mean_absolute_error",
)


def print_json(value: Any) -> None:
    """The value as indented JSON."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def print_table(rows: Sequence[Mapping[str, Any]]) -> None:
    """Rows of one shape in aligned columns; text to the left, numbers to the right."""
    if not rows:
        typer.echo("(none)")
        return
    names = list(rows[0])
    cells = [["" if r[n] is None else str(r[n]) for n in names] for r in rows]
    widths = [max(len(n), *(len(c[i]) for c in cells)) for i, n in enumerate(names)]
    right = [all(c[i][:1].isdigit() for c in cells) for i in range(len(names))]
    for line in [names, *cells]:
        padded = [t.rjust(w) if r else t.ljust(w) for t, w, r in zip(line, widths, right, strict=True)]
        typer.echo("  ".join(padded).rstrip())


def print_ingest(report: IngestReport) -> None:
    """Counts of every table, then what was found and where the bad rows are."""
    rows = [
        {
            "table": name,
            "rows": f"{t.rows_in:,}",
            "new": f"{t.rows_new:,}",
            "seen before": f"{t.rows_seen:,}",
            "repeated": f"{t.rows_duplicate:,}",
            "quarantined": f"{t.rows_quarantined:,}",
        }
        for name, t in report.tables.items()
    ]
    print_table(rows)
    print_findings(report.findings)
    for t in report.tables.values():
        if t.quarantine is not None:
            typer.echo(f"Bad rows are in {t.quarantine}")


def print_findings(findings: Sequence[Finding], *, quarantine: Path | None = None, err: bool = False) -> None:
    """The first dozen findings, then where all of them are."""
    for f in findings[:MOST_FINDINGS]:
        where = f.table if f.row is None else f"{f.table}, row {f.row}"
        given = f" (given: {f.given})" if f.given else ""
        typer.echo(
            f"{f.code} {f.severity}: {where}{f', {f.field}' if f.field else ''}: {f.reason}{given}", err=err
        )
    if len(findings) > MOST_FINDINGS:
        typer.echo(f"… and {len(findings) - MOST_FINDINGS:,} more", err=err)
    if quarantine is not None:
        typer.echo(f"Bad rows are in {quarantine}", err=err)


def print_left_out(learned: Learned) -> None:
    """What was wrong with ready-made rows, on standard error."""
    print_findings(learned.findings, quarantine=learned.quarantine, err=True)


def print_report(report: Mapping[str, Any]) -> None:
    """The ladder of references with the shipped model on it, and the gate's verdict."""
    ladder = [r for r in report["ladder"] if r["metrics"]]
    names = [n for n in SHOWN_METRICS if any(n in r["metrics"] for r in ladder)]
    version = f" version {report['version']}" if report["version"] is not None else ""
    rate = "" if report["base_rate"] is None else f", base rate {report['base_rate']:.1%}"
    if "quadratic_weighted_kappa" in names:
        rate = ""
    if "top_fifth_share" in names:
        rate = f", mean amount {report['base_rate']:,.0f}"
        names.remove("mean_absolute_error")
    typer.echo(f"{report['model']}{version}: {report['n_test']:,} test rows{rate}")
    print_table([{"": r["name"], **{n: _interval(r["metrics"].get(n)) for n in names}} for r in ladder])
    typer.echo(report["split"])
    for suspect in report["suspect_columns"]:
        typer.echo(f"suspect   {suspect['column']}: {suspect['why']}")
    gate = report["gate"]
    typer.echo("gate: passed" if gate["passed"] else "gate: refused")
    for refusal in gate["refusals"]:
        typer.echo(f"  {refusal['code']}  {refusal['message']}")


def print_scored(scored: Scored, output: Path) -> None:
    """How many rows were written, and on standard error what was not as it should be."""
    print_findings(scored.findings, quarantine=scored.quarantine, err=True)
    if scored.absent:
        names = ", ".join(scored.absent[:MOST_FINDINGS]) + (
            ", …" if len(scored.absent) > MOST_FINDINGS else ""
        )
        typer.echo(
            f"warning: columns the model looks at and the input lacks count as missing: {names}", err=True
        )
    typer.echo(f"{scored.count:,} rows scored into {output}")


def print_explanation(scores: Mapping[str, Any]) -> None:
    """The risk at each horizon, and the reasons, which add up."""
    for horizon, score in scores.items():
        name = f"{horizon:>4} days" if horizon != "0" else "probability"
        typer.echo(f"{name}  {_percent(score)}  evidence: {score['evidence']}")
    horizon, score = list(scores.items())[-1]
    for reason in score["reasons"]:
        typer.echo(f"  {reason['contribution']:+.3f}  {reason['sentence']}")
    total = score["baseline"] + score["other_factors"] + sum(r["contribution"] for r in score["reasons"])
    typer.echo(f"  {score['other_factors']:+.3f}  everything else")
    typer.echo(f"  {score['baseline']:+.3f}  baseline{f' ({horizon} days)' if horizon != '0' else ''}")
    typer.echo(f"  {total:+.3f}  = {score['scale'].replace('_', ' ')}")
    for warning in score["warnings"]:
        typer.echo(f"warning: {warning}")
    as_of = f", features as of {score['features_as_of']}" if score["features_as_of"] else ""
    typer.echo(f"model version {score['model_version']}{as_of}")
    typer.echo(f"decision {score['decision_id']}")


def print_replay(found: Mapping[str, Any]) -> None:
    """The whole record, then the verdict on a line of its own."""
    print_json(found)
    typer.echo(f"replayed: {found['replayed']}" + (f" ({found['why']})" if found["why"] else ""))


def _percent(score: Mapping[str, Any]) -> str:
    if score["value"] is None:
        return "not enough evidence"
    low, high = score["interval"]
    return f"{score['value']:.1%} ({low:.1%} to {high:.1%})"


def _interval(estimate: Mapping[str, float] | None) -> str:
    if not estimate or estimate["value"] is None:
        return ""
    return f"{estimate['value']:.3f} ({estimate['low']:.3f}–{estimate['high']:.3f})"
