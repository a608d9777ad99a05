"""What partners did with leads and deals before a date: shrunken rates, and deals by product.

A partner that was never offered a lead is not at 0 %: its rate is that of partners of its type, itself drawn
toward the rate of all. The weight of that prior is in numbers of own leads.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

OFFERED, ANSWERS, OUTCOMES = "offered", ("accepted", "declined", "expired"), ("won", "lost")
HISTORY_COLUMNS = ("lead_accept_rate", "lead_win_rate", "lead_offer_count_365d")
WINDOW = timedelta(days=730)
RECENT = timedelta(days=365)
PRIOR_LEADS = 10.0
"""Weight of the prior, in leads."""


def offers_of(assignments: Any, *, leads: Any | None) -> Any:
    """One row for each offer, from the canonical `assignments` rows; of corrected rows the last version.

    It counts as known since the first one was: a value corrected later does not undo that the lead was won.

    Args:
        assignments: Canonical rows.
        leads: Canonical rows, which say whose lead it was; None where there are none.

    Returns:
        DataFrame[assignment_id, lead_id, partner_id, propensity, offered_at, offered_known, answer,
        answered_at, answered_known, outcome, closed_at, closed_known, value_usd, reason, account_domain],
        sorted by (offered_at, assignment_id); `account_domain` in lower case, None where not known.
    """
    rows = assignments.assign(known_at=assignments["known_at"].fillna(assignments["event_at"]))
    order = ["assignment_id", "status", "known_at", *(["row_hash"] if "row_hash" in rows else [])]
    since = rows.groupby(["assignment_id", "status"])["known_at"].transform("min")
    rows = rows.assign(since=since).sort_values(order, kind="stable")
    rows = rows.drop_duplicates(["assignment_id", "status"], keep="last")
    rows = rows.drop(columns="known_at").rename(columns={"since": "known_at"})
    offers = _stage(rows, (OFFERED,), "offered_at", "offered_known", "_")
    offers = offers[["assignment_id", "lead_id", "partner_id", "propensity", "offered_at", "offered_known"]]
    answers = _stage(rows, ANSWERS, "answered_at", "answered_known", "answer")
    answers = answers[["assignment_id", "answer", "answered_at", "answered_known", "reason"]]
    closed = _stage(rows, OUTCOMES, "closed_at", "closed_known", "outcome")
    closed = closed[["assignment_id", "outcome", "closed_at", "closed_known", "value_usd"]]
    found = offers.merge(answers, on="assignment_id", how="left").merge(
        closed, on="assignment_id", how="left"
    )
    found["account_domain"] = found["lead_id"].map(_domains(leads)).astype(object)
    return found.sort_values(["offered_at", "assignment_id"], ignore_index=True)


def _domains(leads: Any | None) -> dict[Any, str]:
    """Lead → web domain of its account, as first sent: a later correction must not change the past."""
    if leads is None or "domain" not in leads:
        return {}
    first = leads[leads["domain"].notna()].sort_values(["event_at", "known_at"], kind="stable")
    first = first.drop_duplicates("lead_id", keep="first")
    return dict(zip(first["lead_id"], first["domain"].astype(str).str.lower(), strict=True))


def _stage(rows: Any, statuses: tuple[str, ...], at: str, known: str, name: str) -> Any:
    part = rows[rows["status"].isin(statuses)].sort_values("event_at", kind="stable")
    part = part.drop_duplicates("assignment_id", keep="last")
    return part.rename(columns={"event_at": at, "known_at": known, "status": name})


def partner_rates(offers: Any, partner_types: Any, *, as_of: datetime) -> Any:
    """Shrunken rates of every partner, from what was known at a date.

    Args:
        offers: What `offers_of` gave.
        partner_types: Series partner_id → partner type (or None); its index says which partners there are.
        as_of: Naive UTC.

    Returns:
        DataFrame, index partner_id as given: `lead_accept_rate` and `lead_win_rate` (0–1),
        `lead_offer_count_365d`.
    """
    moment = pd.Timestamp(as_of)
    group = partner_types.fillna("").astype(str)
    answered = _by(offers, "answered_at", "answered_known", moment, WINDOW)
    closed = _by(offers, "closed_at", "closed_known", moment, WINDOW)
    recent = _by(offers, "offered_at", "offered_known", moment, RECENT)
    count = recent["partner_id"].value_counts().reindex(group.index).fillna(0.0)
    accepted = answered["answer"] == "accepted"
    return pd.DataFrame(
        {
            "lead_accept_rate": _shrunken(answered["partner_id"], accepted, group),
            "lead_win_rate": _shrunken(closed["partner_id"], closed["outcome"] == "won", group),
            "lead_offer_count_365d": count.astype(np.float64),
        },
        index=group.index,
    )


def deals_by_product(deals: Any, offers: Any | None, *, as_of: datetime) -> Any:
    """Deals of each product that partners made by themselves in the two years before a date.

    Deals that came from a lead say what the vendor gave, not what the partner knows: a deal with an account
    is left out once the partner was offered a lead of that account. Where no accounts of leads are known,
    rows with `sourced` = no are left out instead, and with them repeat orders, which tell much about what a
    partner sells. A registration and a win of one deal count once.

    Args:
        deals: Canonical rows, versions of a deal in the order they became known, as the lake gives them.
        offers: Of `offers_of`, or None.
        as_of: Naive UTC; nothing known later counts.

    Returns:
        DataFrame, index partner_id, a column for each product, counts as float64.
    """
    moment = pd.Timestamp(as_of)
    known = deals["known_at"].fillna(deals["event_at"])
    use = (deals["event_at"] < moment) & (known <= moment) & (deals["event_at"] >= moment - WINDOW)
    use &= deals["status"].isin(("registered", "won"))
    rows = deals[use].drop_duplicates(["deal_id", "status"], keep="last")
    rows = rows[rows["product"].notna()]
    given = None if offers is None else offers[offers["account_domain"].notna()]
    if given is None or given.empty or "account_domain" not in deals:
        own = rows["sourced"].astype("boolean").fillna(True).to_numpy(dtype=bool)
    else:
        own = ~_after_a_lead(rows, given, moment)
    seen = rows.loc[own, ["partner_id", "product", "deal_id"]].drop_duplicates()
    counts = seen.groupby(["partner_id", "product"]).size()
    return counts.unstack(fill_value=0).astype(np.float64)


def own_deals(partner_ids: Any, deals: Any | None, offers: Any | None, *, as_of: datetime) -> Any | None:
    """`deals_by_product` of these partners, 0 where they made none; None where no deals are known at all."""
    if deals is None:
        return None
    return deals_by_product(deals, offers, as_of=as_of).reindex(partner_ids).fillna(0.0)


def _after_a_lead(deals: Any, given: Any, moment: pd.Timestamp) -> Any:
    """Whether the partner of a deal had been offered a lead of the account before it, as far as was known."""
    known = given[(given["offered_at"] < moment) & (given["offered_known"] <= moment)]
    first = known.groupby(["partner_id", "account_domain"])["offered_at"].min()
    domain = deals["account_domain"].astype(object).where(deals["account_domain"].notna(), "")
    pairs = pd.MultiIndex.from_arrays([deals["partner_id"].astype(object), domain.astype(str).str.lower()])
    offered = first.reindex(pairs).to_numpy(dtype="datetime64[ns]")
    return offered <= deals["event_at"].to_numpy(dtype="datetime64[ns]")


def _by(offers: Any, at: str, known: str, moment: pd.Timestamp, window: timedelta) -> Any:
    return offers[(offers[at] < moment) & (offers[known] <= moment) & (offers[at] >= moment - window)]


def _shrunken(partner: Any, hit: Any, group: Any) -> Any:
    """(hits + m · prior) / (n + m); the prior is the group's own shrunken rate."""
    overall = (float(hit.sum()) + 1.0) / (len(hit) + 2.0)
    of_group = partner.map(group)
    hits, size = hit.groupby(of_group).sum(), hit.groupby(of_group).size()
    prior = group.map((hits + PRIOR_LEADS * overall) / (size + PRIOR_LEADS)).astype(float).fillna(overall)
    own, n = (
        s.reindex(group.index).fillna(0.0) for s in (hit.groupby(partner).sum(), hit.groupby(partner).size())
    )
    return (own + PRIOR_LEADS * prior) / (n + PRIOR_LEADS)
