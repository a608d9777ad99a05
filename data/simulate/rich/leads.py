"""Tables of leads, of assignments, and of the deals that came from leads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from data.simulate.config import RichConfig
from data.simulate.rich.accounts import Accounts, written
from data.simulate.rich.deals import MARGIN_SHARE
from data.simulate.rich.firmographics import COUNTRIES, INDUSTRIES, PRODUCTS, REGIONS
from data.simulate.rich.market import Leads, Market
from data.simulate.rich.messy import at, exported
from data.simulate.rich.names import person
from data.simulate.rich.router import Offers
from data.simulate.streams import below
from data.simulate.world import labels

DECLINE_REASONS = ("no capacity", "not our product", "too small", "customer unknown")


def leads_table(config: RichConfig, leads: Leads, accounts: Accounts) -> pd.DataFrame:
    """The leads; contact addresses under example.com."""
    number = np.arange(leads.day.size)
    products = np.array(PRODUCTS, dtype=object)
    first, second = products[leads.product], products[leads.second]
    both = np.array([f"{a}|{b}" for a, b in zip(first, second, strict=True)], dtype=object)
    people = [person(n)[1] for n in below(340, config.seed, "lead.person", number).tolist()]
    when = at(config, leads.day)
    return exported(
        config,
        "leads",
        {
            "lead_id": lead_ids(number),
            "company": written(
                accounts, leads.account, config.seed, "lead.spelling", number, messy=config.messy
            ),
            "domain": accounts.domain[leads.account],
            "country": np.array(COUNTRIES, dtype=object)[leads.country],
            "region": np.array(REGIONS, dtype=object)[leads.region],
            "city": np.array([f"City-{c}" for c in range(40)], dtype=object)[leads.account % 40],
            "industry": np.array(INDUSTRIES, dtype=object)[leads.industry],
            "employee_count": leads.employees,
            "products": np.where(leads.second >= 0, both, first),
            "estimated_value_usd": leads.value,
            "contact_email": [f"{p}{n}@a{a}.example.com" for p, n, a in zip(people, number, leads.account)],  # noqa: B905
            "event_at": when,
            "known_at": when,
        },
    )


def lead_ids(number: Any) -> Any:
    """Identifiers of leads."""
    return labels("L", number, width=6)


def assignments_table(config: RichConfig, market: Market, offers: Offers) -> pd.DataFrame:
    """One row for each thing that happened to an offer."""
    everything = np.ones(offers.lead.size, dtype=bool)
    accepted = offers.answer == 0
    answers = np.array(("accepted", "declined", "expired"), dtype=object)[offers.answer]
    outcome = np.where(offers.won, "won", "lost").astype(object)
    why = below(len(DECLINE_REASONS), config.seed, "decline.why", offers.lead, offers.round)
    reason = np.array(DECLINE_REASONS, dtype=object)[why]
    reason = np.where(offers.answer == 1, reason, _NOTHING)
    value = np.where(offers.won, offers.value, np.nan)
    nothing = np.full(offers.lead.size, _NOTHING, dtype=object)
    stages = (
        (everything, np.full(offers.lead.size, "offered", dtype=object), offers.offered_day, nothing, np.nan),
        (everything, answers, offers.answer_day, reason, np.nan),
        (accepted, outcome, offers.closed_day, nothing, value),
    )
    parts = [_stage(market, offers, *stage) for stage in stages]
    columns = {k: np.concatenate([p[k] for p in parts]) for k in parts[0]}
    columns["event_at"] = columns["known_at"] = at(config, columns.pop("day"))
    return exported(config, "assignments", columns)


_NOTHING: Any = None


def _stage(
    market: Market, offers: Offers, keep: Any, status: Any, day: Any, reason: Any, value: Any
) -> dict[str, Any]:
    number = offers.lead * 4 + offers.round
    return {
        "assignment_id": labels("N", number, width=7)[keep],
        "lead_id": lead_ids(offers.lead)[keep],
        "partner_id": market.who.ids[offers.partner][keep],
        "status": status[keep],
        "reason": reason[keep],
        "value_usd": np.broadcast_to(value, keep.shape)[keep],
        "propensity": offers.propensity[keep],
        "day": day[keep],
    }


def lead_deals(
    config: RichConfig, market: Market, offers: Offers, accounts: Accounts
) -> list[dict[str, Any]]:
    """Parts of the deals table: an accepted lead is registered, then won or lost; not partner-sourced."""
    keep = np.flatnonzero(offers.answer == 0)
    lead, partner = offers.lead[keep], offers.partner[keep]
    account = market.leads.account[lead]
    product = market.leads.product[lead]
    shared = {
        "deal_id": labels("K", lead * 4 + offers.round[keep], width=7),
        "partner_id": market.who.ids[partner],
        "account_name": accounts.spelling[account, 0],
        "account_domain": accounts.domain[account],
        "account_country": np.array(COUNTRIES, dtype=object)[market.leads.country[lead]],
        "account_city": np.array([f"City-{c}" for c in range(40)], dtype=object)[account % 40],
        "product": np.array(PRODUCTS, dtype=object)[product],
        "sourced": np.zeros(keep.size, dtype=bool),
    }
    opened = at(config, offers.answer_day[keep])
    closed = at(config, offers.closed_day[keep])
    won = offers.won[keep]
    margin = np.where(won, np.round(offers.value[keep] * MARGIN_SHARE[product], 2), np.nan)
    nan = np.full(keep.size, np.nan)
    return [
        {**shared, "status": np.full(keep.size, "registered", dtype=object), "margin_usd": nan,
         "amount_usd": market.leads.value[lead], "event_at": opened, "known_at": opened},
        {**shared, "status": np.where(won, "won", "lost").astype(object), "margin_usd": margin,
         "amount_usd": offers.value[keep], "event_at": closed, "known_at": closed},
    ]  # fmt: skip
