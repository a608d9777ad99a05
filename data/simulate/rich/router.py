"""The legacy lead router and what came of its offers: tier, geography and specialty, softly, and exploration.

Each choice is a draw from probabilities that are written down, so that other policies can be judged on its
log. Leads are where partners compete: adding partners changes who is offered what.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from data.simulate.config import RichConfig
from data.simulate.rich.market import Market
from data.simulate.rich.partners import second_country, whole_country
from data.simulate.streams import Floats, Ints, normal, uniform

ROUNDS = 3  # an offer and at most two re-routes


@dataclass(frozen=True)
class Offers:
    """Offers made, one row each.

    Attributes:
        lead: Lead number.
        partner: Position of the partner.
        round: 0 for the first offer.
        propensity: Probability with which the router chose this partner.
        offered_day: Day of the offer.
        answer: 0 accepted, 1 declined, 2 expired.
        answer_day: Day of the answer.
        won: Whether an accepted lead was won.
        closed_day: Day on which an accepted lead was won or lost.
        value: Value won, US dollars.
    """

    lead: Ints
    partner: Ints
    round: Ints
    propensity: Floats
    offered_day: Floats
    answer: Ints
    answer_day: Floats
    won: Any
    closed_day: Floats
    value: Floats


def build_offers(market: Market, terminated_day: Floats) -> Offers:
    """Route every lead, country by country (territories keep countries apart)."""
    parts: list[dict[str, Any]] = []
    serves = _countries(market)
    for country in range(serves.shape[1]):
        leads = np.flatnonzero(market.leads.country == country)
        partners = np.flatnonzero(serves[:, country])
        partners = partners[np.argsort(market.who.index[partners])]
        if leads.size and partners.size:
            parts.extend(_route(market, leads, partners, terminated_day))
    merged = {k: np.concatenate([p[k] for p in parts]) for k in parts[0]} if parts else _nothing()
    order = np.lexsort((merged["round"], merged["lead"]))
    return Offers(**{k: v[order] for k, v in merged.items()})


def _countries(market: Market) -> Any:
    """Partner × country: whether the partner has a territory there."""
    who = market.who
    serves = np.zeros((who.index.size, 8), dtype=bool)
    rows = np.arange(who.index.size)
    serves[rows, who.firms.country] = True
    other = second_country(market.config.seed, who)
    serves[rows[other >= 0], other[other >= 0]] = True
    return serves


def eligible(market: Market, leads: Ints, partners: Ints, terminated_day: Floats) -> Any:
    """Lead × partner: in the territory, signed, not terminated by then. Silent departures are not known."""
    day = market.leads.day[leads][:, None]
    there = (market.who.signed_day[partners][None, :] <= day) & (terminated_day[partners][None, :] > day)
    whole = whole_country(market.config.seed, market.who)[partners][None, :]
    pair = (leads[:, None], partners[None, :])
    abroad = market.leads.country[leads][:, None] != market.who.firms.country[partners][None, :]
    return there & (whole | abroad | market.same_region(*pair))


def legacy_utility(market: Market, leads: Ints, partners: Ints) -> Floats:
    """What the legacy rules like: seniority, size, favourites, the region, and a specialty now and then."""
    who = market.who
    pair = (leads[:, None], partners[None, :])
    senior = np.clip((market.leads.day[leads][:, None] - who.signed_day[partners][None, :]) / 1000, 0, 2)
    return np.asarray(
        0.5 * senior
        + 0.3 * who.firms.size[partners][None, :]
        + 0.8 * who.favourite[partners][None, :]
        + 0.7 * market.same_region(*pair)
        + 0.5 * market.specialty(*pair)
    )


def choice_probabilities(config: RichConfig, utility: Floats, allowed: Any) -> Floats:
    """Softmax mixed with uniform exploration; at temperature 0 the first favourite gets everything."""
    masked = np.where(allowed, utility, -np.inf)
    best = masked.max(axis=1, keepdims=True)
    best = np.where(np.isfinite(best), best, 0.0)
    if config.router_temperature > 0:
        weight = np.where(allowed, np.exp((masked - best) / config.router_temperature), 0.0)
    else:
        weight = np.zeros_like(masked)
        weight[np.arange(len(masked)), np.argmax(masked, axis=1)] = 1.0
        weight *= allowed
    total = np.maximum(weight.sum(axis=1, keepdims=True), 1e-300)
    count = np.maximum(allowed.sum(axis=1, keepdims=True), 1)
    explore = config.explore_share
    return np.asarray((1 - explore) * weight / total + explore * allowed / count)


def _route(market: Market, leads: Ints, partners: Ints, terminated_day: Floats) -> list[dict[str, Any]]:
    config = market.config
    allowed = eligible(market, leads, partners, terminated_day)
    utility = legacy_utility(market, leads, partners)
    day = market.leads.day[leads]
    parts = []
    for turn in range(ROUNDS):
        keep = allowed.any(axis=1)
        leads, allowed, utility, day = leads[keep], allowed[keep], utility[keep], day[keep]
        if not leads.size:
            break
        chances = choice_probabilities(config, utility, allowed)
        draw = uniform(config.seed, "route", leads, turn)[:, None] * chances.sum(axis=1, keepdims=True)
        pick = np.minimum((np.cumsum(chances, axis=1) < draw).sum(axis=1), partners.size - 1)
        rows = np.arange(leads.size)
        part = _answer(market, leads, partners[pick], turn, day)
        part["propensity"] = np.round(chances[rows, pick], 9)
        parts.append(part)
        allowed[rows, pick] = False
        refused = part["answer"] > 0
        leads, allowed, utility, day = (
            leads[refused], allowed[refused], utility[refused], part["answer_day"][refused] + 0.01,
        )  # fmt: skip
    return parts


def _answer(market: Market, leads: Ints, partner: Ints, turn: int, day: Floats) -> dict[str, Any]:
    """What the partner did with the offer."""
    seed = market.config.seed
    key = (leads, turn)
    wait = 0.1 + 3 * uniform(seed, "offer.wait", *key)
    gone = market.course.departed_day[partner] <= day + wait
    accepted = ~gone & (uniform(seed, "offer.accept", *key) < market.accept_probability(leads, partner))
    ignored = gone | (uniform(seed, "offer.ignore", *key) < 0.4)
    answer = np.where(accepted, 0, np.where(ignored, 2, 1))
    wait = np.where(answer == 2, 5.0, wait)
    won = accepted & (uniform(seed, "offer.win", *key) < market.win_probability(leads, partner))
    closed = day + wait + np.exp(np.log(45) + 0.5 * normal(seed, "offer.close", *key))
    won &= closed < market.course.departed_day[partner]
    value = market.leads.value[leads] * np.exp(0.3 * normal(seed, "offer.value", *key))
    return {
        "lead": leads, "partner": partner, "round": np.full(leads.size, turn), "offered_day": day,
        "answer": answer, "answer_day": day + wait, "won": won, "closed_day": closed,
        "value": np.round(value, 2),
    }  # fmt: skip


def _nothing() -> dict[str, Any]:
    none = np.zeros(0, dtype=np.int64)
    names = ("lead", "partner", "round", "propensity", "offered_day", "answer", "answer_day", "won")
    return dict.fromkeys((*names, "closed_day", "value"), none)
