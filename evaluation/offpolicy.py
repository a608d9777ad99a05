"""What would another policy have brought, judged from the log of the one that was used?

Four estimates stand side by side. IPS weighs what happened by how much likelier the policy would have chosen
it; SNIPS divides by the weights' sum; DM believes a reward model; DR corrects the model by the weights and is
right when either of them is. The verdict is DR's. Where the log cannot answer, it says so and gives none.

Source: Dudík, Langford, Li, Doubly robust policy evaluation and learning (2011); Swaminathan, Joachims, The
self-normalized estimator for counterfactual learning (2015).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from evaluation.decisions import Decisions as Decisions
from evaluation.rewards import Rewards, cross_fit
from evaluation.support import Refusal, Support, SupportSettings, refusal, support_of

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
LEVEL = 0.95
Answer = Literal["better", "worse", "no_difference_shown", "refused"]


@dataclass(frozen=True)
class Value:
    """A mean reward for each decision, with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class OffPolicy:
    """The judgement of a policy.

    Attributes:
        logged: What the log's own choices brought.
        ips: Inverse propensity score.
        snips: The same, self-normalised.
        dm: Direct method; its interval knows nothing of the model's own error.
        dr: Doubly robust, cross-fitted.
        gain: DR less the log, decision by decision.
        support: How far the log speaks for the policy.
        refusal: Why there is no verdict, or None.
        answer: The verdict.
    """

    logged: Value
    ips: Value
    snips: Value
    dm: Value
    dr: Value
    gain: Value
    support: Support
    refusal: Refusal | None
    answer: Answer


def judge_policy(
    decisions: Decisions,
    *,
    settings: SupportSettings | None = None,
    seed: int = 0,
    rewards: Rewards | None = None,
) -> OffPolicy:
    """Estimate the policy's value; with thin support there are figures, but no verdict.

    Args:
        decisions: The log.
        settings: What support is asked for.
        seed: Of the folds.
        rewards: Predictions of another reward model, which must not have seen the decision it predicts;
            None: one is cross-fitted on the log.
    """
    support = support_of(decisions)
    refused = refusal(support, settings)
    model = rewards or (cross_fit(decisions, seed=seed) if len(decisions) else Rewards(*_nothing()))
    known, weight, reward = decisions.known, decisions.weights(), decisions.reward
    freedom = max(support.effective_size - 1.0, 1.0)

    def mean(scores: Floats) -> Value:
        return _mean(scores[known], decisions.cluster[known], freedom)

    robust = model.policy + weight * (reward - model.chosen)
    gain = mean(robust - reward)
    return OffPolicy(
        logged=_mean(reward[known], decisions.cluster[known], max(known.sum() - 1.0, 1.0)),
        ips=mean(weight * reward),
        snips=_self_normalised(weight[known], reward[known], decisions.cluster[known], freedom),
        dm=_mean(model.policy, decisions.cluster, max(len(decisions) - 1.0, 1.0)),
        dr=mean(robust),
        gain=gain,
        support=support,
        refusal=refused,
        answer="refused" if refused else _answer(gain),
    )


@dataclass(frozen=True)
class Comparison:
    """One policy against another, decision by decision.

    Attributes:
        gain: DR of the first less DR of the second.
        refusal: Why there is no verdict: the log speaks for one of them too little.
        answer: The verdict on the first.
    """

    gain: Value
    refusal: Refusal | None
    answer: Answer


def compare_policies(
    new: Decisions, old: Decisions, *, settings: SupportSettings | None = None, seed: int = 0
) -> Comparison:
    """Whether the log says that one policy brings more than another.

    Args:
        new: The log with the chances of the policy in question.
        old: The same log with the chances of the other.
        settings: What support is asked for, of each.
        seed: Of the folds.
    """
    supports = [support_of(d) for d in (new, old)]
    refused = refusal(supports[0], settings) or _of_other(refusal(supports[1], settings))
    robust = []
    for decisions in (new, old):
        model = cross_fit(decisions, seed=seed) if len(decisions) else Rewards(*_nothing())
        robust.append(model.policy + decisions.weights() * (decisions.reward - model.chosen))
    freedom = max(min(s.effective_size for s in supports) - 1.0, 1.0)
    gain = _mean((robust[0] - robust[1])[new.known], new.cluster[new.known], freedom)
    return Comparison(gain, refused, "refused" if refused else _answer(gain))


def _of_other(found: Refusal | None) -> Refusal | None:
    """A refusal that concerns the policy compared with, and says so."""
    if found is None:
        return None
    return replace(found, message=found.message.replace("No verdict", "No verdict on the other policy", 1))


def _answer(gain: Value) -> Answer:
    if gain.low > 0:
        return "better"
    return "worse" if gain.high < 0 else "no_difference_shown"


def _mean(scores: Floats, cluster: Integers, freedom: float) -> Value:
    """Mean with a t interval over clusters.

    The degrees of freedom are those of the decisions that speak for the policy, not of all: with few of them
    the spread of the scores is itself hardly known, and a normal interval is too narrow.
    """
    if scores.size < 2:
        return Value(math.nan, math.nan, math.nan)
    value = float(scores.mean())
    error = _error(scores - value, cluster) / scores.size
    return _interval(value, error, freedom)


def _self_normalised(weight: Floats, reward: Floats, cluster: Integers, freedom: float) -> Value:
    total = float(weight.sum())
    if weight.size < 2 or total <= 0:
        return Value(math.nan, math.nan, math.nan)
    value = float((weight * reward).sum()) / total
    return _interval(value, _error(weight * (reward - value), cluster) / total, freedom)


def _error(away: Floats, cluster: Integers) -> float:
    """Standard error of a sum whose clusters are independent."""
    codes = np.unique(cluster, return_inverse=True)[1]
    sums = np.bincount(codes, weights=away)
    many = sums.size
    return math.sqrt(float((sums**2).sum()) * many / (many - 1)) if many > 1 else math.inf


def _interval(value: float, error: float, freedom: float) -> Value:
    from scipy.stats import t

    half = float(t.ppf(0.5 + LEVEL / 2, freedom)) * error
    return Value(value, value - half, value + half)


def _nothing() -> tuple[Floats, Floats]:
    return np.zeros(0), np.zeros(0)
