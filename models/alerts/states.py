"""The risk state of one partner: ok, watch, at risk, recovering, on a moving average with two-sided doors.

What a model change, or a feed gone silent, adds to a score is kept apart (`shift`, `frozen`) and does not
move the state: that is judged by what the partner did. Where only the new model sees a risk, the partner is
watched.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from models.alerts.settings import AlertSettings

RiskState = Literal["ok", "watch", "at_risk", "recovering"]
Cause = Literal["behaviour", "model"]
TINY = 1e-9


@dataclass(frozen=True)
class Doors:
    """The thresholds on the scale of eta, the calibrated log hazard or log-odds.

    Attributes:
        watch_from: ok → watch.
        ok_below: watch or recovering → ok.
        at_risk_from: → at risk.
        recover_below: at risk → recovering.
    """

    watch_from: float
    ok_below: float
    at_risk_from: float
    recover_below: float

    @classmethod
    def of(cls, settings: AlertSettings, *, link: str) -> Doors:
        """Probabilities brought to the scale of a model with that link."""
        back = log_odds if link == "log_odds" else log_hazard
        return cls(
            back(settings.watch_from),
            back(settings.ok_below),
            back(settings.at_risk_from),
            back(settings.recover_below),
        )


def log_odds(probability: float) -> float:
    """Inverse of the logistic function."""
    return math.log(probability) - math.log1p(-probability)


def log_hazard(probability: float) -> float:
    """Inverse of 1 − exp(−exp(eta))."""
    return math.log(-math.log1p(-probability))


@dataclass(frozen=True)
class Reading:
    """What is known of a partner in one cycle.

    Attributes:
        eta: Calibrated eta by the model in service.
        model: Version of that model.
        previous_eta: Eta of the same features by the version of the last cycle; None when it is the same
            version, or when the old one cannot be had (the state then waits: nothing is judged anew).
        frozen: Part of eta that only features of a silent feed brought since that feed was last well.
    """

    eta: float
    model: str
    previous_eta: float | None = None
    frozen: float = 0.0


@dataclass(frozen=True)
class Track:
    """What is remembered of a partner between cycles.

    Attributes:
        cycle: Number of the last cycle.
        state: State after it.
        since: Cycle in which the state was entered.
        smoothed: Moving average of what the partner did, on the scale of eta.
        level: Its newest value.
        shift: What model changes added to eta and the state does not count yet.
        model: Version of the model of the last cycle.
        cause: What brought the state.
    """

    cycle: int
    state: RiskState
    since: int
    smoothed: float
    level: float
    shift: float
    model: str
    cause: Cause = "behaviour"


def step(
    track: Track | None, reading: Reading, *, cycle: int, doors: Doors, settings: AlertSettings
) -> Track:
    """The track after one more reading; a second reading in the same cycle changes nothing.

    Args:
        track: As it was; None: first seen.
        reading: This cycle's.
        cycle: Number of this cycle.
        doors: Thresholds.
        settings: Smoothing and dwell.
    """
    if track is None:
        level = reading.eta - reading.frozen
        state = _first(level, doors)
        return Track(cycle, state, cycle, level, level, 0.0, reading.model)
    if cycle <= track.cycle:
        return track
    shift = _shift(track, reading)
    level = reading.eta - reading.frozen - shift
    keep = (1.0 - settings.smoothing) ** (cycle - track.cycle)
    smoothed = keep * track.smoothed + (1.0 - keep) * level
    state = _next(track, smoothed, smoothed + max(shift, 0.0), cycle, doors, settings)
    cause: Cause = "behaviour" if state != track.state else track.cause
    if state == "ok" and smoothed + shift >= doors.watch_from:
        state, cause = "watch", "model" if track.state != "watch" else track.cause
    since = cycle if state != track.state else track.since
    moved = Track(cycle, state, since, smoothed, level, shift, reading.model, cause)
    return _settled(moved, doors)


def _shift(track: Track, reading: Reading) -> float:
    if reading.model == track.model:
        return track.shift
    if reading.previous_eta is None:
        # The old model cannot be asked: take the partner as unchanged.
        return reading.eta - reading.frozen - track.level
    return track.shift + reading.eta - reading.previous_eta


def _settled(track: Track, doors: Doors) -> Track:
    """Forget the shift where old and new model agree on the zone, now and where the average is heading."""
    if abs(track.shift) <= TINY:
        return track
    pairs = ((track.smoothed, track.smoothed + track.shift), (track.level, track.level + track.shift))
    if any(_zone(a, doors) != _zone(b, doors) for a, b in pairs):
        return track
    return Track(
        track.cycle, track.state, track.since, track.smoothed + track.shift, track.level + track.shift,
        0.0, track.model, track.cause,
    )  # fmt: skip


def _zone(value: float, doors: Doors) -> int:
    """How many doors lie at or below a value."""
    return sum(
        value >= door for door in (doors.ok_below, doors.watch_from, doors.recover_below, doors.at_risk_from)
    )


def _first(value: float, doors: Doors) -> RiskState:
    if value >= doors.at_risk_from:
        return "at_risk"
    return "watch" if value >= doors.watch_from else "ok"


def _next(
    track: Track, value: float, worst: float, cycle: int, doors: Doors, settings: AlertSettings
) -> RiskState:
    """The next state. `worst` also counts what a new model sees: with it a partner stays watched."""
    stayed = cycle - track.since
    state = track.state
    if value >= doors.at_risk_from:
        return "at_risk"
    if state == "ok":
        return "watch" if value >= doors.watch_from else "ok"
    if stayed < settings.dwell_cycles:
        return state
    if state == "watch":
        return "ok" if worst < doors.ok_below else "watch"
    if state == "at_risk":
        return "recovering" if value < doors.recover_below else "at_risk"
    if value < doors.ok_below:
        return "ok"
    return "watch" if stayed >= settings.settle_cycles else "recovering"
