"""The hidden course of partners of the analytic world, day by day, and the rows it emits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from data.simulate.analytic.model import daily_hazard, daily_rates, known_risk, persistence
from data.simulate.config import AnalyticConfig
from data.simulate.rich.firmographics import draw
from data.simulate.streams import Floats, Ints, expand, normal, poisson, uniform


@dataclass(frozen=True)
class Rows:
    """Rows emitted by a block of partners.

    Attributes:
        entity: Partner number.
        day: Day after the start.
        nth: Running number within partner and day.
        kind: Position in `emissions`.
        departed: Partner × 1: first silent day after the start; NaN: never.
    """

    entity: Ints
    day: Ints
    nth: Ints
    kind: Ints
    departed: Floats


def signed_day(config: AnalyticConfig, index: Ints) -> Floats:
    """Day of signing after the start; half of the partners signed before it."""
    early = uniform(config.seed, "signed.early", index) < 0.5
    within = uniform(config.seed, "signed.day", index)
    return np.floor(np.where(early, -1 - within * 1600, within * (config.days - 30)))


def build_rows(config: AnalyticConfig, index: Ints) -> Rows:
    """Simulate partners from the day they sign, or the start, until they leave or the data end."""
    firms = draw(config.seed, index)
    state = _state(config, index)
    day = np.arange(config.days)[None, :]
    begin = np.maximum(signed_day(config, index), 0)[:, None]
    leaves = uniform(config.seed, "departure", index[:, None], day) < daily_hazard(
        config, state, known_risk(firms)[:, None]
    )
    leaves &= day >= begin
    gone = np.where(leaves.any(axis=1), np.argmax(leaves, axis=1) + 1, config.days + 1)
    row, at_day = np.nonzero((day >= begin) & (day < gone[:, None]))
    entity, nth, kind, cell = _emit(config, index[row], at_day, state[row, at_day], firms.size[row])
    departed = np.where(gone < config.days, gone.astype(np.float64), np.nan)
    return Rows(entity, at_day[cell], nth, kind, departed)


def _state(config: AnalyticConfig, index: Ints) -> Floats:
    """AR(1) with standard deviation 1, stationary from the first day."""
    rho = persistence(config)
    state = normal(config.seed, "state", index[:, None], np.arange(config.days)[None, :])
    state[:, 1:] *= np.sqrt(1 - rho**2)
    for t in range(1, config.days):
        state[:, t] += rho * state[:, t - 1]
    return state


def _emit(
    config: AnalyticConfig, entity: Ints, day: Ints, state: Floats, size: Floats
) -> tuple[Ints, Ints, Ints, Any]:
    """One Poisson count for all kinds together, then the kind of each row: the same law, far fewer draws."""
    rates = daily_rates(config, state, size)
    total = np.sum(rates, axis=0)
    cell, nth = expand(poisson(total, config.seed, "rows", entity, day))
    left = uniform(config.seed, "rows.kind", entity[cell], day[cell], nth) * total[cell]
    kind = np.zeros(cell.size, dtype=np.int64)
    for rate in rates[:-1]:
        left = left - rate[cell]
        kind += left >= 0
    return entity[cell], nth, kind, cell
