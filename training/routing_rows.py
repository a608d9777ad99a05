"""Training data of the routing models: one row for each offer, with everything as known before it.

A row's features are those of the newest snapshot at or before the offer; what partners did with earlier
leads, and which products they sold, is worked out at the same date, by the code that serving uses. Whether an
offer is used never depends on its outcome: an acceptance is labelled `answer_days` after the offer, a win
`win_days` after the acceptance, whatever happened in between.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import numpy as np
import pandas as pd

from data.errors import MissingDataError, NotEnoughEvidenceError
from features.leadhistory import HISTORY_COLUMNS, offers_of, own_deals, partner_rates
from features.pairing import LEAD_COLUMNS, PAIR_COLUMNS, lead_block, lead_columns, pair_columns, partner_block
from models.routing.settings import RoutingSettings
from models.scorecard import Scorecard
from models.spec import ModelSpec
from training.columns import useless_columns
from training.dataset import Dataset

Label = Literal["accept", "win"]
LEAST_ROWS_PER_DATE = 60
"""Offers of one test date; where months have fewer, several snapshot dates are judged as one."""


@dataclass(frozen=True)
class RoutingTables:
    """What rows are made of, canonical rows of the lake.

    Attributes:
        leads: Leads, one row each, as they were known when they were first offered.
        assignments: Offers and what came of them.
        deals: Deals, or None.
        parents: partner_id → parent company, where known.
    """

    leads: Any
    assignments: Any
    deals: Any | None
    parents: dict[str, str]


def read_tables(lake: Any) -> RoutingTables:
    """The tables of a lake.

    Raises:
        MissingDataError: There are no leads or no assignments.
    """
    for table in ("leads", "assignments"):
        if not lake.has(table):
            raise MissingDataError(
                f"Routing learns from `{table}`, which the lake does not have.",
                next_step=f"Map `{table}` under `tables:`; until then leads are routed by rules.",
                pointer=table,
            )
    partners = lake.read("partners").sort_values(["known_at", "row_hash"])
    last = partners.drop_duplicates("partner_id", keep="last")
    known = last[last["parent_id"].notna()]
    parents = dict(zip(known["partner_id"].astype(str), known["parent_id"].astype(str), strict=True))
    deals = lake.read("deals") if lake.has("deals") else None
    assignments = lake.read("assignments")
    return RoutingTables(_as_offered(lake.read("leads"), assignments), assignments, deals, parents)


def routing_dataset(
    spec: ModelSpec,
    snapshots: Any,
    tables: RoutingTables,
    *,
    label: Label,
    settings: RoutingSettings,
    known_until: datetime,
    scorecard: Scorecard | None = None,
) -> Dataset:
    """Offers × features × what came of them.

    Args:
        spec: `routing_accept` or `routing_win`.
        snapshots: DataFrame[partner_id, as_of, features] of `features.read_snapshots`.
        tables: Leads, offers, deals.
        label: Which of the two outcomes.
        settings: How long an outcome takes.
        known_until: Nothing known later is used.
        scorecard: The customer's, or the model's default.

    Raises:
        NotEnoughEvidenceError: No offer falls between the snapshots, or none was answered.
    """
    offers = offers_of(tables.assignments, leads=tables.leads)
    offers = offers[offers["offered_known"] <= pd.Timestamp(known_until)]
    rows = _joined(offers, snapshots, tables)
    rows = rows if label == "accept" else rows[_accepted(rows, settings)]
    if rows.empty:
        raise NotEnoughEvidenceError(
            f"No offer was {'made' if label == 'accept' else 'accepted'} since the first feature snapshot.",
            next_step="Route by rules and log what comes of it; the rows of `assignments` are the labels.",
        )
    rows = rows.sort_values(["as_of", "lead_id", "partner_id"], ignore_index=True)
    rows["row_id"] = np.arange(len(rows), dtype=np.int64)
    rows["group"] = rows["partner_id"].map(lambda p: tables.parents.get(p, p)).astype(str)
    outcomes = _outcomes(rows, label, settings, known_until)
    rows, width = _judged_together(rows)
    present = spec.restricted_to(rows.columns)
    dropped = useless_columns(rows, list(present.names))
    gap = width + settings.answer_days + (settings.win_days if label == "win" else 0)
    return Dataset(
        present.restricted_to(set(present.names) - {d.column for d in dropped}),
        rows,
        outcomes,
        None,
        horizon_days=0,
        gap_days=gap,
        scorecard=scorecard,
        dropped=dropped,
        source="tables",
        about=_about(label, settings, rows, gap),
    )


def _as_offered(leads: Any, assignments: Any) -> Any:
    """One row for each lead: the last version known when it was first offered, else its first.

    Later versions know the outcome: a CRM writes the value that was won over the one that was estimated.
    """
    known = leads["known_at"].fillna(leads["event_at"])
    offered = assignments[assignments["status"] == "offered"].groupby("lead_id")["event_at"].min()
    ordered = leads.assign(known_at=known).sort_values(["lead_id", "known_at", "row_hash"], kind="stable")
    late = ordered["known_at"] > ordered["lead_id"].map(offered)
    then = ordered[~late].drop_duplicates("lead_id", keep="last")
    only_later = ordered[~ordered["lead_id"].isin(then["lead_id"])].drop_duplicates("lead_id", keep="first")
    return pd.concat([then, only_later], ignore_index=True)


def _joined(offers: Any, snapshots: Any, tables: RoutingTables) -> Any:
    """Offers with the features of their snapshot, of the pair and of the lead."""
    dates = np.sort(snapshots["as_of"].unique())
    place = np.searchsorted(dates, offers["offered_at"].to_numpy(), side="right") - 1
    rows = offers[place >= 0].assign(as_of=dates[place[place >= 0]])
    rows = rows[rows["lead_id"].isin(tables.leads["lead_id"])]
    leads = tables.leads.set_index("lead_id")
    parts = [
        _at_date(pd.Timestamp(as_of), part, frame.set_index("partner_id"), leads, offers, tables)
        for (as_of, part), frame in (
            (found, snapshots[snapshots["as_of"] == found[0]]) for found in rows.groupby("as_of", sort=True)
        )
    ]
    return pd.concat([p for p in parts if len(p)], ignore_index=True) if parts else rows


def _at_date(as_of: pd.Timestamp, part: Any, frame: Any, leads: Any, offers: Any, tables: Any) -> Any:
    """Rows of one snapshot date."""
    part = part[part["partner_id"].isin(frame.index)].reset_index(drop=True)
    rates = partner_rates(offers, frame["partner_type"], as_of=as_of)
    block = partner_block(frame, own_deals(frame.index, tables.deals, offers, as_of=as_of))
    asked = leads.loc[part["lead_id"]].to_dict("records")
    at = frame.index.get_indexer(part["partner_id"])
    pair = pair_columns(lead_block(asked, block), np.arange(len(part)), block, at)
    of_lead = pd.DataFrame([lead_columns(a) for a in asked], columns=list(LEAD_COLUMNS))
    mine = part["partner_id"]
    features = frame.drop(columns="as_of").loc[mine].reset_index(drop=True)
    history = rates.loc[mine, list(HISTORY_COLUMNS)].reset_index(drop=True)
    pairs = pd.DataFrame(pair, columns=list(PAIR_COLUMNS))
    return pd.concat([part, features, history, pairs, of_lead], axis=1)


def _accepted(rows: Any, settings: RoutingSettings) -> Any:
    in_time = rows["answered_at"] < rows["offered_at"] + timedelta(days=settings.answer_days)
    return (rows["answer"] == "accepted") & in_time


def _outcomes(rows: Any, label: Label, settings: RoutingSettings, known_until: datetime) -> Any:
    """Labels that could be known by then, whatever they turned out to be."""
    if label == "accept":
        known = rows["offered_at"] + timedelta(days=settings.answer_days)
        hit = _accepted(rows, settings)
    else:
        known = rows["answered_at"] + timedelta(days=settings.win_days)
        hit = (rows["outcome"] == "won") & (rows["closed_at"] < known)
    late = rows["answered_known"] if label == "accept" else rows["closed_known"]
    known = known.where(~(hit & (late > known)), late)
    found = pd.DataFrame(
        {"row_id": rows["row_id"], "horizon_days": 0, "y": hit.astype(float), "known_at": known}
    )
    return found[found["known_at"] <= pd.Timestamp(known_until)].reset_index(drop=True)


def _judged_together(rows: Any) -> tuple[Any, int]:
    """Rows whose `as_of` is that of the test date they belong to, and the longest stretch of one, in days."""
    dates, count = np.unique(rows["as_of"].to_numpy(), return_counts=True)
    together = max(1, int(np.ceil(LEAST_ROWS_PER_DATE / max(np.median(count), 1.0))))
    # Counted from the newest date, so that the last test period is a full one.
    first = np.arange(len(dates))[::-1] // together
    start = {d: dates[np.flatnonzero(first == g)[0]] for d, g in zip(dates, first, strict=True)}
    kept = np.unique(list(start.values()))
    ends = np.append(kept[1:], rows["offered_at"].max().to_numpy())
    width = int(np.ceil((ends - kept).max() / np.timedelta64(1, "D"))) if len(kept) else 1
    return rows.assign(as_of=rows["as_of"].map(start)), max(width, 1)


def _about(label: Label, settings: RoutingSettings, rows: Any, gap: int) -> tuple[tuple[str, str], ...]:
    days = settings.answer_days if label == "accept" else settings.win_days
    outcome = "accepted" if label == "accept" else "won, once accepted,"
    return (
        ("Outcome", f"lead {outcome} within {days} days"),
        ("Population", "leads offered to a partner" + (" that accepted them" if label == "win" else "")),
        (
            "Offers",
            f"{len(rows)}, from {rows['offered_at'].min():%Y-%m-%d} to {rows['offered_at'].max():%Y-%m-%d}",
        ),
        ("Known after", f"{gap} days"),
    )
