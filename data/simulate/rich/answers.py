"""True expected outcomes of the rich world, for judging models, policies and alerts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit

from data.errors import InputError
from data.simulate.rich.deals import order_rate, registration_rate, typical_amount, win_log_odds
from data.simulate.rich.engagement import CHECKIN_WEEKS, departure_day
from data.simulate.rich.messy import at
from data.simulate.streams import Floats
from data.simulate.world import World

NOT_LAPSED = 0.85


def accept_probability(world: World, lead_ids: Sequence[str], partner_ids: Sequence[str]) -> Floats:
    """P(partner accepts the lead when offered it on arrival), pair by pair; 0 for partners not there then."""
    return np.asarray(_rich(world).market.accept_probability(*_pairs(world, lead_ids, partner_ids)))


def win_probability(world: World, lead_ids: Sequence[str], partner_ids: Sequence[str]) -> Floats:
    """P(lead is won, once that partner has accepted it), pair by pair."""
    return np.asarray(_rich(world).market.win_probability(*_pairs(world, lead_ids, partner_ids)))


def hazard_score(
    world: World, as_ofs: Sequence[date], horizons: Sequence[int] = (30, 90, 180)
) -> pd.DataFrame:
    """P(partner leaves within h days | the whole hidden course), for partners present at `as_of`.

    It knows more than any model can: also how engagement goes on. What is left is the luck of the draw.

    Returns:
        DataFrame[partner_id, as_of, horizon_days, probability].
    """
    latent, parts = _rich(world), []
    for as_of in as_ofs:
        stop = (as_of - world.start).days
        here = (latent.who.signed_day < stop) & (latent.course.departed_day > stop)
        for horizon in horizons:
            share = _overlap(world.config.weeks, stop, stop + horizon)
            future = (latent.course.hazard[here] * share).sum(axis=1)
            values: dict[str, Any] = {
                "partner_id": latent.who.ids[here],
                "as_of": at(world.config, float(stop)),
            }
            parts.append(pd.DataFrame({**values, "horizon_days": horizon, "probability": -np.expm1(-future)}))
    return pd.concat(parts, ignore_index=True)


def departed_if_treated(world: World, partner_ids: Sequence[str], treated_at: Sequence[date]) -> pd.DataFrame:
    """When each partner would leave if a manager checked in with it on that date, and when it does leave.

    The same partner with the same luck: only the hazard of the twelve weeks from that week changes.

    Returns:
        DataFrame[partner_id, departed_at, departed_at_if_treated]; NaT: not before the end of the data.
    """
    latent = _rich(world)
    row = _positions(latent.who.ids, partner_ids, what="partner")
    week = np.array([(day - world.start).days // 7 for day in treated_at])
    ahead = np.arange(world.config.weeks)[None, :] - week[:, None]
    ratio = np.where((ahead >= 0) & (ahead < CHECKIN_WEEKS), latent.who.uplift[row][:, None], 1.0)
    course, who = latent.course, latent.who.take(row)
    factual = course.departed_day[row]
    hazard = course.hazard[row] * ratio
    treated = departure_day(world.config, who, hazard, course.threshold[row], course.fraction[row])
    stamps = {
        name: at(world.config, np.where(np.isfinite(day), day, np.nan))
        for name, day in (("departed_at", factual), ("departed_at_if_treated", treated))
    }
    return pd.DataFrame({"partner_id": np.asarray(partner_ids, dtype=object), **stamps})


def next_revenue(world: World, as_of: date, *, days: int = 365) -> pd.DataFrame:
    """Value won in [as_of, as_of + days) by each partner signed before: expected and as it came.

    Expected: given the partner's hidden course, departure included, without leads and returns.

    Returns:
        DataFrame[partner_id, expected_usd, realised_usd], sorted by partner.
    """
    latent, config = _rich(world), world.config
    who, course = latent.who, latent.course
    stop = (as_of - world.start).days
    wins = order_rate(config, who, course)
    wins += registration_rate(config, who, course) * (NOT_LAPSED * expit(win_log_odds(who)))[:, None]
    mean_amount = typical_amount(who) * np.exp(0.7**2 / 2)
    expected = (wins * _overlap(config.weeks, stop, stop + days)).sum(axis=1) * mean_amount
    deals = world.tables["deals"]
    begin = pd.Timestamp(as_of)
    won = deals[(deals["status"] == "won") & (deals["event_at"] >= begin)]
    won = won[won["event_at"] < begin + pd.Timedelta(days=days)]
    realised = won.groupby("partner_id")["amount_usd"].sum().reindex(who.ids, fill_value=0.0)
    frame = pd.DataFrame(
        {"partner_id": who.ids, "expected_usd": expected, "realised_usd": realised.to_numpy()}
    )
    return frame[who.signed_day < stop].sort_values("partner_id", ignore_index=True)


def _overlap(weeks: int, low: int, high: int) -> Floats:
    """Share of each week that lies within [low, high) days."""
    start = np.arange(weeks) * 7
    return np.asarray(np.clip(np.minimum(start + 7, high) - np.maximum(start, low), 0, 7) / 7)


def _pairs(world: World, lead_ids: Sequence[str], partner_ids: Sequence[str]) -> tuple[Any, Any]:
    latent = _rich(world)
    lead = np.array([int(name[1:]) for name in lead_ids], dtype=np.int64)
    if lead.size and lead.max() >= latent.market.leads.day.size:
        raise InputError(f"There is no lead L{lead.max():06d} in this world.")
    return lead, _positions(latent.who.ids, partner_ids, what="partner")


def _positions(ids: Any, wanted: Sequence[str], *, what: str) -> Any:
    found = pd.Index(ids).get_indexer(list(wanted))
    if (found < 0).any():
        missing = next(name for name, place in zip(wanted, found, strict=True) if place < 0)
        raise InputError(f"There is no {what} {missing!r} in this world.")
    return found


def _rich(world: World) -> Any:
    if world.latent is None:
        raise InputError("Only a rich world that was just simulated answers this.")
    return world.latent
