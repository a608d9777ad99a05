"""The hidden course of each partnership: engagement week by week, check-ins, hazard, departure.

Engagement is an AR(1) with shocks: a change of manager, incidents in a country, and the portal relaunch of
`shift_at`. Departure comes when the cumulated hazard passes a threshold drawn once per partner, so that "what
if it had been treated" has an answer for the very same partner.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from data.simulate.config import RichConfig
from data.simulate.rich.population import Population
from data.simulate.streams import Floats, normal, uniform

PERSISTENCE = 0.92  # per week: shocks halve in about eight weeks
CHECKIN_WEEKS = 12
INCIDENTS = ((0.22, 1), (0.48, 0), (0.71, 3))  # (share of the period, country code)


@dataclass(frozen=True)
class Course:
    """Partner × week arrays.

    Attributes:
        engagement: Hidden state, standard deviation about 1.
        hazard: Departure hazard of the week.
        checkin: Whether a manager checked in that week.
        propensity: Probability with which the check-in happened.
        departed_day: Day after the start on which the partner left; infinity: never.
        threshold: Cumulated hazard at which it leaves.
        fraction: Place of the departure within its week, 0–1.
        exposure: Share of each week in which the partner is signed and present, 0–1.
    """

    engagement: Floats
    hazard: Floats
    checkin: Any
    propensity: Floats
    departed_day: Floats
    threshold: Floats
    fraction: Floats
    exposure: Floats


def build_course(config: RichConfig, who: Population) -> Course:
    """Simulate all partners at once, week by week."""
    engagement = _engagement(config, who)
    propensity = np.where(engagement < -0.4, 0.035, 0.006) * (1.0 if config.interventions else 0.0)
    week = np.arange(config.weeks)[None, :]
    checkin = uniform(config.seed, "checkin", who.column, week) < propensity
    hazard = base_hazard(config, who, engagement) * _treated(checkin, who.uplift)
    threshold = -np.log(uniform(config.seed, "departure", who.index))
    fraction = uniform(config.seed, "departure.day", who.index)
    departed = departure_day(config, who, hazard, threshold, fraction)
    exposure = _exposure(week, np.maximum(who.signed_day, 0), np.minimum(departed, config.days))
    return Course(engagement, hazard, checkin, propensity, departed, threshold, fraction, exposure)


def _engagement(config: RichConfig, who: Population) -> Floats:
    week = np.arange(config.weeks)
    noise = normal(config.seed, "engagement", who.column, week[None, :])
    noise *= np.sqrt(1 - PERSISTENCE**2)
    change = np.floor(who.change_day / 7).astype(np.int64)
    noise -= 0.7 * (week[None, :] == change[:, None])
    for share, country in INCIDENTS:
        hit = who.firms.country == country
        noise[:, int(share * config.weeks)] -= 0.5 * hit
    state = np.empty_like(noise)
    state[:, 0] = normal(config.seed, "engagement.first", who.index)
    for t in range(1, config.weeks):
        state[:, t] = PERSISTENCE * state[:, t - 1] + noise[:, t]
    return state


def base_hazard(config: RichConfig, who: Population, engagement: Floats) -> Floats:
    """Weekly hazard without any check-in: engagement, quality, tenure, type, and an interaction."""
    week = np.arange(config.weeks)[None, :]
    tenure_weeks = np.maximum(week - who.signed_day[:, None] / 7, 0)
    slope = np.full((1, config.weeks), -0.85)
    level = np.zeros((1, config.weeks))
    if config.shift_at is not None:
        after = week * 7 >= (config.shift_at - config.start).days
        level = np.log(config.shift_hazard) * after
        slope = np.where(after & config.shift_flip, 0.85, slope)
    low_touch = who.firms.services[:, None] & (engagement < -0.5)
    log_ratio = (
        slope * engagement
        - 0.35 * who.quality[:, None]
        - 0.30 * who.firms.size[:, None]
        + 0.45 * (who.firms.kind == 2)[:, None]
        + 0.6 * low_touch
        + 0.8 * np.exp(-tenure_weeks / 26)
    )
    return np.minimum(config.hazard_weekly * np.exp(level + config.signal * log_ratio), 0.5)


def _treated(checkin: Any, uplift: Floats) -> Floats:
    """Hazard ratio in force: a check-in lasts twelve weeks."""
    active = np.zeros(checkin.shape, dtype=bool)
    for lag in range(CHECKIN_WEEKS):
        active[:, lag:] |= checkin[:, : checkin.shape[1] - lag]
    return np.where(active, uplift[:, None], 1.0)


def departure_day(
    config: RichConfig, who: Population, hazard: Floats, threshold: Floats, fraction: Floats
) -> Floats:
    """Day on which the cumulated hazard since signing (or the start) passes the threshold."""
    week = np.arange(config.weeks)[None, :]
    present = (week + 1) * 7 > np.maximum(who.signed_day, 0)[:, None] + 7
    passed = np.cumsum(hazard * present, axis=1) >= threshold[:, None]
    first = np.argmax(passed, axis=1)
    day = np.floor(first * 7 + 7 * fraction)
    return np.where(passed.any(axis=1) & (day < config.days), day, np.inf)


def _exposure(week: Any, begin: Floats, end: Floats) -> Floats:
    """Overlap of each week with [begin, end), as a share of the week."""
    low = np.maximum(week * 7, begin[:, None])
    high = np.minimum(week * 7 + 7, end[:, None])
    return np.clip(high - low, 0, 7) / 7.0
