"""Which partners at risk become alerts: the most valuable ones a manager has room for, some held out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from models.alerts.draws import draw
from models.alerts.settings import AlertSettings


@dataclass(frozen=True)
class Candidate:
    """A partner at risk without an alert.

    Attributes:
        partner_id: Whom it is about.
        manager_id: Whose queue it would stand in.
        probability: P(departure within 90 days).
        margin_cents: Margin at risk, integer cents.
    """

    partner_id: str
    manager_id: str
    probability: float
    margin_cents: int

    @property
    def priority(self) -> float:
        """Expected loss in cents."""
        return self.probability * self.margin_cents


@dataclass(frozen=True)
class Chosen:
    """A candidate that becomes an alert, shown or held out."""

    candidate: Candidate
    held_out: bool
    propensity: float


def choose(
    candidates: Iterable[Candidate],
    *,
    waiting: dict[str, int],
    large_cents: int,
    cycle: int,
    settings: AlertSettings,
) -> list[Chosen]:
    """The candidates that become alerts in this cycle, by manager.

    Each manager's candidates are gone through in order of expected loss until the queue is full. One that is
    held out takes no place. Whether it is depends on partner and cycle alone, so its chance is exact.

    Args:
        candidates: Partners at risk without an alert.
        waiting: Manager → alerts already in the queue.
        large_cents: Partners with more margin than this are never held out.
        cycle: Number of the cycle.
        settings: Budget and hold-out.
    """
    by_manager: dict[str, list[Candidate]] = {}
    for one in candidates:
        by_manager.setdefault(one.manager_id, []).append(one)
    chosen: list[Chosen] = []
    for manager in sorted(by_manager):
        room = settings.budget_per_manager - waiting.get(manager, 0)
        chosen += _fill(ranked(by_manager[manager]), room, large_cents, cycle, settings)
    return chosen


def _fill(
    queue: Sequence[Candidate], room: int, large_cents: int, cycle: int, settings: AlertSettings
) -> list[Chosen]:
    chosen: list[Chosen] = []
    for one in queue:
        if room <= 0:
            break
        share = settings.holdout_share if one.margin_cents <= large_cents else 0.0
        held = draw(settings.seed, "hold-out", one.partner_id, cycle) < share
        chosen.append(Chosen(one, held, share))
        room -= not held
    return chosen


def ranked(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Greatest expected loss first; ties by probability, then by a draw that favours nobody for ever."""
    return sorted(candidates, key=lambda c: (-c.priority, -c.probability, draw(0, c.partner_id)))


def large_margin(margins_cents: Iterable[int], *, share: float) -> int:
    """The margin that `share` of the partners do not exceed: above it a partner is a large account."""
    ordered = sorted(margins_cents)
    if not ordered:
        return 0
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]
