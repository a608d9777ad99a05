"""Can the log answer at all? How many past decisions speak for another policy, and a refusal where few do."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evaluation.decisions import Decisions

CERTAIN = 1 - 1e-6
MEANINGS = {
    "few_decisions": "the log holds too few decisions with a known outcome",
    "propensity_unknown": "the log does not say with what probability its choices were made",
    "deterministic_log": "the log always chose the same way, so it never shows what another choice brings",
    "no_support": "the policy often chooses what the log never or hardly ever chose",
    "thin_support": "too few of the past choices are ones that the policy would make as well",
    "one_choice_decides": "a single past choice would decide the result",
}
"""Codes of refusals, and what each means, in words."""


@dataclass(frozen=True)
class SupportSettings:
    """What a log must have before a verdict is given.

    Attributes:
        least_decisions: Decisions with a known outcome.
        least_known_share: Share of them whose propensity is known.
        most_certain_share: Greatest share of decisions made with certainty where the policy differs.
        least_effective: Effective sample size.
        least_mass: Least share of the policy's own choices that the log could have made; judged by the upper
            end of its interval, so that it refuses only what is plain.
        most_weight_share: Greatest share of the whole weight that one decision may have.
    """

    least_decisions: int = 100
    least_known_share: float = 0.95
    most_certain_share: float = 0.9
    least_effective: float = 30.0
    least_mass: float = 0.75
    most_weight_share: float = 0.15


@dataclass(frozen=True)
class Support:
    """How far the log speaks for the policy.

    Attributes:
        decisions: Past decisions with an outcome.
        known_share: Share of them whose propensity is known.
        matching_share: Share of past choices that the policy could have made.
        effective_size: (Σw)² / Σw²: how many decisions of the policy itself would tell as much.
        mean_weight: Mean of w; 1 where the log could have chosen all that the policy chooses.
        mean_weight_error: Standard error of the mean.
        largest_weight_share: Share of the greatest weight in all.
        certain_share: Share of decisions made with certainty.
    """

    decisions: int
    known_share: float
    matching_share: float
    effective_size: float
    mean_weight: float
    mean_weight_error: float
    largest_weight_share: float
    certain_share: float


@dataclass(frozen=True)
class Refusal:
    """Why there is no verdict.

    Attributes:
        code: One of `MEANINGS`.
        message: What was found, and what would have been enough.
        next_step: What to do about it.
    """

    code: str
    message: str
    next_step: str


def support_of(decisions: Decisions) -> Support:
    """Figures of a log."""
    count, known = len(decisions), decisions.known
    weight = decisions.weights()
    total, squares = float(weight.sum()), float((weight**2).sum())
    used = int(known.sum())
    return Support(
        decisions=count,
        known_share=used / count if count else 0.0,
        matching_share=float((weight > 0).sum()) / used if used else 0.0,
        effective_size=total**2 / squares if squares > 0 else 0.0,
        mean_weight=total / used if used else 0.0,
        mean_weight_error=float(weight[known].std(ddof=1)) / math.sqrt(used) if used > 1 else math.inf,
        largest_weight_share=float(weight.max()) / total if total > 0 else 1.0,
        certain_share=float((decisions.propensity[known] >= CERTAIN).mean()) if used else 0.0,
    )


def refusal(support: Support, settings: SupportSettings | None = None) -> Refusal | None:
    """Why the log cannot answer; None: it can."""
    s, least = support, settings or SupportSettings()
    if s.decisions < least.least_decisions:
        return _refused(
            "few_decisions",
            f"{s.decisions} decisions with a known outcome; at least {least.least_decisions} are needed",
            "Wait until more outcomes are known.",
        )
    if s.known_share < least.least_known_share:
        return _refused(
            "propensity_unknown",
            f"known for {s.known_share:.0%} of the decisions; {least.least_known_share:.0%} are needed",
            "Map `propensity` of `assignments`, or route through this service, which logs it.",
        )
    if s.certain_share > least.most_certain_share and s.matching_share < CERTAIN:
        return _refused(
            "deterministic_log",
            f"{s.certain_share:.0%} of its choices were certain",
            "Give `exploration_share` of the policy in force a value above 0, and wait.",
        )
    if s.effective_size < least.least_effective:
        return _refused(
            "thin_support",
            f"they count as {s.effective_size:.1f} decisions of its own, out of {s.decisions}; "
            f"at least {least.least_effective:g} are needed",
            "Run it as a canary for a share of the leads, or explore more.",
        )
    if s.mean_weight + 2 * s.mean_weight_error < least.least_mass:
        return _refused(
            "no_support",
            f"the log covers {s.mean_weight:.0%} of its choices; {least.least_mass:.0%} are needed",
            "Run it as a canary for a share of the leads.",
        )
    if s.largest_weight_share > least.most_weight_share:
        return _refused(
            "one_choice_decides",
            f"it has {s.largest_weight_share:.0%} of the weight, above {least.most_weight_share:.0%}",
            "Wait for more decisions, or run it as a canary for a share of the leads.",
        )
    return None


def _refused(code: str, found: str, next_step: str) -> Refusal:
    return Refusal(code, f"No verdict: {MEANINGS[code]} ({found}).", next_step)
