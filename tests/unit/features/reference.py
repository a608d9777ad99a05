"""The features once more, slowly and row by row: what the fast build is compared with.

Written from docs/reference/features.md, with plain loops and without a look at the Ibis expressions.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np

Row = dict[str, Any]
Tables = Mapping[str, Sequence[Row]]
NAN = float("nan")
KEYS = {
    "partners": ("partner_id",),
    "events": ("event_id",),
    "deals": ("deal_id", "status"),
    "certifications": ("certification_id",),
    "surveys": ("survey_id",),
    "tier_history": ("partner_id", "event_at"),
}
GROUPS = {
    "login": {"portal_login"},
    "content": {"content_download"},
    "email": {"email_open", "email_click"},
    "meeting": {"meeting"},
    "training": {"training_completed"},
    "ticket": {"ticket_opened"},
}


def known_at(row: Row) -> datetime:
    return row["known_at"] or row.get("event_at") or datetime(1970, 1, 1)


def valid(tables: Tables, table: str, as_of: datetime) -> list[Row]:
    """The last version known by as_of of each record, of what happened before as_of."""
    last: dict[tuple[Any, ...], Row] = {}
    for row in tables.get(table, ()):
        key = tuple(row[k] for k in KEYS[table])
        if known_at(row) > as_of:
            continue
        if key not in last or (known_at(row), row["row_hash"]) > (
            known_at(last[key]),
            last[key]["row_hash"],
        ):
            last[key] = row
    return [r for r in last.values() if "event_at" not in r or r["event_at"] < as_of]


def ever_known(tables: Tables, table: str, as_of: datetime, test: Callable[[Row], bool]) -> bool:
    return any(known_at(r) <= as_of and r["event_at"] < as_of and test(r) for r in tables.get(table, ()))


def day(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def within(rows: Sequence[Row], as_of: datetime, days: int) -> list[Row]:
    return [r for r in rows if r["event_at"] >= as_of - timedelta(days=days)]


def since(moments: Sequence[datetime], as_of: datetime, pick: Callable[..., datetime] = max) -> float:
    return float((as_of - day(pick(moments))).days) if moments else NAN


def quantity(row: Row) -> float:
    return 1.0 if row["quantity"] is None else row["quantity"]


def engagement(rows: Sequence[Row], as_of: datetime, tables: Tables) -> Row:
    live = ever_known(tables, "events", as_of, lambda r: True)
    users_live = ever_known(tables, "events", as_of, lambda r: r["user_id"] is not None and quantity(r) > 0)
    out: Row = {}
    for name, windows in {
        "login": (7, 30, 90, 180),
        "content": (30, 90),
        "email": (30, 90),
        "meeting": (90, 180),
        "event": (30, 90),
    }.items():
        for w in windows:
            kind = [r for r in within(rows, as_of, w) if name == "event" or r["event_type"] in GROUPS[name]]
            out[f"{name}_count_{w}d"] = sum(map(quantity, kind)) if live else NAN
    real = [r for r in rows if quantity(r) > 0]
    for w in (30, 90):
        recent = within(real, as_of, w)
        out[f"active_days_{w}d"] = float(len({day(r["event_at"]) for r in recent})) if live else NAN
        people = {r["user_id"] for r in recent} - {None}
        out[f"active_users_{w}d"] = float(len(people)) if users_live else NAN
    logins = [r["event_at"] for r in real if r["event_type"] in GROUPS["login"]]
    out["days_since_last_login"] = since(logins, as_of)
    out["days_since_last_event"] = since([r["event_at"] for r in real], as_of)
    out["login_trend"] = math.log((out["login_count_30d"] + 1) / (out["login_count_90d"] / 3 + 1))
    return out


def is_won(row: Row) -> bool:
    return row["status"] == "won" and (row["amount_usd"] is None or row["amount_usd"] > 0)


def money(rows: Sequence[Row], column: str) -> float:
    return sum(round(r[column] * 100) for r in rows if r["status"] == "won" and r[column] is not None) / 100


def gaps(rows: Sequence[Row], as_of: datetime, window: int) -> list[int]:
    days = sorted({day(r["event_at"]) for r in within(rows, as_of, window)})
    return [(b - a).days for a, b in itertools.pairwise(days)]


def deals(rows: Sequence[Row], as_of: datetime, tables: Tables, pooled: Sequence[int], window: int) -> Row:
    live = ever_known(tables, "deals", as_of, lambda r: True)
    priced = ever_known(tables, "deals", as_of, lambda r: r["amount_usd"] is not None)
    with_margin = ever_known(tables, "deals", as_of, lambda r: r["margin_usd"] is not None)
    with_product = ever_known(tables, "deals", as_of, lambda r: is_won(r) and r["product"] is not None)
    of = {
        "registered": [r for r in rows if r["status"] == "registered"],
        "won": [r for r in rows if is_won(r)],
        "lost": [r for r in rows if r["status"] == "lost"],
    }
    out: Row = {}
    for name, windows in {"registered": (30, 90, 180), "won": (30, 90, 180, 365), "lost": (180,)}.items():
        for w in windows:
            out[f"{name}_count_{w}d"] = float(len(within(of[name], as_of, w))) if live else NAN
    for w in (30, 90, 180, 365):
        out[f"won_amount_usd_{w}d"] = money(within(rows, as_of, w), "amount_usd") if priced else NAN
    for w in (90, 365):
        out[f"won_margin_usd_{w}d"] = money(within(rows, as_of, w), "margin_usd") if with_margin else NAN
    won = [r["event_at"] for r in of["won"]]
    out["won_days_180d"] = (
        float(len({day(r["event_at"]) for r in within(of["won"], as_of, 180)})) if live else NAN
    )
    wins, losses = len(within(of["won"], as_of, 365)), len(within(of["lost"], as_of, 365))
    out["win_rate_365d_share"] = wins / (wins + losses) if wins + losses else NAN
    out["days_since_last_registration"] = since([r["event_at"] for r in of["registered"]], as_of)
    out["days_since_last_won"] = since(won, as_of)
    out["days_since_first_won"] = since(won, as_of, min)
    own = gaps(of["won"], as_of, window)
    out["won_gap_median_days"] = float(np.quantile(own, 0.5)) if own else NAN
    long_gap = NAN
    if within(of["won"], as_of, window) and pooled:
        own_p90 = float(np.quantile(own, 0.9)) if own else 0.0
        long_gap = (len(own) * own_p90 + 4 * float(np.quantile(pooled, 0.9))) / (len(own) + 4)
    out["won_gap_p90_days"] = long_gap
    out["won_overdue_ratio"] = out["days_since_last_won"] / (
        long_gap if math.isnan(long_gap) else max(long_gap, 1)
    )
    short, long = (max(out[f"won_amount_usd_{w}d"], 0) if priced else NAN for w in (90, 365))
    out["won_amount_trend"] = math.log((short + 1) / (long * (90 / 365) + 1))
    products = {r["product"] for r in within(of["won"], as_of, 365)} - {None}
    out["won_product_count_365d"] = float(len(products)) if with_product else NAN
    return out


def enablement(rows: Sequence[Row], events: Sequence[Row], as_of: datetime, tables: Tables) -> Row:
    live = ever_known(tables, "certifications", as_of, lambda r: True)
    active = [r for r in rows if r["expires_at"] is None or r["expires_at"] > as_of]
    # An expiry during the day of as_of + 90 is still within 90 days only up to its midnight.
    limit = as_of + timedelta(days=90)
    expiring = [r for r in active if r["expires_at"] is not None and r["expires_at"] <= limit]
    out: Row = {
        "certified_users_count": float(len({r["user_id"] for r in active} - {None})) if live else NAN,
        "certifications_active_count": float(len(active)) if live else NAN,
        "certifications_expiring_90d_count": float(len(expiring)) if live else NAN,
        "days_since_last_certification": since([r["event_at"] for r in rows], as_of),
    }
    events_live = ever_known(tables, "events", as_of, lambda r: True)
    for w in (90, 180):
        kind = [r for r in within(events, as_of, w) if r["event_type"] in GROUPS["training"]]
        out[f"training_count_{w}d"] = sum(map(quantity, kind)) if events_live else NAN
    return out


def satisfaction(rows: Sequence[Row], events: Sequence[Row], as_of: datetime, tables: Tables) -> Row:
    latest = max(rows, key=lambda r: (r["event_at"], r["survey_id"]), default=None)
    recent = [r["score"] for r in within(rows, as_of, 365)]
    out: Row = {
        "survey_score_latest": latest["score"] if latest else NAN,
        "survey_score_mean_365d": sum(recent) / len(recent) if recent else NAN,
        "days_since_last_survey": since([r["event_at"] for r in rows], as_of),
    }
    events_live = ever_known(tables, "events", as_of, lambda r: True)
    for w in (30, 90):
        kind = [r for r in within(events, as_of, w) if r["event_type"] in GROUPS["ticket"]]
        out[f"ticket_count_{w}d"] = sum(map(quantity, kind)) if events_live else NAN
    return out


def firmographics(partner: Row, tiers: Sequence[Row], as_of: datetime, tables: Tables) -> Row:
    out = {c: partner[c] for c in ("country", "region", "partner_type", "industry", "motion")}
    for c in ("employee_count", "annual_revenue_usd"):
        out[c] = NAN if partner[c] is None else float(partner[c])
    founded, signed = partner["founded_year"], partner["signed_at"]
    out["company_age_years"] = NAN if founded is None else float(as_of.year - founded)
    out["partner_age_days"] = NAN if signed is None else float((as_of - day(signed)).days)
    newest = max(tiers, key=lambda r: r["event_at"], default=None)
    out["tier"] = (newest["tier"] if newest else None) if "tier_history" in tables else partner["tier"]
    return out


def features_at(tables: Tables, as_of: datetime, *, gap_window: int = 730) -> dict[str, Row]:
    """Features of each partner at one date."""
    partners = {
        r["partner_id"]: r
        for r in valid(tables, "partners", as_of)
        if r["signed_at"] is None or r["signed_at"] < as_of
    }
    rows = {t: valid(tables, t, as_of) for t in KEYS if t != "partners"}

    def own(table: str, partner_id: str) -> list[Row]:
        return [r for r in rows[table] if r["partner_id"] == partner_id]

    channel = {r["partner_id"] for r in rows["deals"]}
    pooled = [g for p in channel for g in gaps([r for r in own("deals", p) if is_won(r)], as_of, gap_window)]
    return {
        p: {
            **firmographics(partner, own("tier_history", p), as_of, tables),
            **engagement(own("events", p), as_of, tables),
            **deals(own("deals", p), as_of, tables, pooled, gap_window),
            **enablement(own("certifications", p), own("events", p), as_of, tables),
            **satisfaction(own("surveys", p), own("events", p), as_of, tables),
        }
        for p, partner in partners.items()
    }
