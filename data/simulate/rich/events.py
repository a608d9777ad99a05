"""Engagement events: logins, downloads, mails, meetings, trainings, tickets; several users and feeds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from data.simulate.config import RichConfig
from data.simulate.rich.engagement import Course
from data.simulate.rich.messy import reported_late, with_copies
from data.simulate.rich.population import Population
from data.simulate.streams import Floats, Ints, below, choice, expand, normal, poisson, uniform
from data.simulate.world import days_after

WEEKDAY_WEIGHTS = (0.21, 0.2, 0.19, 0.19, 0.16, 0.03, 0.02)


@dataclass(frozen=True)
class Signal:
    """A kind of event: mean per week for a typical partner, and what moves it.

    Attributes:
        name: Event type.
        source: Feed.
        weekly: Mean per week.
        loading: Effect of engagement on the log rate.
        scale: Effect of size on the log rate.
        spread: Standard deviation of the partner's own habit, on the log rate.
        relaunch: Change of the log rate with the portal relaunch.
        late_share: Share of rows that are known late.
        late_days: Mean lateness of those.
    """

    name: str
    source: str
    weekly: float
    loading: float
    scale: float
    spread: float = 0.45
    relaunch: float = 0.0
    late_share: float = 0.0
    late_days: float = 0.0


SIGNALS = (
    Signal("portal_login", "portal", 1.55, 0.55, 0.35, relaunch=-0.35, late_share=0.02, late_days=1.5),
    Signal("content_download", "portal", 0.42, 0.5, 0.3, relaunch=-0.2, late_share=0.02, late_days=1.5),
    Signal("email_open", "mail", 0.75, 0.3, 0.15, relaunch=0.2),
    Signal("email_click", "mail", 0.17, 0.45, 0.15),
    Signal("meeting", "crm", 0.11, 0.4, 0.25, late_share=0.35, late_days=6),
    Signal("training_completed", "lms", 0.12, 0.5, 0.3, late_share=0.25, late_days=9),
    Signal("ticket_opened", "support", 0.16, -0.1, 0.35, late_share=0.05, late_days=2),
)


def user_counts(seed: int, who: Population) -> Ints:
    """People at each partner who use the portal."""
    return 1 + poisson(1.2 + 1.2 * np.clip(who.firms.size + 1, 0, 4), seed, "users", who.index)


def season(config: RichConfig) -> Floats:
    """Log multiplier of each week: calm August and turn of the year, busy quarter ends."""
    first = np.datetime64(config.start, "D")
    days = first + 7 * np.arange(config.weeks).astype("timedelta64[D]")
    month = days.astype("datetime64[M]").astype(int) % 12 + 1
    week_of_year = (days - days.astype("datetime64[Y]").astype("datetime64[D]")).astype(int) // 7
    quiet = -0.3 * (month == 8) - 0.5 * ((week_of_year >= 51) | (week_of_year == 0))
    return quiet + 0.12 * np.isin(month, (3, 6, 9, 12))


def build_events(config: RichConfig, who: Population, course: Course) -> pd.DataFrame:
    """The events table."""
    users = user_counts(config.seed, who)
    parts = [_signal(config, who, course, users, s, code) for code, s in enumerate(SIGNALS)]
    parts.append(_checkins(config, who, course))
    columns = {k: np.concatenate([p[k] for p in parts]) for k in parts[0]}
    return with_copies(config, columns)


def _signal(
    config: RichConfig, who: Population, course: Course, users: Ints, signal: Signal, code: int
) -> dict[str, Any]:
    seed, week = config.seed, np.arange(config.weeks)[None, :]
    stream = f"event.{signal.name}"
    counts = poisson(_rate(config, who, course, signal), seed, stream, who.column, week)
    cell, nth = expand(counts)
    row, at_week = np.divmod(cell, config.weeks)
    entity = who.index[row]
    begin = np.maximum(who.signed_day, 0)[row]
    day = at_week * 7 + choice(WEEKDAY_WEIGHTS, seed, f"{stream}.day", entity, at_week, nth)
    hour = (7 + 12 * uniform(seed, f"{stream}.hour", entity, at_week, nth)) / 24
    day = _inside(day + 0.0, begin, np.minimum(course.departed_day, config.days)[row])
    user = below(users[row], seed, f"{stream}.user", entity, at_week, nth)
    number = ((entity * config.weeks + at_week) * 256 + np.minimum(nth, 255)) * 16 + code
    late = reported_late(
        uniform(seed, f"{stream}.late", entity, at_week, nth),
        share=signal.late_share * config.messy,
        mean_days=signal.late_days,
    )
    return _columns(config, who.ids[row], entity, number, signal.name, signal.source, user, day + hour, late)


def _rate(config: RichConfig, who: Population, course: Course, signal: Signal) -> Floats:
    habit = signal.spread * normal(config.seed, f"habit.{signal.name}", who.index)
    log_rate = signal.scale * who.firms.size + habit + 0.15 * who.quality
    relaunched: Floats = np.zeros(config.weeks)
    if config.shift_at is not None:
        relaunched = signal.relaunch * (np.arange(config.weeks) * 7 >= (config.shift_at - config.start).days)
    log_rate = log_rate[:, None] + signal.loading * course.engagement + (season(config) + relaunched)[None, :]
    return np.minimum(signal.weekly * config.event_rate * np.exp(log_rate) * course.exposure, 200.0)


def _inside(day: Floats, begin: Floats, end: Floats) -> Floats:
    """Days kept within [begin, end): those outside fold back in, so that weekly counts stay."""
    return np.where((day < begin) | (day >= end), np.clip(day, begin, np.maximum(end - 1, begin)), day)


def _checkins(config: RichConfig, who: Population, course: Course) -> dict[str, Any]:
    row, at_week = np.nonzero(course.checkin & (course.exposure > 0.99))
    entity = who.index[row]
    day = at_week * 7 + 1 + 0.45
    number = ((entity * config.weeks + at_week) * 256) * 16 + 15
    late = np.zeros(row.size)
    user = np.zeros(row.size, dtype=np.int64)
    return _columns(config, who.ids[row], entity, number, "manager_checkin", "crm", user, day, late)


def _columns(
    config: RichConfig,
    ids: Any,
    entity: Ints,
    number: Ints,
    kind: str,
    source: str,
    user: Ints,
    day: Floats,
    late: Floats,
) -> dict[str, Any]:
    return {
        "number": number,
        "partner_id": ids,
        "event_type": np.full(entity.size, kind, dtype=object),
        "user": entity * 64 + np.minimum(user, 63),
        "source": np.full(entity.size, source, dtype=object),
        "quantity": np.ones(entity.size),
        "event_at": days_after(config.start, day),
        "known_at": days_after(config.start, day + late),
    }
