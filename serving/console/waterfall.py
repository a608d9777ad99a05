"""How a score comes about, as bars on the model's own additive scale with its probabilities as ticks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TICKS = (0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
PAD = 0.04


@dataclass(frozen=True)
class Step:
    """One bar.

    Attributes:
        label: Factor, or what the bar stands for.
        sentence: In words.
        kind: `start`, `up`, `down` or `end`.
        left: Per cent of the width.
        width: Per cent of the width.
        before: Probability before the step.
        after: Probability after it.
        contribution: On the additive scale.
    """

    label: str
    sentence: str
    kind: str
    left: float
    width: float
    before: float
    after: float
    contribution: float


@dataclass(frozen=True)
class Waterfall:
    """Bars and ticks.

    Attributes:
        steps: From the typical case to the score, largest contribution first.
        ticks: (per cent of the width, probability).
    """

    steps: tuple[Step, ...]
    ticks: tuple[tuple[float, float], ...]


def waterfall(score: Mapping[str, Any]) -> Waterfall:
    """The bars of a score.

    Args:
        score: As in the contract: `baseline + Σ contribution + other_factors` on `scale`.
    """
    start, rest = float(score["baseline"]), float(score["other_factors"])
    parts = sorted(score["reasons"], key=lambda r: -abs(r["contribution"]))
    moves = [(r["factor"], r["sentence"], float(r["contribution"])) for r in parts]
    if abs(rest) > 1e-9:
        moves.append(("everything else", "All further factors together.", rest))
    levels = [start]
    for *_, contribution in moves:
        levels.append(levels[-1] + contribution)
    low, high = min(levels), max(levels)
    span = max(high - low, 0.5)
    low, high = low - PAD * span, low + span * (1 + PAD)
    scale = str(score["scale"])

    def place(eta: float) -> float:
        return round(100 * (eta - low) / (high - low), 3)

    steps = [_edge("start", "Typical case", "Where every partner starts.", start, place, scale)]
    for (factor, sentence, contribution), before in zip(moves, levels, strict=False):
        after = before + contribution
        left, right = sorted((place(before), place(after)))
        kind = "up" if contribution > 0 else "down"
        shares = (probability(before, scale), probability(after, scale))
        steps.append(Step(factor, sentence, kind, left, max(right - left, 0.4), *shares, contribution))
    steps.append(_edge("end", "This score", "The sum of all bars.", levels[-1], place, scale))
    return Waterfall(tuple(steps), _ticks(low, high, place, scale))


def _edge(kind: str, label: str, sentence: str, eta: float, place: Any, scale: str) -> Step:
    share = probability(eta, scale)
    return Step(label, sentence, kind, place(eta) - 0.3, 0.6, share, share, 0.0)


def _ticks(low: float, high: float, place: Any, scale: str) -> tuple[tuple[float, float], ...]:
    found: list[tuple[float, float]] = []
    for share in TICKS:
        eta = _inverse(share, scale)
        at = place(eta)
        if low <= eta <= high and 2 < at < 98 and (not found or at - found[-1][0] > 15):
            found.append((at, share))
    return tuple(found)


def probability(eta: float, scale: str) -> float:
    """The probability a value of the additive scale stands for."""
    if scale == "log_cumulative_hazard":
        return -math.expm1(-math.exp(min(eta, 30.0)))
    return 1 / (1 + math.exp(-eta)) if eta > -700 else 0.0


def _inverse(share: float, scale: str) -> float:
    if scale == "log_cumulative_hazard":
        return math.log(-math.log1p(-share))
    return math.log(share / (1 - share))
