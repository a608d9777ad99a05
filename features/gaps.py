"""How regularly something happens at each partner: gaps between the days it happened."""

from __future__ import annotations

from typing import Any

from features.windows import Grid, at_dates

LONG_GAP = 0.9


def gap_quantiles(rows: Any, grid: Grid, *, window_days: int, prior_weight: float) -> Any:
    """Median and long gap between neighbouring days, as known at each date.

    The median is the partner's own. The long gap is the 0.9 quantile of the partner's n gaps, drawn toward
    the 0.9 quantile of all partners' gaps at that date with weight n / (n + prior_weight): three gaps say
    little about the tail. A partner with a single day has the pooled one; without any day in the window both
    are missing. Quantiles interpolate linearly.

    Args:
        rows: Counted rows in which the event happened.
        grid: Dates.
        window_days: Days before `as_of` that are looked at.
        prior_weight: Weight of the pooled gap, in numbers of own gaps.

    Returns:
        partner_id, as_of, median_days, p90_days (float64).
    """
    import ibis

    gaps = _gaps(rows, grid, window_days=window_days)
    pooled = gaps.filter(gaps.gap.notnull())
    pooled = pooled.group_by("as_of").agg(pooled_p90=pooled.gap.quantile(LONG_GAP))
    own = gaps.group_by("partner_id", "as_of").agg(
        n=gaps.gap.count(), median_days=gaps.gap.quantile(0.5), own_p90=gaps.gap.quantile(LONG_GAP)
    )
    own = own.left_join(pooled, "as_of").drop("as_of_right")
    shrunken = (own.n * own.own_p90.fill_null(0) + prior_weight * own.pooled_p90) / (own.n + prior_weight)
    nothing_to_shrink = own.n + prior_weight == 0
    return own.select(
        "partner_id", "as_of", "median_days", p90_days=nothing_to_shrink.ifelse(ibis.null(), shrunken)
    )


def _gaps(rows: Any, grid: Grid, *, window_days: int) -> Any:
    """One row for each day of each partner at each date, and the gap to the day before, if there is one."""
    import ibis

    rows = at_dates(rows, grid)
    rows = rows.filter(rows.event_day >= rows.as_of - window_days)
    rows = rows.select("partner_id", "as_of", "event_day").distinct()
    before = ibis.window(group_by=["partner_id", "as_of"], order_by="event_day")
    return rows.mutate(gap=(rows.event_day - rows.event_day.lag().over(before)).cast("float64"))
