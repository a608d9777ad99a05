"""One cycle of the whole policy: states move, alerts open, return, escalate and close.

The same function runs every night in serving and over the past in evaluation. Running a cycle twice with the
same readings changes nothing the second time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any, Literal

from models.alerts.playbook import Playbook
from models.alerts.queue import Candidate, Chosen, choose, large_margin
from models.alerts.records import Alert, close_by_itself, escalate, wake
from models.alerts.settings import AlertSettings
from models.alerts.states import Doors, Reading, RiskState, Track, step

What = Literal["opened", "returned", "escalated", "closed"]


@dataclass(frozen=True)
class Watched:
    """One partner in one cycle.

    Attributes:
        partner_id: Partner.
        manager_id: Its manager; empty: none.
        reading: Scores.
        probability: P(departure within 90 days); None: not enough evidence, so no alert opens.
        margin_cents: Margin at risk, integer cents.
        driver: Factor that raises the risk most.
        active: Whether it had a value activity recently enough to be asked about.
        departed: Whether it is known to have left.
        forced: State an override sets, or None; the machine goes on underneath.
    """

    partner_id: str
    manager_id: str
    reading: Reading
    probability: float | None
    margin_cents: int = 0
    driver: str = ""
    active: bool = True
    departed: bool = False
    forced: RiskState | None = None


@dataclass(frozen=True)
class Change:
    """Something that happened to an alert in a cycle."""

    what: What
    alert: Alert


@dataclass(frozen=True)
class Book:
    """What is remembered between cycles.

    Attributes:
        tracks: Partner → track.
        alerts: Alerts that are not closed, and those closed within the cool-down.
    """

    tracks: Mapping[str, Track] = field(default_factory=dict)
    alerts: Sequence[Alert] = ()


@dataclass(frozen=True)
class Turned:
    """A book after a cycle, and what changed in it."""

    book: Book
    changes: tuple[Change, ...]


def turn(
    book: Book,
    watched: Iterable[Watched],
    *,
    on: date,
    doors: Doors,
    settings: AlertSettings,
    playbook: Playbook,
    new_id: Callable[[str], str],
    silent_feeds: Iterable[str] = (),
) -> Turned:
    """Run one cycle.

    Args:
        book: As the last cycle left it.
        watched: Every partner that is asked about, once each.
        on: The day of the cycle.
        doors: Thresholds.
        settings: The policy.
        playbook: What to suggest.
        new_id: Gives an alert its identifier, from the partner.
        silent_feeds: Sources that have gone silent: one alert each, about data and not about partners.
    """
    cycle = settings.cycle(on)
    rows = sorted(watched, key=lambda w: w.partner_id)
    tracks = dict(book.tracks)
    for row in rows:
        before = tracks.get(row.partner_id)
        tracks[row.partner_id] = step(before, row.reading, cycle=cycle, doors=doors, settings=settings)
    stage = _Stage({r.partner_id: r for r in rows}, tracks, on, settings, playbook, new_id)
    stage.go_on(book.alerts)
    stage.feeds(sorted(set(silent_feeds)))
    stage.open_forced()
    stage.open_risks(cycle, fresh={p for p, t in tracks.items() if _moved(book.tracks.get(p), t)})
    return Turned(Book(tracks, tuple(stage.alerts)), tuple(stage.changes))


def _moved(before: Track | None, after: Track) -> bool:
    return before is None or after.cycle > before.cycle


@dataclass
class _Stage:
    """A cycle in progress."""

    rows: dict[str, Watched]
    tracks: Mapping[str, Track]
    on: date
    settings: AlertSettings
    playbook: Playbook
    new_id: Callable[[str], str]
    alerts: list[Alert] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    by_partner: dict[str, list[Alert]] = field(default_factory=dict)

    def state(self, partner_id: str) -> RiskState:
        """The state that counts: an override's, else the machine's."""
        row = self.rows.get(partner_id)
        if row is not None and row.forced is not None:
            return row.forced
        track = self.tracks.get(partner_id)
        return track.state if track else "ok"

    def go_on(self, alerts: Sequence[Alert]) -> None:
        """Close what is over, wake what was put off, escalate what nobody saw, follow a change of manager."""
        for alert in alerts:
            if alert.status != "closed" and alert.kind != "feed":
                row = self.rows.get(alert.partner_id)
                if row is not None and row.manager_id != alert.manager_id:
                    alert = replace(alert, manager_id=row.manager_id)
                alert = self._lived_on(alert, row)
            self._add(alert)

    def _add(self, alert: Alert) -> None:
        self.alerts.append(alert)
        self.by_partner.setdefault(alert.partner_id, []).append(alert)

    def _lived_on(self, alert: Alert, row: Watched | None) -> Alert:
        if row is not None and row.departed:
            return self._note("closed", close_by_itself(alert, outcome="departed", on=self.on))
        over = self.state(alert.partner_id) in ("ok", "watch")
        if over and row is not None:
            return self._note("closed", close_by_itself(alert, outcome="recovered", on=self.on))
        if alert.status == "snoozed" and alert.snoozed_until is not None and alert.snoozed_until <= self.on:
            return self._note("returned", wake(alert, on=self.on))
        late = (self.on - alert.opened_on).days >= self.settings.escalate_after_days
        if alert.status == "open" and late and alert.escalated_on is None and not alert.held_out:
            return self._note("escalated", escalate(alert, on=self.on))
        return alert

    def feeds(self, silent: Sequence[str]) -> None:
        """One alert for each silent feed; it closes when the feed speaks again."""
        known = {a.partner_id for a in self.alerts if a.kind == "feed" and a.status != "closed"}
        kept = []
        for alert in self.alerts:
            if alert.kind == "feed" and alert.status != "closed" and alert.partner_id not in silent:
                alert = self._note("closed", close_by_itself(alert, outcome="recovered", on=self.on))
            kept.append(alert)
        self.alerts = kept
        for feed in silent:
            if feed not in known:
                due = self.on + timedelta(days=2)
                opened = Alert(
                    self.new_id(feed), feed, "", "feed", self.on, feed, "mend_the_feed", due, None, 0
                )
                self._add(self._note("opened", opened))

    def open_forced(self) -> None:
        """A partner somebody declared to be at risk has an alert, whatever the budget."""
        for partner_id, row in self.rows.items():
            if row.forced == "at_risk" and not row.departed and not self._blocked(partner_id, "manual"):
                self._open(row, kind="manual", held_out=False, propensity=0.0)

    def open_risks(self, cycle: int, *, fresh: set[str]) -> None:
        """New alerts within the budgets."""
        waiting: dict[str, int] = {}
        for alert in self.alerts:
            if alert.waits and alert.kind != "feed":
                waiting[alert.manager_id] = waiting.get(alert.manager_id, 0) + 1
        large = large_margin(
            (r.margin_cents for r in self.rows.values()), share=self.settings.holdout_below_share
        )
        candidates = [c for p in sorted(fresh) if (c := self._candidate(p)) is not None]
        for one in choose(
            candidates, waiting=waiting, large_cents=large, cycle=cycle, settings=self.settings
        ):
            self._open_chosen(one)

    def _candidate(self, partner_id: str) -> Candidate | None:
        row = self.rows.get(partner_id)
        if row is None or row.departed or not row.active or row.probability is None or row.forced is not None:
            return None
        if self.tracks[partner_id].state != "at_risk" or self._blocked(partner_id, "risk"):
            return None
        return Candidate(partner_id, row.manager_id, row.probability, row.margin_cents)

    def _blocked(self, partner_id: str, kind: str) -> bool:
        """One open alert a partner, and a pause after the last one of the same cause.

        An alert that is held out does not stand in the way of somebody who declares a risk by hand.
        """
        pause = timedelta(days=self.settings.cooldown_days)
        for alert in self.by_partner.get(partner_id, ()):
            if alert.status != "closed":
                if kind == "risk" or not alert.held_out:
                    return True
            elif alert.kind == kind and alert.closed_on is not None and self.on - alert.closed_on < pause:
                return True
        return False

    def _open_chosen(self, one: Chosen) -> None:
        row = self.rows[one.candidate.partner_id]
        self._open(row, kind="risk", held_out=one.held_out, propensity=one.propensity)

    def _open(self, row: Watched, *, kind: Any, held_out: bool, propensity: float) -> None:
        play = self.playbook.play(row.driver)
        alert = Alert(
            alert_id=self.new_id(row.partner_id),
            partner_id=row.partner_id,
            manager_id=row.manager_id,
            kind=kind,
            opened_on=self.on,
            driver=row.driver,
            play=play.key,
            due_on=self.on + timedelta(days=play.due_days),
            probability=row.probability,
            margin_cents=row.margin_cents,
            held_out=held_out,
            propensity=propensity,
        )
        self._add(self._note("opened", alert))

    def _note(self, what: What, alert: Alert) -> Alert:
        self.changes.append(Change(what, alert))
        return alert
