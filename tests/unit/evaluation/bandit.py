"""A small world with known rewards: the log of one policy, and the true value of another."""

from __future__ import annotations

from typing import Any

import numpy as np

from evaluation.offpolicy import Decisions


def softmax(scores: Any) -> Any:
    weight = np.exp(scores - scores.max(axis=1, keepdims=True))
    return weight / weight.sum(axis=1, keepdims=True)


def logged(
    n: int = 1500,
    *,
    arms: int = 8,
    seed: int = 0,
    temperature: float = 1.0,
    explore: float = 0.1,
    target: str = "greedy",
    amounts: bool = False,
) -> tuple[Decisions, float]:
    """Decisions of a soft policy that likes the wrong thing, and the value of the judged one."""
    rng = np.random.default_rng(seed)
    fits, liked = rng.normal(size=(n, arms)), rng.normal(size=(n, arms))
    chance = 1 / (1 + np.exp(-(fits + 0.3 * liked - 0.8)))
    log = softmax(liked / temperature) if temperature > 0 else np.eye(arms)[liked.argmax(axis=1)]
    log = (1 - explore) * log + explore / arms
    best = np.eye(arms)[fits.argmax(axis=1)]
    wanted = {"greedy": best, "soft": 0.7 * best + 0.3 / arms, "same": log}[target]
    picked = (log.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1).clip(max=arms - 1)
    rows = np.arange(n)
    reward = (rng.random(n) < chance[rows, picked]).astype(float)
    worth = np.exp(rng.normal(size=n)) * 100 if amounts else np.ones(n)
    features = np.stack([fits.ravel(), liked.ravel(), np.full(n * arms, 3.0)], axis=1)
    decisions = Decisions(
        reward=reward * worth,
        propensity=log[rows, picked],
        chosen=rows * arms + picked,
        cluster=rows,
        decision=np.repeat(rows, arms),
        target=wanted.ravel(),
        features=features,
    )
    return decisions, float((wanted * chance).sum(axis=1) @ worth / n)
