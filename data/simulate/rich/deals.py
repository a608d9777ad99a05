"""Deal registrations with their outcomes, direct orders, and returns."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import expit

from data.simulate.config import RichConfig
from data.simulate.rich.accounts import Accounts, account_of, written
from data.simulate.rich.engagement import Course
from data.simulate.rich.events import season
from data.simulate.rich.firmographics import COUNTRIES, PRODUCTS
from data.simulate.rich.messy import at, reported_late
from data.simulate.rich.population import Population
from data.simulate.streams import Floats, Ints, below, expand, normal, poisson, uniform
from data.simulate.world import labels

MARGIN_SHARE = np.array([0.28, 0.18, 0.15, 0.2, 0.3, 0.16, 0.24, 0.13])
FIRST_YEAR_DAYS = 365


def order_log_rate(who: Population) -> Floats:
    """Standing log multiplier of a partner's business."""
    return 0.4 * who.firms.size + 0.3 * who.quality + 0.35 * who.productive


def registration_rate(config: RichConfig, who: Population, course: Course) -> Floats:
    """Expected registrations in each partner-week."""
    log_rate = order_log_rate(who)[:, None] + 0.45 * course.engagement + season(config)[None, :]
    return np.minimum(0.16 * np.exp(log_rate) * course.exposure, 50.0)


def order_rate(config: RichConfig, who: Population, course: Course) -> Floats:
    """Expected direct orders (renewals and the like) in each partner-week."""
    log_rate = order_log_rate(who)[:, None] + 0.3 * course.engagement + season(config)[None, :]
    return np.minimum(0.27 * config.order_rate * np.exp(log_rate) * course.exposure, 50.0)


def typical_amount(who: Population) -> Floats:
    """Median value of a won deal, US dollars."""
    return 6500 * np.exp(0.35 * who.firms.size + 0.15 * who.quality)


def win_log_odds(who: Population) -> Floats:
    """Log-odds that a registration is won."""
    return -0.1 + 0.35 * who.quality + 0.25 * who.productive


def launch_week(config: RichConfig, who: Population) -> Any:
    """Partner × week: whether a productive new partner brings its first deal then, which will be won."""
    after = 5 + below(16, config.seed, "launch", who.index)
    week = np.floor(who.signed_day / 7).astype(np.int64) + after
    brings = who.productive & (who.signed_day >= 0)
    return (np.arange(config.weeks)[None, :] == week[:, None]) & brings[:, None]


def build_deals(
    config: RichConfig, who: Population, course: Course, accounts: Accounts
) -> list[dict[str, Any]]:
    """Columns of registrations, outcomes, orders and returns: parts of the deals table."""
    registered = _Draws(config, who, accounts, "reg", registration_rate(config, who, course), course)
    ordered = _Draws(config, who, accounts, "ord", order_rate(config, who, course), course)
    return [*_registrations(config, who, registered), *_orders(config, ordered)]


class _Draws:
    """What registrations and orders share: when, which account, which product, how much."""

    def __init__(
        self,
        config: RichConfig,
        who: Population,
        accounts: Accounts,
        stream: str,
        rate: Floats,
        course: Course,
        extra: Any = 0,
    ) -> None:
        seed = config.seed
        self.stream = stream
        week = np.arange(config.weeks)[None, :]
        cell, nth = expand(poisson(rate, seed, stream, who.column, week) + extra * (rate > 0))
        self.row, at_week = np.divmod(cell, config.weeks)
        self.key = (who.index[self.row], at_week, nth)
        self.number = (self.key[0] * config.weeks + at_week) * 64 + np.minimum(nth, 63)
        begin = np.maximum(who.signed_day, 0)[self.row]
        end = np.minimum(course.departed_day, config.days)[self.row]
        day = at_week * 7 + 7 * uniform(seed, f"{stream}.day", *self.key)
        self.day = np.where((day < begin) | (day >= end), begin + (end - begin) * 0.999, day)
        self.departed = course.departed_day[self.row]
        country = who.firms.country[self.row]
        slots = 6 + np.rint(8 * np.exp(0.5 * who.firms.size)).astype(np.int64)
        slot = below(slots[self.row], seed, f"{stream}.slot", *self.key)
        self.account = account_of(country, _spread(self.key[0], slot), config.accounts)
        product = (self.key[0] * 3 + below(4, seed, f"{stream}.product", *self.key)) % len(PRODUCTS)
        self.product = product
        noise = normal(seed, f"{stream}.amount", *self.key)
        self.amount = np.round(typical_amount(who)[self.row] * np.exp(0.7 * noise), 2)
        self.margin = np.round(self.amount * MARGIN_SHARE[product], 2)
        self.first_year = (self.day - who.signed_day[self.row]) < FIRST_YEAR_DAYS
        self.shared = {
            "deal_id": labels("D" if stream == "reg" else "R", self.number, width=10),
            "partner_id": who.ids[self.row],
            "account_name": written(
                accounts, self.account, seed, f"{stream}.spelling", *self.key, messy=config.messy
            ),
            "account_domain": accounts.domain[self.account],
            "account_country": np.array(COUNTRIES, dtype=object)[country],
            "account_city": np.array([f"City-{c}" for c in range(40)], dtype=object)[self.account % 40],
            "product": np.array(PRODUCTS, dtype=object)[product],
        }

    def rows(self, config: RichConfig, keep: Any, status: Any, day: Any, **other: Any) -> dict[str, Any]:
        """Columns of the draws kept, with one status and day."""
        late = uniform(config.seed, f"{self.stream}.late.{other.pop('stage')}", *self.key)
        lateness = reported_late(late, share=0.2 if config.messy else 0.0, mean_days=3.0)
        columns = {k: v[keep] for k, v in self.shared.items()}
        columns.update({k: v[keep] for k, v in other.items()})
        columns["status"] = np.broadcast_to(np.asarray(status, dtype=object), self.row.shape)[keep]
        columns["event_at"] = at(config, day[keep])
        columns["known_at"] = at(config, (day + lateness)[keep])
        return columns


def _spread(entity: Ints, slot: Ints) -> Ints:
    """Slots of neighbouring partners overlap a little: two partners may claim the same account."""
    return entity * 7 + slot


def _registrations(config: RichConfig, who: Population, draws: _Draws) -> list[dict[str, Any]]:
    seed = config.seed
    lag = np.exp(np.log(35) + 0.5 * normal(seed, "reg.lag", *draws.key))
    decided = draws.day + lag
    launch = launch_week(config, who)[draws.row, draws.key[1]] & (draws.key[2] == 0)
    won = launch | (uniform(seed, "reg.won", *draws.key) < expit(win_log_odds(who))[draws.row])
    lapsed = ~launch & (uniform(seed, "reg.expired", *draws.key) < 0.15)
    gone = decided >= draws.departed
    status = np.where(gone | lapsed, "expired", np.where(won, "won", "lost")).astype(object)
    sourced = launch | (uniform(seed, "reg.sourced", *draws.key) < 0.75)
    sourced &= ~draws.first_year | who.productive[draws.row]
    happened = decided < config.days
    estimate = np.round(draws.amount * np.exp(0.25 * normal(seed, "reg.estimate", *draws.key)), -2)
    everything = np.ones(draws.row.size, dtype=bool)
    nothing = np.where(status == "won", draws.margin, np.nan)
    return [
        draws.rows(config, everything, "registered", draws.day, stage="open", amount_usd=estimate,
                   margin_usd=np.full(estimate.size, np.nan), sourced=sourced),
        draws.rows(config, happened, status, decided, stage="close", amount_usd=draws.amount,
                   margin_usd=nothing, sourced=sourced),
    ]  # fmt: skip


def _orders(config: RichConfig, draws: _Draws) -> list[dict[str, Any]]:
    everything = np.ones(draws.row.size, dtype=bool)
    sourced = np.zeros(draws.row.size, dtype=bool)
    orders = draws.rows(
        config, everything, "won", draws.day, stage="close", amount_usd=draws.amount, margin_usd=draws.margin,
        sourced=sourced,
    )  # fmt: skip
    back = draws.day + 12
    returned = (uniform(config.seed, "ord.return", *draws.key) < 0.012) & (
        back < np.minimum(draws.departed, config.days)
    )
    returns = draws.rows(
        config, returned, "won", back, stage="return", amount_usd=-draws.amount, margin_usd=-draws.margin,
        sourced=sourced,
    )  # fmt: skip
    returns["deal_id"] = np.array([f"{d}-B" for d in returns["deal_id"]], dtype=object)
    return [orders, returns]
