"""What only the truth can answer: the best possible churn score, and true expected outcomes."""

from __future__ import annotations

from data.simulate.analytic.bayes import bayes_score

__all__ = ["bayes_score"]
