"""Enablement: certified people and trainings completed."""

from __future__ import annotations

from typing import Any

from features.buckets import THOUSANDTHS
from features.definition import Definition, ViewDefinition
from features.inputs import KEYS, Inputs
from features.versions import first_midnight, spans
from features.windows import live_since, window_sums

TRAINING = (90, 180)
EXPIRING_DAYS = 90

VIEW = ViewDefinition(
    "enablement",
    "Certified people and trainings completed.",
    ("certifications", "events"),
    (
        Definition("certified_users_count", "count", "People with a certificate that is valid at the date."),
        Definition("certifications_active_count", "count", "Certificates that are valid at the date."),
        Definition(
            "certifications_expiring_90d_count", "count", "Valid certificates that expire within 90 days."
        ),
        Definition("days_since_last_certification", "days", "Days since a certificate was last earned."),
        *(
            Definition(f"training_count_{w}d", "count", f"Trainings completed in the last {w} days.")
            for w in TRAINING
        ),
    ),
)
_COUNTS = ("certified_users_count", "certifications_active_count", "certifications_expiring_90d_count")


def build(inputs: Inputs) -> Any | None:
    """Enablement features of every partner at every date; None without certifications and events."""
    parts: list[Any] = []
    once: list[Any] = []
    certified = inputs.source.has("certifications")
    if certified:
        rows = spans(inputs.source, "certifications")
        parts.append(_certificates(rows, inputs))
        once.append(inputs.live(rows, "live_certificates"))
    days = inputs.bucket("event_days")
    if days is not None:
        wanted = {f"training_count_{w}d": ("n_training", w) for w in TRAINING}
        parts.append(window_sums(inputs.counted("event_days"), inputs.grid, wanted))
        once.append(live_since(days, live_events=None))
    if not parts:
        return None
    rows = inputs.joined(*parts, once=tuple(once))
    if certified:
        rows = rows.mutate(**{c: inputs.zero_if(rows, c, "live_certificates") for c in _COUNTS})
    if days is not None:
        trained = [f"training_count_{w}d" for w in TRAINING]
        rows = rows.mutate(**{c: inputs.zero_if(rows, c, "live_events", scale=THOUSANDTHS) for c in trained})
    return rows


def _certificates(rows: Any, inputs: Inputs) -> Any:
    dates = inputs.grid.table()
    # Valid until the moment of expiry: at a midnight that is the first one at or after it.
    rows = rows.mutate(expiry_day=first_midnight(rows.expires_at))
    rows = rows.join(
        dates,
        [rows.known_day <= dates.as_of, dates.as_of < rows.gone_day, rows.event_day < dates.as_of],
    )
    valid = rows.expiry_day.isnull() | (rows.expiry_day > rows.as_of)
    soon = valid & (rows.expiry_day <= rows.as_of + EXPIRING_DAYS)
    return rows.group_by(*KEYS).agg(
        certified_users_count=rows.user_id.nunique(where=valid),
        certifications_active_count=rows.count(where=valid),
        certifications_expiring_90d_count=rows.count(where=soon.fill_null(False)),
        days_since_last_certification=(rows.as_of.max() - rows.event_day.max()).cast("float64"),
    )
