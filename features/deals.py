"""Deals: what the partner registers, wins and loses, for how much, and how regularly."""

from __future__ import annotations

from typing import Any

from features.definition import Definition, ViewDefinition
from features.gaps import gap_quantiles
from features.inputs import Inputs
from features.windows import (
    distinct_items,
    extreme_days,
    live_since,
    present_days,
    trend,
    window_sums,
)

CENTS = 100.0
COUNTS = {"registered": (30, 90, 180), "won": (30, 90, 180, 365), "lost": (180,)}
AMOUNTS = {"won_amount": (30, 90, 180, 365), "won_margin": (90, 365)}
_MEASURE = {"won_amount": "won_cents", "won_margin": "margin_cents"}
_MEANING = {
    "registered": "Deals registered",
    "won": "Deals won (returns, which have a negative amount, are none)",
    "lost": "Deals lost",
    "won_amount": "Value of won deals less returns",
    "won_margin": "Margin of won deals less returns",
}

VIEW = ViewDefinition(
    "deals",
    "What the partner registers, wins and loses, for how much, and how regularly.",
    ("deals",),
    (
        *(
            Definition(f"{kind}_count_{w}d", "count", f"{_MEANING[kind]} in the last {w} days.")
            for kind, windows in COUNTS.items()
            for w in windows
        ),
        *(
            Definition(f"{kind}_usd_{w}d", "usd", f"{_MEANING[kind]} in the last {w} days.")
            for kind, windows in AMOUNTS.items()
            for w in windows
        ),
        Definition("won_days_180d", "days", "Days with a won deal in the last 180 days."),
        Definition(
            "win_rate_365d_share",
            "share",
            "Won deals by won and lost ones in the last 365 days; missing when none was decided.",
        ),
        Definition("days_since_last_registration", "days", "Days since a deal was last registered."),
        Definition("days_since_last_won", "days", "Days since a deal was last won."),
        Definition("days_since_first_won", "days", "Days since a deal was first won."),
        Definition(
            "won_gap_median_days",
            "days",
            "Median of the partner's own gaps between days with a won deal; missing without a gap.",
        ),
        Definition(
            "won_gap_p90_days",
            "days",
            "0.9 quantile of the partner's n own gaps between days with a won deal, drawn toward the one of "
            "all partners with weight n / (n + 4); missing without a won deal.",
        ),
        Definition(
            "won_overdue_ratio",
            "ratio",
            "days_since_last_won / max(won_gap_p90_days, 1); above 1 is overdue.",
        ),
        Definition(
            "won_amount_trend",
            "log ratio",
            "ln((won_amount_usd_90d + 1) / (won_amount_usd_365d · 90/365 + 1)), amounts below 0 taken as 0.",
        ),
        Definition(
            "won_product_count_365d", "count", "Different products in deals won in the last 365 days."
        ),
    ),
)


def build(inputs: Inputs) -> Any | None:
    """Deal features of every partner at every date; None without a deals table."""
    days, products = inputs.bucket("deal_days"), inputs.bucket("deal_products")
    if days is None or products is None:
        return None
    grid, settings, rows = inputs.grid, inputs.settings, inputs.counted("deal_days")
    won = rows.filter(rows.n_won > 0)
    wanted = {f"{k}_count_{w}d": (f"n_{k}", w) for k, windows in COUNTS.items() for w in windows}
    wanted |= {f"{k}_usd_{w}d": (_MEASURE[k], w) for k, windows in AMOUNTS.items() for w in windows}
    wanted["lost_count_365d"] = ("n_lost", 365)
    rows = inputs.joined(
        window_sums(rows, grid, wanted),
        window_sums(present_days(won, grid, corrected=days.corrected), grid, {"won_days_180d": ("one", 180)}),
        extreme_days(rows.filter(rows.n_registered > 0), grid, last="days_since_last_registration"),
        extreme_days(won, grid, last="days_since_last_won", first="days_since_first_won"),
        gap_quantiles(
            won, grid, window_days=settings.gap_window_days, prior_weight=settings.gap_prior_weight
        ).rename(won_gap_median_days="median_days", won_gap_p90_days="p90_days"),
        distinct_items(inputs.counted("deal_products"), grid, {"won_product_count_365d": 365}),
        once=(
            live_since(days, live=None, live_amount="n_amount", live_margin="n_margin"),
            live_since(products, live_product=None),
        ),
    )
    return _ratios(_filled(inputs, rows))


def _filled(inputs: Inputs, rows: Any) -> Any:
    counts = [c for c in rows.columns if "_count_" in c and c != "won_product_count_365d"]
    return rows.mutate(
        **{c: inputs.zero_if(rows, c, "live") for c in (*counts, "won_days_180d")},
        **{f"won_amount_usd_{w}d": inputs.zero_if(rows, f"won_amount_usd_{w}d", "live_amount", scale=CENTS)
           for w in AMOUNTS["won_amount"]},
        **{f"won_margin_usd_{w}d": inputs.zero_if(rows, f"won_margin_usd_{w}d", "live_margin", scale=CENTS)
           for w in AMOUNTS["won_margin"]},
        won_product_count_365d=inputs.zero_if(rows, "won_product_count_365d", "live_product"),
    )  # fmt: skip


def _ratios(rows: Any) -> Any:
    decided = rows.won_count_365d + rows.lost_count_365d
    short, long = (
        (rows[f"won_amount_usd_{w}d"] > 0).ifelse(
            rows[f"won_amount_usd_{w}d"], 0 * rows[f"won_amount_usd_{w}d"]
        )
        for w in (90, 365)
    )
    gap = (rows.won_gap_p90_days > 1).ifelse(rows.won_gap_p90_days, 0 * rows.won_gap_p90_days + 1)
    return rows.mutate(
        win_rate_365d_share=rows.won_count_365d / decided.nullif(0),
        won_overdue_ratio=rows.days_since_last_won / gap,
        won_amount_trend=trend(short, long, share=90 / 365),
    ).drop("lost_count_365d")
