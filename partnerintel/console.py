"""What the terminal shows: progress while it lasts, tables when it is done."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

Tick = Callable[[str, float], None]
"""Called with what is being done and the share done (0–1)."""


MOST_FINDINGS = 12


@contextmanager
def progress(title: str) -> Iterator[Tick]:
    """A progress bar on standard error; yields the function that moves it."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=not sys.stderr.isatty()) as bar:
        task = bar.add_task(title, total=1.0)

        def tick(what: str, share: float) -> None:
            bar.update(task, description=f"{title}: {what}", completed=share)

        yield tick


def print_json(value: Any) -> None:
    """The value as indented JSON on standard output."""
    print(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def print_table(rows: Sequence[Mapping[str, Any]], *, title: str = "") -> None:
    """Rows of one shape as a table."""
    if not rows:
        print("(none)")
        return
    table = Table(title=title or None)
    for name in rows[0]:
        table.add_column(name)
    for row in rows:
        table.add_row(*("" if v is None else str(v) for v in row.values()))
    Console().print(table)


def print_ingest(report: Any) -> None:
    """Counts of every table, then what was found."""
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
    for f in report.findings[:MOST_FINDINGS]:
        where = f.table if f.row is None else f"{f.table}, row {f.row}"
        print(f"{f.code} {f.severity}: {where}{f', {f.field}' if f.field else ''}: {f.reason}")
    if len(report.findings) > MOST_FINDINGS:
        print(f"… and {len(report.findings) - MOST_FINDINGS:,} more; lake/quarantine holds every bad row.")


def print_report(report: Mapping[str, Any]) -> None:
    """The ladder of references with the shipped model on it, and the gate's verdict."""
    shown = ("auc", "log_loss", "quadratic_weighted_kappa", "macro_f1")
    ladder = [r for r in report["ladder"] if r["metrics"]]
    names = [n for n in shown if any(n in r["metrics"] for r in ladder)]
    rows = [{"": r["name"], **{n: _interval(r["metrics"].get(n)) for n in names}} for r in ladder]
    print_table(
        rows, title=f"{report['model']}: {report['n_test']:,} test rows, base rate {report['base_rate']:.1%}"
    )
    print(report["split"])
    gate = report["gate"]
    print("gate: passed" if gate["passed"] else "gate: refused")
    for refusal in gate["refusals"]:
        print(f"  {refusal['code']}  {refusal['message']}")


def print_explanation(found: Mapping[str, Any]) -> None:
    """One partner's risk at each horizon, and the reasons, which add up."""
    for horizon, score in found["churn_probability"].items():
        print(f"{horizon:>4} days  {_percent(score)}  evidence: {score['evidence']}")
    horizon, score = list(found["churn_probability"].items())[-1]
    for reason in score["reasons"]:
        print(f"  {reason['contribution']:+.3f}  {reason['sentence']}")
    total = score["baseline"] + score["other_factors"] + sum(r["contribution"] for r in score["reasons"])
    print(f"  {score['other_factors']:+.3f}  everything else")
    print(f"  {score['baseline']:+.3f}  baseline ({horizon} days)")
    print(f"  {total:+.3f}  = {score['scale'].replace('_', ' ')}")
    print(f"model version {score['model_version']}, features as of {score['features_as_of']}")
    print(f"decision {score['decision_id']}")


def _percent(score: Mapping[str, Any]) -> str:
    if score["value"] is None:
        return "not enough evidence"
    low, high = score["interval"]
    return f"{score['value']:.1%} ({low:.1%} to {high:.1%})"


def _interval(estimate: Mapping[str, float] | None) -> str:
    if not estimate or estimate["value"] is None:
        return ""
    return f"{estimate['value']:.3f} ({estimate['low']:.3f}–{estimate['high']:.3f})"
