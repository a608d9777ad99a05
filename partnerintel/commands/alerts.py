"""What `partnerintel evaluate alerts` prints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import typer

from partnerintel.console import print_table


def print_alerts(report: Mapping[str, Any]) -> None:
    """The policy beside the rules one would use without it."""
    typer.echo(
        f"alerts: {report['weeks']} weeks from {report['from']} to {report['to']}, "
        f"{report['partners']:,} partners, {report['managers']} managers, {report['departures']} departures"
    )
    print_table([_row(rule) for rule in report["rules"]])
    for name, key in (("every week", "fewer_than_threshold"), ("when it is crossed", "fewer_than_crossings")):
        if report[key] is not None:
            typer.echo(f"{_percent(report[key])} fewer alerts than a plain threshold {name}, at equal recall")
    hold_out = report.get("hold_out")
    if hold_out:
        typer.echo(
            f"hold-out: {hold_out['held_out']} alerts, precision {_interval(hold_out['precision'])} "
            f"unattended, {_interval(hold_out['shown_precision'])} when acted on"
        )
    if report["simulated"]:
        typer.echo("The data is simulated: these figures prove the pipeline, not the market.")


def _row(rule: Mapping[str, Any]) -> dict[str, str]:
    ahead = {f"{d} d ahead": _percent(v) for d, v in rule["flagged_days_ahead"].items() if d != "0"}
    return {
        "": rule["name"],
        "alerts": f"{rule['alerts']:,}",
        "a manager and week": f"{rule['per_manager_week']:.2f}",
        "precision": _interval(rule["precision"]),
        "caught": _percent(rule["caught"]),
        **ahead,
    }


def _interval(found: Mapping[str, float | None]) -> str:
    if found["value"] is None:
        return "not known"
    if found["low"] is None:
        return f"{found['value']:.2f}"
    return f"{found['value']:.2f} ({found['low']:.2f}–{found['high']:.2f})"


def _percent(value: float | None) -> str:
    return "not known" if value is None else f"{100 * value:.0f} %"
