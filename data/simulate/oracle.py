"""What only the truth can answer: the best possible churn score, and true expected outcomes.

`bayes_score` belongs to the analytic world: the best anyone could do with what was observed. All others
belong to the rich world and know its hidden state; they judge models, routing policies, alerts and tiers.
"""

from __future__ import annotations

from data.simulate.analytic.bayes import bayes_score
from data.simulate.rich.answers import (
    accept_probability,
    departed_if_treated,
    hazard_score,
    next_revenue,
    win_probability,
)

__all__ = [
    "accept_probability",
    "bayes_score",
    "departed_if_treated",
    "hazard_score",
    "next_revenue",
    "win_probability",
]
