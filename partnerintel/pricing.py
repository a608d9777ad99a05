"""What partners' capacity is worth, worked out every night from the leads of the last weeks."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

from data.errors import NotFoundError
from partnerintel.policy import rules_of
from partnerintel.preparing import data_span, lake_of
from partnerintel.settings import Project
from partnerintel.state import opened

MODELS = ("routing_accept", "routing_win")
DAYS = 45
"""Leads of so many days stand for those to come while today's are worked on."""
MOST_LEADS = 1_000


def refresh_prices(project: Project, *, now: datetime) -> str:
    """Keep new prices for the policy in force; returns what was done, in words."""
    import numpy as np

    from evaluation.moments import Models, asked_of, score_pairs
    from models.routing.eligibility import Standing, exclusions
    from models.routing.optimum import bid_prices

    bundles = _champions(project)
    if len(bundles) < len(MODELS):
        return "no routing model in service, no prices"
    version, policy = rules_of(project, None, now=now)
    lake = lake_of(project)
    moment, leads = _moment(project, lake), _recent(lake, now)
    if not leads:
        return "no recent leads, no prices"
    eligible = np.array(
        [
            exclusions(policy, moment.roster, asked_of(lead), Standing.idle(), now=moment.as_of) == 0
            for lead in leads
        ]
    )
    row, column = np.nonzero(eligible)
    accept, win = score_pairs(Models(*bundles), moment, leads, row, column)
    gain = np.zeros(eligible.shape)
    gain[row, column] = accept * win
    if policy.objective == "value":
        gain *= np.array([[_value(lead, policy.value_unknown)] for lead in leads])
    prices = bid_prices(gain, eligible, moment.roster.capacities(policy))
    named = dict(zip(moment.roster.partner_ids, prices.tolist(), strict=True))
    kept = _keep(project, named, version=version, leads=len(leads), now=now)
    scarce = int(np.count_nonzero(prices))
    return f"prices {kept}: the capacity of {scarce:,} of {len(prices):,} partners is scarce"


def drain_offers(project: Project, *, now: datetime) -> int:
    """Put leads and offers of the service into the lake, for models and policies to learn from.

    Returns:
        New rows; 0 where nothing was routed here, or `routing.keep_offers` is off.
    """
    from serving.routing.export import tables_of

    if not project.routing.keep_offers:
        return 0
    with opened(project) as database:
        leads, assignments = tables_of(database, project.routing)
    if assignments.empty:
        return 0
    lake = lake_of(project)
    tables = (("leads", leads), ("assignments", assignments))
    return sum(lake.append(name, rows, ingested_at=now).rows_new for name, rows in tables)


def _champions(project: Project) -> list[Any]:
    """The routing models in service that learnt from outcomes."""
    from partnerintel.scoring import champion_bundle

    found = []
    for name in MODELS:
        try:
            bundle, _ = champion_bundle(project, name)
        except NotFoundError:
            continue
        if bundle.labelled:
            found.append(bundle)
    return found


def _moment(project: Project, lake: Any) -> Any:
    """Partners as of the newest snapshot."""
    from evaluation.moments import moment_at
    from features.leadhistory import offers_of
    from features.rosters import RosterTables
    from features.snapshot import read_snapshots, saved_as_ofs

    newest = max(saved_as_ofs(project.workspace.features))
    snapshot = read_snapshots(project.workspace.features, as_ofs=[newest])
    deals, leads = (lake.read(n) if lake.has(n) else None for n in ("deals", "leads"))
    offers = offers_of(lake.read("assignments"), leads=leads)
    at = datetime.combine(newest, time())
    return moment_at(snapshot, RosterTables.of(lake), offers=offers, deals=deals, as_of=at)


def _recent(lake: Any, now: datetime) -> list[dict[str, Any]]:
    end = min(now, data_span(lake)[1])
    leads = lake.read("leads").sort_values(["event_at", "lead_id", "row_hash"], kind="stable")
    leads = leads.drop_duplicates("lead_id", keep="last")
    recent = leads[(leads["event_at"] > end - timedelta(days=DAYS)) & (leads["event_at"] <= end)]
    return list(recent.tail(MOST_LEADS).to_dict("records"))


def _value(lead: dict[str, Any], unknown: float) -> float:
    value = lead.get("estimated_value_usd")
    return unknown if value is None or value != value else float(value)


def _keep(project: Project, prices: dict[str, float], *, version: int, leads: int, now: datetime) -> int:
    from serving.routing.prices import keep_prices

    about = {"leads": leads, "days": DAYS}
    with opened(project) as database:
        return keep_prices(database, prices, policy_version=version, about=about, at=now)
