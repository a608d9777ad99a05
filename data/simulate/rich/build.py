"""Put the rich world together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from data.simulate.config import RichConfig
from data.simulate.rich.accounts import Accounts, build_accounts, truth_of
from data.simulate.rich.deals import build_deals
from data.simulate.rich.enablement import build_certifications, build_surveys
from data.simulate.rich.engagement import Course, build_course
from data.simulate.rich.events import build_events
from data.simulate.rich.messy import exported
from data.simulate.rich.partners import (
    build_contacts,
    build_managers,
    build_partners,
    build_terminations,
    build_territories,
)
from data.simulate.rich.population import Population, build_population
from data.simulate.rich.tiers import build_tiers
from data.simulate.streams import Ints
from data.simulate.world import World


@dataclass(frozen=True)
class Latent:
    """What the oracle works with."""

    who: Population
    course: Course
    accounts: Accounts


def build_rich(config: RichConfig, *, index: Ints | None = None) -> World:
    """The rich world; `index` gives the partner numbers in any order (default: all, ascending)."""
    who = build_population(config, np.arange(config.partners) if index is None else np.asarray(index))
    course = build_course(config, who)
    accounts = build_accounts(config.seed, config.accounts)
    tables: dict[str, pd.DataFrame] = {
        "deals": _table(config, "deals", build_deals(config, who, course, accounts))
    }
    tiers = build_tiers(config, who, tables["deals"])
    tables["partners"] = build_partners(config, who, tiers)
    tables["tier_history"] = exported(
        config, "tier_history", {**{c: tiers[c].array for c in tiers}, "known_at": tiers["event_at"].array}
    )
    tables["partner_managers"] = build_managers(config, who)
    tables["territories"] = build_territories(config, who)
    tables["contacts"] = build_contacts(config, who)
    tables["terminations"] = build_terminations(config, who, course)
    tables["events"] = build_events(config, who, course)
    tables["certifications"] = build_certifications(config, who, course)
    tables["surveys"] = build_surveys(config, who, course)
    latent = Latent(who, course, accounts)
    return World(
        tables=dict(sorted(tables.items())),
        truth=_truth(config, latent),
        config=config,
        start=config.start,
        end=config.end,
        latent=latent,
    )


def _table(config: RichConfig, table: str, parts: list[dict[str, Any]]) -> pd.DataFrame:
    return exported(config, table, {k: np.concatenate([np.asarray(p[k]) for p in parts]) for k in parts[0]})


def _truth(config: RichConfig, latent: Latent) -> dict[str, pd.DataFrame]:
    who, course = latent.who, latent.course
    start = np.datetime64(config.start, "us")
    left = np.where(np.isfinite(course.departed_day), course.departed_day, -1).astype(np.int64)
    departed = np.where(left >= 0, start + left.astype("timedelta64[D]"), np.datetime64("NaT", "us"))
    partners = pd.DataFrame(
        {
            "partner_id": who.ids,
            "departed_at": departed,
            "fit_probability": who.fit,
            "productive": who.productive,
            "quality": who.quality,
            "favourite": who.favourite,
            "checkin_hazard_ratio": who.uplift,
        }
    ).sort_values("partner_id", ignore_index=True)
    return {"partners": partners, "accounts": truth_of(latent.accounts)}
