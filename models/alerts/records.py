"""An alert, and what people may do with it. Every change gives a new record; what is forbidden says why."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Literal

from data.errors import InputError

Status = Literal["open", "acknowledged", "snoozed", "closed"]
Kind = Literal["risk", "manual", "feed"]
OUTCOMES = ("true_risk", "false_alarm", "already_known", "saved", "lost", "not_actionable")
"""What a manager may close an alert with."""
BY_ITSELF = ("recovered", "departed")
"""What an alert closes with when nobody closes it."""
LONGEST_SNOOZE_DAYS = 365


@dataclass(frozen=True)
class Alert:
    """One alert.

    Attributes:
        alert_id: Identifier.
        partner_id: Whom it is about; of a feed alert, the feed.
        manager_id: In whose queue it stands; empty: nobody's.
        kind: `risk` by the state machine, `manual` by an override, `feed` for a silent source.
        opened_on: Day of opening.
        driver: Business factor that raises the risk most.
        play: Key of the suggested playbook entry.
        due_on: By when to have acted.
        probability: P(departure within 90 days) when opened; None where there was none.
        margin_cents: Margin at risk when opened, in integer cents.
        status: Where it stands.
        held_out: Silently held out: shown to nobody, told to nobody.
        propensity: Chance with which it was held out, 0 for those that never are.
        assignee: Who works on it; empty: the manager.
        acknowledged_on: First day somebody took note.
        snoozed_until: It comes back on this day if it is still true.
        snooze_reason: Why it was put off.
        returned_on: Day it came back from a snooze.
        escalated_on: Day it was escalated.
        closed_on: Day it was closed.
        outcome: One of `OUTCOMES`, or of `BY_ITSELF`.
        note: What was said at the end.
    """

    alert_id: str
    partner_id: str
    manager_id: str
    kind: Kind
    opened_on: date
    driver: str = ""
    play: str = ""
    due_on: date | None = None
    probability: float | None = None
    margin_cents: int = 0
    status: Status = "open"
    held_out: bool = False
    propensity: float = 0.0
    assignee: str = ""
    acknowledged_on: date | None = None
    snoozed_until: date | None = None
    snooze_reason: str = ""
    returned_on: date | None = None
    escalated_on: date | None = None
    closed_on: date | None = None
    outcome: str = ""
    note: str = ""

    @property
    def waits(self) -> bool:
        """Whether it takes a place in the manager's queue."""
        return self.status in ("open", "acknowledged") and not self.held_out

    @property
    def priority(self) -> float:
        """Expected loss when opened: P(departure in 90 days) × margin at risk, in cents."""
        return (self.probability or 0.0) * self.margin_cents


def acknowledge(alert: Alert, *, on: date) -> Alert:
    """Somebody took note; twice is once."""
    _not_closed(alert)
    if alert.status == "acknowledged":
        return alert
    return replace(alert, status="acknowledged", acknowledged_on=alert.acknowledged_on or on)


def assign(alert: Alert, *, to: str, on: date) -> Alert:
    """Give it to somebody, who thereby knows of it."""
    _not_closed(alert)
    if not to.strip():
        raise InputError("An alert is assigned to somebody.", allowed="a name", pointer="/assignee")
    taken = alert if alert.status == "snoozed" else acknowledge(alert, on=on)
    return replace(taken, assignee=to)


def snooze(alert: Alert, *, until: date, reason: str, on: date) -> Alert:
    """Put it off; meanwhile no other one opens for the same partner and cause."""
    _not_closed(alert)
    if not on < until <= on + timedelta(days=LONGEST_SNOOZE_DAYS):
        raise InputError(
            f"An alert cannot be put off until {until}.",
            allowed=f"a day from {on + timedelta(days=1)} to {on + timedelta(days=LONGEST_SNOOZE_DAYS)}",
            pointer="/until",
        )
    if not reason.strip():
        raise InputError("Putting an alert off needs a reason.", allowed="some words", pointer="/reason")
    return replace(alert, status="snoozed", snoozed_until=until, snooze_reason=reason)


def close(alert: Alert, *, outcome: str, note: str = "", on: date) -> Alert:
    """Close it with what it came to: the outcome is a label for the next training."""
    _not_closed(alert)
    if outcome not in OUTCOMES:
        raise InputError(
            f"An alert cannot be closed with {outcome!r}.", allowed=", ".join(OUTCOMES), pointer="/outcome"
        )
    return replace(alert, status="closed", outcome=outcome, note=note, closed_on=on)


def close_by_itself(alert: Alert, *, outcome: str, on: date) -> Alert:
    """The cause is gone."""
    return replace(alert, status="closed", outcome=outcome, closed_on=on)


def wake(alert: Alert, *, on: date) -> Alert:
    """Back from a snooze, once."""
    return replace(alert, status="open", returned_on=on, snoozed_until=None)


def escalate(alert: Alert, *, on: date) -> Alert:
    """Nobody took note for too long."""
    return replace(alert, escalated_on=on)


def _not_closed(alert: Alert) -> None:
    if alert.status == "closed":
        raise InputError(
            f"The alert was closed on {alert.closed_on}.",
            next_step="A new one opens by itself if the risk comes back.",
        )
