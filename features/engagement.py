"""Engagement: what people at the partner do in the portal, with content, mail and meetings."""

from __future__ import annotations

from typing import Any

from features.buckets import THOUSANDTHS
from features.definition import Definition, ViewDefinition
from features.inputs import Inputs
from features.windows import (
    distinct_items,
    extreme_days,
    live_since,
    present_days,
    trend,
    window_sums,
)

COUNTS = {
    "login": (7, 30, 90, 180),
    "content": (30, 90),
    "email": (30, 90),
    "meeting": (90, 180),
    "event": (30, 90),
}
ACTIVE = (30, 90)
_WHAT = {
    "login": "Portal logins",
    "content": "Content downloads",
    "email": "E-mail opens and clicks",
    "meeting": "Meetings",
    "event": "Events of any type",
}

VIEW = ViewDefinition(
    "engagement",
    "What people at the partner do in the portal, with content, mail and meetings.",
    ("events",),
    (
        *(
            Definition(f"{g}_count_{w}d", "count", f"{_WHAT[g]} in the last {w} days.")
            for g, windows in COUNTS.items()
            for w in windows
        ),
        *(
            Definition(f"active_days_{w}d", "days", f"Days with an event in the last {w} days.")
            for w in ACTIVE
        ),
        *(
            Definition(f"active_users_{w}d", "count", f"People with an event in the last {w} days.")
            for w in ACTIVE
        ),
        Definition("days_since_last_login", "days", "Days since the last portal login."),
        Definition("days_since_last_event", "days", "Days since the last event of any type."),
        Definition(
            "login_trend",
            "log ratio",
            "ln((login_count_30d + 1) / (login_count_90d / 3 + 1)); 0 is steady, below 0 is falling.",
        ),
    ),
)


def build(inputs: Inputs) -> Any | None:
    """Engagement features of every partner at every date; None without an events table."""
    days, users = inputs.bucket("event_days"), inputs.bucket("event_users")
    if days is None or users is None:
        return None
    grid, rows = inputs.grid, inputs.counted("event_days")
    measure = {g: "n_all" if g == "event" else f"n_{g}" for g in COUNTS}
    real = rows.filter(rows.n_all > 0)
    active = present_days(real, grid, corrected=days.corrected)
    rows = inputs.joined(
        window_sums(rows, grid, {f"{g}_count_{w}d": (measure[g], w) for g, ws in COUNTS.items() for w in ws}),
        window_sums(active, grid, {f"active_days_{w}d": ("one", w) for w in ACTIVE}),
        distinct_items(inputs.counted("event_users"), grid, {f"active_users_{w}d": w for w in ACTIVE}),
        extreme_days(rows.filter(rows.n_login > 0), grid, last="days_since_last_login"),
        extreme_days(real, grid, last="days_since_last_event"),
        once=(live_since(days, live=None), live_since(users, live_users=None)),
    )
    rows = rows.mutate(
        **{c: inputs.zero_if(rows, c, "live", scale=THOUSANDTHS) for c in VIEW.columns if "_count_" in c},
        **{f"active_days_{w}d": inputs.zero_if(rows, f"active_days_{w}d", "live") for w in ACTIVE},
        **{f"active_users_{w}d": inputs.zero_if(rows, f"active_users_{w}d", "live_users") for w in ACTIVE},
    )
    return rows.mutate(login_trend=trend(rows.login_count_30d, rows.login_count_90d, share=1 / 3))
