"""Truth tables of the rich world: never part of what a customer would have."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from data.simulate.config import RichConfig
from data.simulate.rich.accounts import Accounts, truth_of
from data.simulate.rich.engagement import INCIDENTS, Course
from data.simulate.rich.firmographics import COUNTRIES
from data.simulate.rich.messy import at
from data.simulate.rich.population import Population


def build_truth(
    config: RichConfig, who: Population, course: Course, accounts: Accounts
) -> dict[str, pd.DataFrame]:
    """Frames by name: partners, weekly, interventions, calendar, accounts."""
    return {
        "partners": _partners(config, who, course),
        "weekly": _weekly(config, who, course),
        "interventions": _interventions(config, who, course),
        "calendar": _calendar(config),
        "accounts": truth_of(accounts),
    }


def _partners(config: RichConfig, who: Population, course: Course) -> pd.DataFrame:
    left = np.where(np.isfinite(course.departed_day), course.departed_day, np.nan)
    values: dict[str, Any] = {
        "partner_id": who.ids,
        "departed_at": at(config, left),
        "fit_probability": who.fit,
        "productive": who.productive,
        "quality": who.quality,
        "favourite": who.favourite,
        "checkin_hazard_ratio": who.uplift,
    }
    return pd.DataFrame(values).sort_values("partner_id", ignore_index=True)


def _weekly(config: RichConfig, who: Population, course: Course) -> pd.DataFrame:
    """Engagement and hazard of every week in which the partner was there at its beginning."""
    order = np.argsort(who.ids)
    week = np.arange(config.weeks)
    start = np.maximum(who.signed_day, 0)[order, None]
    there = (week[None, :] * 7 >= start) & (week[None, :] * 7 < course.departed_day[order, None])
    row, column = np.nonzero(there)
    return pd.DataFrame(
        {
            "partner_id": who.ids[order][row],
            "week_start": at(config, column * 7.0),
            "engagement": course.engagement[order][row, column],
            "hazard": course.hazard[order][row, column],
        }
    )


def _interventions(config: RichConfig, who: Population, course: Course) -> pd.DataFrame:
    """Check-ins that took place, the propensity of each, and how it changes the hazard for twelve weeks."""
    order = np.argsort(who.ids)
    row, week = np.nonzero((course.checkin & (course.exposure > 0.99))[order])
    return pd.DataFrame(
        {
            "partner_id": who.ids[order][row],
            "week_start": at(config, week * 7.0),
            "propensity": course.propensity[order][row, week],
            "hazard_ratio": who.uplift[order][row],
        }
    )


def _calendar(config: RichConfig) -> pd.DataFrame:
    """What hit everybody, or a country, and when."""
    rows = [("incident", COUNTRIES[c], int(s * config.weeks) * 7.0) for s, c in INCIDENTS]
    if config.shift_at is not None:
        rows.append(("portal relaunch", "", float((config.shift_at - config.start).days)))
    what, country, day = zip(*rows, strict=True)
    return pd.DataFrame({"what": what, "country": country, "event_at": at(config, np.array(day))})
