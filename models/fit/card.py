"""The scorecard of fit where the customer gives none: size, kind, maturity and turnover."""

from __future__ import annotations

from models.scorecard import Band, Criterion, Scorecard


def _bands(*steps: tuple[float, float]) -> tuple[Band, ...]:
    return tuple(Band.model_validate({"from": least, "points": points}) for least, points in steps)


FIT_DEFAULT = Scorecard(
    criteria=(
        Criterion(
            feature="employee_count",
            label="Employees",
            weight=30,
            bands=_bands((5, 6), (10, 12), (25, 20), (50, 26), (100, 30)),
        ),
        Criterion(
            feature="partner_type",
            label="Kind of partner",
            weight=30,
            values={"integrator": 30, "reseller": 22, "distributor": 14, "referral": 8},
            other=12,
        ),
        Criterion(
            feature="company_age_years",
            label="Years since foundation",
            weight=20,
            bands=_bands((2, 8), (4, 20), (21, 14)),
        ),
        Criterion(
            feature="annual_revenue_usd",
            label="Revenue, US dollars",
            weight=20,
            bands=_bands((500_000, 6), (2_000_000, 12), (10_000_000, 20)),
        ),
    )
)
"""A plain statement of common practice, with no knowledge of your market: write your own under
`scorecards: fit:`. It is the prior of the model, what serves with zero labels, and what must be beaten."""
