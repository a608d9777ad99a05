"""Certifications that expire, and satisfaction surveys that the unhappy leave unanswered."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit

from data.simulate.config import RichConfig
from data.simulate.rich.engagement import Course
from data.simulate.rich.events import user_counts
from data.simulate.rich.messy import at, exported, reported_late
from data.simulate.rich.population import Population
from data.simulate.streams import Floats, below, choice, expand, normal, poisson, uniform
from data.simulate.world import labels

QUARTER_WEEKS = 13


def build_certifications(config: RichConfig, who: Population, course: Course) -> pd.DataFrame:
    """Certificates earned; valid one or two years."""
    seed, week = config.seed, np.arange(config.weeks)[None, :]
    rate = 0.035 * np.exp(0.5 * course.engagement + 0.35 * who.firms.size[:, None]) * (course.exposure > 0.99)
    cell, nth = expand(poisson(rate, seed, "cert", who.column, week))
    row, at_week = np.divmod(cell, config.weeks)
    key = (who.index[row], at_week, nth)
    day = at_week * 7 + 6.9 * uniform(seed, "cert.day", *key)
    level = choice((0.6, 0.3, 0.1), seed, "cert.level", *key)
    valid = np.where(level == 0, 365, 730)
    late = reported_late(uniform(seed, "cert.late", *key), share=0.2 if config.messy else 0.0, mean_days=8)
    user = below(user_counts(seed, who)[row], seed, "cert.user", *key)
    names = np.array(("sales", "presales", "deployment", "support"), dtype=object)
    number = (key[0] * config.weeks + at_week) * 16 + np.minimum(nth, 15)
    return exported(
        config,
        "certifications",
        {
            "certification_id": labels("Z", number, width=9),
            "partner_id": who.ids[row],
            "user_id": labels("U", key[0] * 64 + np.minimum(user, 63), width=8),
            "name": names[below(4, seed, "cert.name", *key)],
            "level": np.array(("basic", "advanced", "expert"), dtype=object)[level],
            "expires_at": at(config, np.floor(day) + valid),
            "event_at": at(config, day),
            "known_at": at(config, day + late),
        },
    )


def satisfaction(config: RichConfig, who: Population, course: Course) -> Floats:
    """Hidden satisfaction, partner × week: engagement, quality and a mood of its own."""
    mood = normal(config.seed, "mood", who.column, np.arange(config.weeks)[None, :] // QUARTER_WEEKS)
    return 0.6 * course.engagement + 0.3 * who.quality[:, None] + 0.5 * mood


def build_surveys(config: RichConfig, who: Population, course: Course) -> pd.DataFrame:
    """Quarterly surveys; whether one answers depends on the answer (missing not at random)."""
    seed = config.seed
    weeks = np.arange(6, config.weeks, QUARTER_WEEKS)
    content = satisfaction(config, who, course)[:, weeks]
    asked = course.exposure[:, weeks] > 0.99
    answers = uniform(seed, "survey.answer", who.column, weeks[None, :]) < expit(-0.4 + 0.7 * content)
    row, column = np.nonzero(asked & answers)
    key = (who.index[row], weeks[column])
    score = np.clip(np.rint(7 + 1.6 * content[row, column] + 0.8 * normal(seed, "survey.noise", *key)), 0, 10)
    day = weeks[column] * 7 + 6.5 * uniform(seed, "survey.day", *key)
    values: dict[str, Any] = {
        "survey_id": labels("S", key[0] * config.weeks + key[1], width=8),
        "partner_id": who.ids[row],
        "score": score,
        "event_at": at(config, day),
        "known_at": at(config, day + 1),
    }
    return exported(config, "surveys", values)
