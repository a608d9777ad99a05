"""Milestones of partners in their first 90 days, read from the lake."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from data.lake import Lake
from models.onboarding import DAYS, FIRST_DEAL, MILESTONES, fit_onboarding


def onboarding_of(
    lake: Lake, *, now: datetime, logins: Sequence[str], trainings: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """For each partner signed less than 90 days ago: milestones, and its chance of a first deal by day 90.

    Args:
        lake: Canonical rows.
        now: Naive UTC; nothing known later is used.
        logins: Event types that are logins.
        trainings: Event types that are completed trainings.
    """
    days = _days_to(lake, now=now, logins=logins, trainings=trainings)
    if days is None:
        return {}
    age = days.pop("age_days")
    signed = days.pop("signed_at")
    fitted = fit_onboarding(days[age >= DAYS])
    found = {}
    for partner in days.index[(age >= 0) & (age < DAYS)]:
        row = days.loc[partner]
        reached = {m: _date(signed[partner], row[m]) for m in (*MILESTONES, FIRST_DEAL)}
        count = sum(reached[m] is not None for m in MILESTONES)
        done = reached[FIRST_DEAL] is not None
        found[str(partner)] = {
            "days_since_signing": int(age[partner]),
            "milestones": reached,
            "first_deal_by_day_90": 1.0 if done else fitted.of(float(age[partner]), count),
            "earlier_partners": fitted.partners,
        }
    return found


def _days_to(lake: Lake, *, now: datetime, logins: Sequence[str], trainings: Sequence[str]) -> Any:
    """Days from signing to each first, NaN: not yet; None without partners or dates of signing."""
    import duckdb
    import pandas as pd

    if not lake.has("partners"):
        return None
    partners = lake.read("partners").sort_values(["known_at", "row_hash"])
    partners = partners.drop_duplicates("partner_id", keep="last").set_index("partner_id")
    signed = partners["signed_at"].dropna()
    signed = signed[signed <= now]
    if signed.empty:
        return None
    sources = {
        "first_login": ("events", f"event_type IN ({_listed(logins)})"),
        "first_training": ("events", f"event_type IN ({_listed(trainings)})"),
        "first_certification": ("certifications", "true"),
        "first_registration": ("deals", "status = 'registered'"),
        FIRST_DEAL: ("deals", "status = 'won' AND coalesce(amount_usd, 1) > 0"),
    }
    columns: dict[str, Any] = {}
    with duckdb.connect() as connection:
        connection.register("signed", signed.rename("signed_at").reset_index())
        for name, (table, where) in sources.items():
            columns[name] = pd.Series(float("nan"), index=signed.index)
            if not lake.has(table):
                continue
            files = [str(p) for p in lake.paths(table)]
            first = connection.execute(
                f"SELECT partner_id, min(event_at) AS first FROM read_parquet({files}) "
                "JOIN signed USING (partner_id) "
                f"WHERE {where} AND event_at >= signed_at AND coalesce(known_at, event_at) <= ? "
                "GROUP BY partner_id",
                [now],
            ).df()
            at = first.set_index("partner_id")["first"].reindex(signed.index)
            columns[name] = (at - signed) / pd.Timedelta(days=1)
    age = (pd.Timestamp(now) - signed) / pd.Timedelta(days=1)
    return pd.DataFrame({**columns, "age_days": age, "signed_at": signed})


def _listed(kinds: Sequence[str]) -> str:
    return ", ".join("'" + k.replace("'", "''") + "'" for k in kinds) or "NULL"


def _date(signed: Any, days: float) -> str | None:
    import pandas as pd

    return None if days != days else (signed + pd.Timedelta(days=days)).date().isoformat()
