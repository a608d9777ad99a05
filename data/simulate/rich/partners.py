"""Master data: partners with their versions, managers, territories, contacts, terminations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from data.simulate.config import RichConfig
from data.simulate.rich.engagement import Course
from data.simulate.rich.events import user_counts
from data.simulate.rich.firmographics import COUNTRIES, REGIONS, columns
from data.simulate.rich.messy import at, exported
from data.simulate.rich.names import person
from data.simulate.rich.population import CANDIDATES, Population
from data.simulate.streams import below, expand, uniform
from data.simulate.world import labels

_NOTHING: Any = None


def candidate_number(who: Population) -> Any:
    """Number of each partner among all candidates, which names it."""
    return who.index * CANDIDATES + who.chosen


def partner_columns(config: RichConfig, who: Population) -> dict[str, Any]:
    """Columns of the partners table when signed, tier aside; some firmographics are missing."""
    values = columns(who.firms, candidate_number(who))
    if config.messy:
        small = who.firms.employees < 25
        hidden = uniform(config.seed, "partner.no_revenue", who.index) < np.where(small, 0.3, 0.08)
        values["annual_revenue_usd"] = np.where(hidden, np.nan, values["annual_revenue_usd"])
        blank = uniform(config.seed, "partner.no_size", who.index) < 0.04
        values["employee_count"] = pd.array(
            [None if b else int(v) for b, v in zip(blank, values["employee_count"], strict=True)],
            dtype="Int64",
        )
    grouped = uniform(config.seed, "parent", who.index) < 0.25
    parents = labels("H", who.index // 6, width=5)
    signed = at(config, who.signed_day)
    return {
        "partner_id": who.ids,
        **values,
        "parent_id": np.where(grouped, parents, _NOTHING),
        "signed_at": signed,
        "known_at": signed,
    }


def build_partners(config: RichConfig, who: Population, tiers: pd.DataFrame) -> pd.DataFrame:
    """One row when signed and another version with each change of tier, known on that day."""
    values = pd.DataFrame(partner_columns(config, who))
    versions = values.drop(columns="known_at").merge(tiers, on="partner_id", how="inner")
    versions["known_at"] = versions["event_at"]
    return exported(config, "partners", {c: versions[c].array for c in versions if c != "event_at"})


def build_managers(config: RichConfig, who: Population) -> pd.DataFrame:
    """First manager since signing, and the next one for those who changed before leaving."""
    changed = np.flatnonzero(who.change_day < config.days)
    row = np.concatenate([np.arange(who.index.size), changed])
    manager = np.concatenate([who.manager, who.next_manager[changed]])
    since = at(config, np.concatenate([who.signed_day, who.change_day[changed]]))
    names = labels("M", manager + 1, width=3)
    values = {"partner_id": who.ids[row], "manager_id": names, "event_at": since, "known_at": since}
    return exported(config, "partner_managers", values)


def capacity(who: Population) -> Any:
    """Leads a partner can work on at once."""
    return np.clip(np.rint(3 + 1.5 * who.firms.size), 1, 10).astype(np.int64)


def build_territories(config: RichConfig, who: Population) -> pd.DataFrame:
    """Every partner's home country, whole or one region; some also serve a neighbouring country."""
    seed = config.seed
    whole = whole_country(seed, who)
    second = np.flatnonzero(second_country(seed, who) >= 0)
    row = np.concatenate([np.arange(who.index.size), second])
    country = np.concatenate([who.firms.country, second_country(seed, who)[second]])
    region = np.where(whole, "", np.array(REGIONS, dtype=object)[who.firms.region])
    region = np.concatenate([region, np.full(second.size, "", dtype=object)])
    code = np.array(COUNTRIES, dtype=object)[country]
    since = at(config, who.signed_day[row])
    names = np.array([f"T-{c}-{r or 'all'}" for c, r in zip(code, region, strict=True)], dtype=object)
    return exported(
        config,
        "territories",
        {
            "territory_id": names, "partner_id": who.ids[row], "country": code,
            "region": np.where(region == "", _NOTHING, region), "capacity_count": capacity(who)[row],
            "event_at": since, "known_at": since,
        },
    )  # fmt: skip


def whole_country(seed: int, who: Population) -> Any:
    """Whether the home territory is the whole country, not one region of it."""
    return (who.firms.size > -0.3) | (uniform(seed, "territory.whole", who.index) < 0.5)


def second_country(seed: int, who: Population) -> Any:
    """Code of a second country served; -1 for most."""
    has = uniform(seed, "territory.second", who.index) < 0.18
    step = 1 + below(len(COUNTRIES) - 1, seed, "territory.which", who.index)
    return np.where(has, (who.firms.country + step) % len(COUNTRIES), -1)


def build_contacts(config: RichConfig, who: Population) -> pd.DataFrame:
    """People at partners; addresses under example.com, reserved for invented ones."""
    row, nth = expand(user_counts(config.seed, who))
    entity = who.index[row]
    people = [person(n) for n in below(340, config.seed, "contact", entity, nth).tolist()]
    joined = np.maximum(who.signed_day, 0)[row] + 60 * nth
    role = np.array(("sales", "presales", "marketing", "executive"), dtype=object)[(entity + nth) % 4]
    mail = [
        f"{local}{n}@{p.lower()}.example.com"
        for (_, local), n, p in zip(people, nth, who.ids[row], strict=True)
    ]
    since = at(config, joined)
    return exported(
        config,
        "contacts",
        {
            "contact_id": labels("C", entity * 64 + nth, width=8), "partner_id": who.ids[row],
            "full_name": [name for name, _ in people], "email": mail, "role": role,
            "event_at": since, "known_at": since,
        },
    )  # fmt: skip


def build_terminations(config: RichConfig, who: Population, course: Course) -> pd.DataFrame:
    """Three in ten departures end in a written termination some weeks later; the others are silent."""
    seed = config.seed
    written = uniform(seed, "termination", who.index) < 0.3
    lag = 15 + 60 * uniform(seed, "termination.lag", who.index)
    row = np.flatnonzero(written & np.isfinite(course.departed_day))
    ended = course.departed_day[row] + np.floor(lag[row])
    reasons = np.array(("by partner", "by us", "insolvency", "acquired"), dtype=object)
    late = 5 * uniform(seed, "termination.late", who.index[row])
    return exported(
        config,
        "terminations",
        {
            "partner_id": who.ids[row], "reason": reasons[below(4, seed, "termination.why", who.index[row])],
            "event_at": at(config, ended), "known_at": at(config, ended + late),
        },
    )  # fmt: skip
