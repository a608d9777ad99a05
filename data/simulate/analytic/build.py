"""Put the analytic world together: partners, events, deals, and the departures as truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from data.simulate.analytic.course import Rows, build_rows, signed_day
from data.simulate.analytic.model import EVENTS, SOURCES, known_risk
from data.simulate.config import AnalyticConfig
from data.simulate.rich.firmographics import columns, draw
from data.simulate.streams import Floats, Ints, below, normal, uniform
from data.simulate.world import World, conform, days_after, labels

BLOCK = 1000  # partners at a time, so that arrays stay small
REGISTERED, WON = len(EVENTS), len(EVENTS) + 1


def build_analytic(config: AnalyticConfig, *, index: Ints | None = None) -> World:
    """The analytic world; `index` gives the partner numbers in any order (default: all, ascending)."""
    index = np.arange(config.partners) if index is None else np.asarray(index)
    blocks = [build_rows(config, part) for part in np.split(index, range(BLOCK, index.size, BLOCK))]
    names = ("entity", "day", "nth", "kind", "departed")
    rows = Rows(**{name: np.concatenate([getattr(b, name) for b in blocks]) for name in names})
    firms = draw(config.seed, index)
    ids, signed = labels("P", index), days_after(config.start, signed_day(config, index))
    partners = {"partner_id": ids, **columns(firms, index * 3), "signed_at": signed, "known_at": signed}
    truth = pd.DataFrame(
        {
            "partner_id": ids,
            "departed_at": days_after(config.start, rows.departed),
            "known_risk": known_risk(firms),
        }
    )
    return World(
        tables={
            "deals": _deals(config, rows),
            "events": _events(config, rows),
            "partners": conform("partners", partners),
        },
        truth={"partners": truth.sort_values("partner_id", ignore_index=True)},
        config=config,
        start=config.start,
        end=config.end,
    )


def _moment(config: AnalyticConfig, rows: Rows, which: Any) -> tuple[Any, Any]:
    """When the rows happened, and their numbers: unique for (partner, day, nth)."""
    entity, day, nth = rows.entity[which], rows.day[which], rows.nth[which]
    hour = (7 + 12 * uniform(config.seed, "rows.hour", entity, day, nth)) / 24
    number = (entity * config.days + day) * 64 + np.minimum(nth, 63)
    return days_after(config.start, day + hour), number


def _events(config: AnalyticConfig, rows: Rows) -> pd.DataFrame:
    which = np.flatnonzero(rows.kind < REGISTERED)
    when, number = _moment(config, rows, which)
    entity, kind = rows.entity[which], rows.kind[which]
    size = np.clip(draw(config.seed, entity).size, -2, 3)
    users = np.rint(3 + 1.5 * size).astype(np.int64).clip(1)
    user = below(users, config.seed, "rows.user", entity, rows.day[which], rows.nth[which])
    kinds = np.array([e.kind for e in EVENTS], dtype=object)
    sources = np.array([SOURCES.get(e.kind, "portal") for e in EVENTS], dtype=object)
    return conform(
        "events",
        {
            "event_id": labels("E", number, width=10), "partner_id": labels("P", entity),
            "event_type": kinds[kind], "user_id": labels("U", entity * 64 + user, width=8),
            "source": sources[kind], "quantity": np.ones(which.size), "event_at": when, "known_at": when,
        },
    )  # fmt: skip


def _deals(config: AnalyticConfig, rows: Rows) -> pd.DataFrame:
    which = np.flatnonzero(rows.kind >= REGISTERED)
    when, number = _moment(config, rows, which)
    entity = rows.entity[which]
    amount = _amount(config, entity, rows.day[which], rows.nth[which])
    won = rows.kind[which] == WON
    status = np.where(won, "won", "registered").astype(object)
    return conform(
        "deals",
        {
            "deal_id": labels("D", number, width=10), "partner_id": labels("P", entity), "status": status,
            "product": np.array(("core", "plus"), dtype=object)[number % 2], "amount_usd": amount,
            "margin_usd": np.where(won, np.round(0.2 * amount, 2), np.nan),
            "event_at": when, "known_at": when,
        },
    )  # fmt: skip


def _amount(config: AnalyticConfig, *key: Ints) -> Floats:
    """Values of deals say nothing about the state."""
    return np.round(5000 * np.exp(0.6 * normal(config.seed, "rows.amount", *key)), 2)
