"""The partners as they were at a date, for replaying leads: the same columns that serving looks at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from data.domains import bare_domain
from features.leadhistory import HISTORY_COLUMNS, own_deals, partner_rates
from features.pairing import (
    LEAD_COLUMNS,
    PAIR_COLUMNS,
    PartnerBlock,
    lead_block,
    lead_columns,
    pair_columns,
    partner_block,
    split_products,
)
from features.rosters import RosterTables, roster_columns
from models.bundle import Bundle
from models.routing.eligibility import Asked
from models.routing.policy import RoutingPolicy
from models.routing.roster import Roster
from models.routing.rules import rule_points

Floats = NDArray[np.float64]
CHUNK = 60_000
"""Pairs scored at once."""


@dataclass(frozen=True)
class Moment:
    """N partners at a date.

    Attributes:
        as_of: Naive UTC.
        frame: Index partner_id, sorted: features, history of leads, the roster's columns.
        pairs: What pairs need of them.
    """

    as_of: datetime
    frame: Any
    pairs: PartnerBlock

    @cached_property
    def roster(self) -> Roster:
        """As the rules see them."""
        return Roster.of(self.frame)


@dataclass(frozen=True)
class Models:
    """The two routing models."""

    accept: Bundle
    win: Bundle


def moment_at(
    snapshot: Any, tables: RosterTables, *, offers: Any, deals: Any | None, as_of: datetime
) -> Moment:
    """The partners of a snapshot.

    Args:
        snapshot: DataFrame[partner_id, features] of that date.
        tables: Where territories, certificates and ends come from.
        offers: Of `features.leadhistory.offers_of`; only what was known then counts.
        deals: Canonical rows, or None.
        as_of: Naive UTC.
    """
    frame = snapshot.drop(columns="as_of", errors="ignore").set_index("partner_id").sort_index()
    types = (
        frame["partner_type"] if "partner_type" in frame else pd.Series(None, index=frame.index, dtype=object)
    )
    rates = partner_rates(offers, types, as_of=as_of)
    frame = frame.assign(**{name: rates[name] for name in HISTORY_COLUMNS})
    known = own_deals(frame.index, deals, offers, as_of=as_of)
    return Moment(as_of, roster_columns(frame, tables, as_of=as_of), partner_block(frame, known))


def groups_of(moment: Moment) -> Any:
    """DataFrame[partner_id, tier, region, size, ended] of everybody."""
    roster = moment.roster
    return pd.DataFrame(
        {
            "partner_id": roster.partner_ids,
            "tier": [t or "none" for t in roster.tier],
            "region": roster.region,
            "size": roster.size,
            "ended": roster.ended,
        }
    )


def asked_of(lead: Mapping[str, Any], *, had: Sequence[str] = ()) -> Asked:
    """What the rules look at of a canonical lead row."""
    value = lead.get("estimated_value_usd")
    return Asked(
        lead_id=str(lead["lead_id"]),
        country=_text(lead.get("country")),
        region=_text(lead.get("region")),
        domain=bare_domain(_text(lead.get("domain")) or ""),
        products=split_products(lead.get("products")),
        value=float("nan") if value is None or value is pd.NA else float(value),
        had=tuple(had),
    )


def score_pairs(
    models: Models, moment: Moment, leads: Sequence[Mapping[str, Any]], lead_at: Any, partner_at: Any
) -> tuple[Floats, Floats]:
    """(n,) chance of acceptance and chance of winning once accepted, of pairs.

    Args:
        models: Both models.
        moment: Partners.
        leads: Canonical rows.
        lead_at: (n,) positions of leads.
        partner_at: (n,) positions of partners.
    """
    parts = [
        score_frame(models, pair_frame(moment, leads, lead_at[i : i + CHUNK], partner_at[i : i + CHUNK]))
        for i in range(0, len(lead_at), CHUNK)
    ]
    if not parts:
        return np.zeros(0), np.zeros(0)
    return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])


def pair_frame(moment: Moment, leads: Sequence[Mapping[str, Any]], lead_at: Any, partner_at: Any) -> Any:
    """Feature columns of pairs, as a model takes them."""
    pair = pair_columns(lead_block(leads, moment.pairs), lead_at, moment.pairs, partner_at)
    own = pd.DataFrame([lead_columns(lead) for lead in leads], columns=list(LEAD_COLUMNS)).iloc[lead_at]
    partner = moment.frame.iloc[partner_at].reset_index(drop=True)
    pairs = pd.DataFrame(pair, columns=list(PAIR_COLUMNS))
    return pd.concat([partner, pairs, own.reset_index(drop=True)], axis=1)


def rule_scores(policy: RoutingPolicy, moment: Moment, lead: Mapping[str, Any]) -> Floats:
    """(N,) points of the rules router for a lead."""
    everyone = slice(None)
    columns = pair_columns(lead_block([lead], moment.pairs), 0, moment.pairs, everyone)
    named = dict(zip(PAIR_COLUMNS, columns.T, strict=True))
    return rule_points(
        policy,
        moment.roster,
        specialty=named["product_known_share"],
        same_region=named["same_region"],
        same_country=named["same_country"],
    )


def score_frame(models: Models, frame: Any) -> tuple[Floats, Floats]:
    """(n,) chance of acceptance and chance of winning once accepted, of a `pair_frame`."""
    accept, win = (expit(_eta(bundle, frame)) for bundle in (models.accept, models.win))
    return np.asarray(accept), np.asarray(win)


def _eta(bundle: Bundle, frame: Any) -> Floats:
    horizon = next(iter(bundle.horizons))
    return np.asarray(bundle.eta(bundle.encode(frame[list(bundle.spec.names)]), horizon=horizon))


def _text(value: Any) -> str | None:
    return None if value is None or value is pd.NA or value != value else str(value)
