"""The scorecard of potential where the mapping gives none: the prior, and the reference to beat."""

from __future__ import annotations

from models.scorecard import Criterion, Scorecard

TIERING_DEFAULT = Scorecard(
    criteria=(
        Criterion(
            feature="won_amount_usd_365d", label="Value won, last year", weight=40, low=0, high=1_000_000
        ),
        Criterion(
            feature="won_amount_usd_90d", label="Value won, last quarter", weight=15, low=0, high=250_000
        ),
        Criterion(feature="registered_count_180d", label="Deals registered", weight=15, low=0, high=12),
        Criterion(feature="certified_users_count", label="Certified people", weight=10, low=0, high=8),
        Criterion(feature="login_count_90d", label="Portal logins", weight=10, low=0, high=60),
        Criterion(feature="survey_score_mean_365d", label="Survey answers", weight=10, low=4, high=9),
    )
)
