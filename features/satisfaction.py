"""Satisfaction: what partners answer to surveys, and the support tickets they open."""

from __future__ import annotations

from typing import Any

from features.buckets import THOUSANDTHS
from features.definition import Definition, ViewDefinition
from features.inputs import KEYS, Inputs
from features.versions import spans
from features.windows import live_since, window_sums

TICKETS = (30, 90)
MEAN_DAYS = 365
MILLIONTHS = 1e6

VIEW = ViewDefinition(
    "satisfaction",
    "What partners answer to surveys, and the support tickets they open.",
    ("surveys", "events"),
    (
        Definition("survey_score_latest", "score", "Latest survey score, 0 (worst) to 10 (best)."),
        Definition("survey_score_mean_365d", "score", "Mean survey score of the last 365 days."),
        Definition("days_since_last_survey", "days", "Days since a survey was last answered."),
        *(
            Definition(f"ticket_count_{w}d", "count", f"Support tickets opened in the last {w} days.")
            for w in TICKETS
        ),
    ),
)


def build(inputs: Inputs) -> Any | None:
    """Satisfaction features of every partner at every date; None without surveys and events."""
    parts: list[Any] = []
    once: list[Any] = []
    if inputs.source.has("surveys"):
        parts.extend(_surveys(inputs))
    days = inputs.bucket("event_days")
    if days is not None:
        parts.append(
            window_sums(
                inputs.counted("event_days"),
                inputs.grid,
                {f"ticket_count_{w}d": ("n_ticket", w) for w in TICKETS},
            )
        )
        once.append(live_since(days, live_events=None))
    if not parts:
        return None
    rows = inputs.joined(*parts, once=tuple(once))
    if days is not None:
        opened = [f"ticket_count_{w}d" for w in TICKETS]
        rows = rows.mutate(**{c: inputs.zero_if(rows, c, "live_events", scale=THOUSANDTHS) for c in opened})
    return rows


def _surveys(inputs: Inputs) -> tuple[Any, Any]:
    """Latest answer, and the summary of all; a missing survey stays missing: it is no good survey."""
    import ibis

    rows, dates = spans(inputs.source, "surveys"), inputs.grid.table()
    rows = rows.join(
        dates,
        [rows.known_day <= dates.as_of, dates.as_of < rows.gone_day, rows.event_day < dates.as_of],
    )
    newest = ibis.window(group_by=list(KEYS), order_by=[rows.event_at.desc(), rows.survey_id.desc()])
    latest = rows.mutate(place=ibis.row_number().over(newest))
    latest = latest.filter(latest.place == 0).select(*KEYS, survey_score_latest=latest.score)
    recent = rows.event_day >= rows.as_of - MEAN_DAYS
    millionths = (rows.score * MILLIONTHS).round().cast("int64")
    summary = rows.group_by(*KEYS).agg(
        survey_score_mean_365d=millionths.sum(where=recent).cast("float64")
        / (rows.count(where=recent) * MILLIONTHS).nullif(0.0),
        days_since_last_survey=(rows.as_of.max() - rows.event_day.max()).cast("float64"),
    )
    return latest, summary
