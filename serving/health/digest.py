"""The weekly digest of a queue: a page that needs nothing from outside, and a table no program runs."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Any

from data.spreadsheet.formulas import escape_formula

COLUMNS = (
    "alert_id", "partner_id", "manager_id", "status", "state", "opened_at", "churn_probability_90",
    "margin_at_risk", "currency", "driver", "reason", "suggested_play", "due_on", "assignee", "escalated_on",
)  # fmt: skip
STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a}"
    "table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.4rem .6rem;vertical-align:top;"
    "border-bottom:1px solid #ccc}td.number,th.number{text-align:right}"
)


def digest_csv(alerts: Sequence[Mapping[str, Any]]) -> str:
    """One line for each alert, in the order of the queue."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for alert in alerts:
        row = _row(alert)
        writer.writerow([escape_formula(str(row[c])) if row[c] is not None else "" for c in COLUMNS])
    return out.getvalue()


def digest_html(alerts: Sequence[Mapping[str, Any]], *, title: str, refreshed_at: str | None) -> str:
    """A page with the queue; the same can be sent by mail."""
    rows = "\n".join(_line(_row(a)) for a in alerts)
    state = f"As of {escape(_moment(refreshed_at))}." if refreshed_at else "Nothing has been refreshed yet."
    count = f"{len(alerts):,} alert{'s' if len(alerts) != 1 else ''}"
    body = (
        "<table><thead><tr><th>Partner</th><th>State</th><th class=number>Risk in 90 days</th>"
        "<th class=number>Margin at risk</th><th>Why</th><th>What to do</th><th>Until</th></tr></thead>"
        f"<tbody>\n{rows}\n</tbody></table>"
        if alerts
        else "<p>No alert is open.</p>"
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style><h1>{escape(title)}</h1><p>{count}. {state}</p>{body}</html>"
    )


def _moment(text: str) -> str:
    at = datetime.fromisoformat(text.removesuffix("Z"))
    return f"{at.day} {at:%B %Y, %H:%M} UTC"


def _row(alert: Mapping[str, Any]) -> dict[str, Any]:
    money = alert.get("margin_at_risk") or {}
    reasons = [r for r in alert.get("reasons", []) if r["direction"] == "raises_risk"]
    play = alert.get("play") or {}
    return {
        **{c: alert.get(c) for c in COLUMNS},
        "margin_at_risk": money.get("amount"),
        "currency": money.get("currency"),
        "reason": reasons[0]["sentence"] if reasons else "",
        "title": play.get("title", alert.get("suggested_play")),
    }


def _line(row: Mapping[str, Any]) -> str:
    risk = "" if row["churn_probability_90"] is None else f"{100 * row['churn_probability_90']:.0f} %"
    margin = f"{float(row['margin_at_risk']):,.0f} {row['currency']}" if row["margin_at_risk"] else ""
    state = str(row["state"]).replace("_", " ") + (", escalated" if row["escalated_on"] else "")
    cells = [
        ("", row["partner_id"]), ("", state), ("number", risk), ("number", margin), ("", row["reason"]),
        ("", row["title"]), ("", row["due_on"] or ""),
    ]  # fmt: skip
    return "<tr>" + "".join(f"<td class={c or 'text'}>{escape(str(v))}</td>" for c, v in cells) + "</tr>"
