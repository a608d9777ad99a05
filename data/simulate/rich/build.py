"""Put the rich world together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from data.simulate.config import RichConfig
from data.simulate.rich.accounts import Accounts, build_accounts
from data.simulate.rich.costs import build_costs
from data.simulate.rich.deals import build_deals
from data.simulate.rich.enablement import build_certifications, build_surveys
from data.simulate.rich.engagement import Course, build_course
from data.simulate.rich.events import build_events
from data.simulate.rich.leads import assignments_table, lead_deals, leads_table
from data.simulate.rich.leaks import churn_panel, exit_interviews
from data.simulate.rich.market import Market, build_leads
from data.simulate.rich.messy import exported, without_optional
from data.simulate.rich.partners import (
    build_contacts,
    build_managers,
    build_partners,
    build_terminations,
    build_territories,
)
from data.simulate.rich.population import Population, build_population
from data.simulate.rich.prospects import build_prospects
from data.simulate.rich.router import Offers, build_offers
from data.simulate.rich.tiers import build_tiers
from data.simulate.rich.touchpoints import build_touchpoints
from data.simulate.rich.truth import build_truth
from data.simulate.streams import Ints
from data.simulate.world import World


@dataclass(frozen=True)
class Latent:
    """What the oracle works with; partners by position, sorted by id."""

    who: Population
    course: Course
    accounts: Accounts
    market: Market
    offers: Offers


def build_rich(config: RichConfig, *, index: Ints | None = None) -> World:
    """The rich world; `index` gives the partner numbers in any order (default: all, ascending)."""
    who = build_population(config, np.arange(config.partners) if index is None else np.asarray(index))
    course = build_course(config, who)
    accounts = build_accounts(config.seed, config.accounts)
    market = Market(config, who, course, build_leads(config, accounts))
    terminations = build_terminations(config, who, course)
    offers = build_offers(market, _terminated_day(config, who, terminations))
    latent = Latent(who, course, accounts, market, offers)
    tables = {"terminations": terminations, **_dated(config, latent)}
    tables |= _master(config, latent, tables["deals"])
    tables["touchpoints"], channels = build_touchpoints(config, accounts, tables["deals"])
    tables["prospects"], prospects = build_prospects(config, who)
    panels = {}
    if config.leaky:
        panels["churn_panel"] = churn_panel(config, who, tables, course)
        events = [tables["events"], exit_interviews(config, who, course)]
        tables["events"] = exported(config, "events", _joined(events))
    if config.all_missing:
        tables = without_optional(tables)
    truth = build_truth(config, who, course, accounts)
    return World(
        tables=dict(sorted(tables.items())),
        truth={**truth, "prospects": prospects, "channels": channels},
        config=config,
        start=config.start,
        end=config.end,
        panels=panels,
        latent=latent,
    )


def _dated(config: RichConfig, latent: Latent) -> dict[str, pd.DataFrame]:
    who, course, accounts = latent.who, latent.course, latent.accounts
    deals = build_deals(config, who, course, accounts)
    deals += lead_deals(config, latent.market, latent.offers, accounts)
    return {
        "deals": exported(config, "deals", _joined(deals)),
        "events": build_events(config, who, course),
        "certifications": build_certifications(config, who, course),
        "surveys": build_surveys(config, who, course),
        "costs": build_costs(config, who, course),
        "leads": leads_table(config, latent.market.leads, accounts),
        "assignments": assignments_table(config, latent.market, latent.offers),
    }


def _master(config: RichConfig, latent: Latent, deals: pd.DataFrame) -> dict[str, pd.DataFrame]:
    who = latent.who
    tiers = build_tiers(config, who, deals)
    since = {**{c: tiers[c].array for c in tiers}, "known_at": tiers["event_at"].array}
    return {
        "partners": build_partners(config, who, tiers),
        "tier_history": exported(config, "tier_history", since),
        "partner_managers": build_managers(config, who),
        "territories": build_territories(config, who),
        "contacts": build_contacts(config, who),
    }


def _joined(parts: list[Any]) -> dict[str, Any]:
    return {k: np.concatenate([np.asarray(p[k]) for p in parts]) for k in parts[0]}


def _terminated_day(config: RichConfig, who: Population, terminations: pd.DataFrame) -> Any:
    """Day after the start on which the termination of each partner was known; infinity: never."""
    known = terminations.groupby("partner_id")["known_at"].min().reindex(who.ids)
    days = (known.to_numpy() - np.datetime64(config.start, "us")) / np.timedelta64(1, "D")
    return np.where(np.isnan(days), np.inf, days)
