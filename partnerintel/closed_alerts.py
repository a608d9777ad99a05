"""What managers said when they closed alerts, as labels and as a check of the alerts.

`lost` says that the partner has left, often long before the silence that would prove it: it is treated as an
agreement that ended that day. The other outcomes say what somebody thought or did, not what became of the
partner; they are counted beside what did.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from partnerintel.settings import Project
from partnerintel.state import opened

if TYPE_CHECKING:
    from models.alerts.records import Alert


def risk_alerts(project: Project) -> list[Alert]:
    """All risk alerts there ever were, held-out ones included."""
    from sqlalchemy import select

    from serving.health.records import alert_of
    from serving.health.tables import ALERTS

    with opened(project) as database, database.read() as connection:
        bodies = connection.execute(select(ALERTS.c.body).order_by(ALERTS.c.alert_id)).scalars().all()
    return [a for a in map(alert_of, bodies) if a.kind == "risk"]


def with_lost(project: Project, terminations: Any, *, activity: Any) -> Any:
    """Agreements that ended, and partners an alert was closed as `lost` for.

    Whoever did something of value after that day was not lost: there the manager was wrong.

    Args:
        project: The workspace.
        terminations: DataFrame[partner_id, event_at, known_at, record_key] of `features.cohort.terminations`.
        activity: The same columns of `features.cohort.value_activity`.
    """
    import pandas as pd

    lost = [a for a in risk_alerts(project) if a.outcome == "lost" and a.closed_on is not None]
    if not lost:
        return terminations
    last = activity.groupby("partner_id")["event_at"].max()
    days = [pd.Timestamp(a.closed_on) for a in lost]
    rows = pd.DataFrame(
        {
            "partner_id": pd.Series([a.partner_id for a in lost], dtype=object),
            "event_at": pd.Series(days, dtype="datetime64[us]"),
            "known_at": pd.Series([d + timedelta(days=1) for d in days], dtype="datetime64[us]"),
            "record_key": pd.Series([f"alerts\x1f{a.alert_id}" for a in lost], dtype=object),
        }
    )
    gone = ~(rows["partner_id"].map(last) > rows["event_at"])
    both = pd.concat([terminations, rows[gone][list(terminations.columns)]], ignore_index=True)
    return both.sort_values(["partner_id", "known_at", "record_key"], ignore_index=True)


def said_and_done(alerts: Sequence[Alert], departed: Any) -> dict[str, dict[str, int]]:
    """By the outcome an alert was closed with: how many, and how many of those partners left within 90 days.

    Args:
        alerts: Alerts whose outcome is certain.
        departed: 0/1 for each.
    """
    from models.alerts.records import OUTCOMES

    found = {o: {"alerts": 0, "departed": 0} for o in OUTCOMES}
    for alert, left in zip(alerts, departed, strict=True):
        if alert.outcome in found:
            found[alert.outcome]["alerts"] += 1
            found[alert.outcome]["departed"] += int(left)
    return {o: counts for o, counts in found.items() if counts["alerts"]}
