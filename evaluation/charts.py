"""Charts of the model card as numbers for inline SVG: no script, nothing loaded from anywhere."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from evaluation.report import ReliabilityBin, Rung

LADDER_WIDTH, ROW_HEIGHT, LADDER_LEFT, LADDER_RIGHT = 680, 34, 150, 70
SQUARE, MARGIN = 360, 56


@dataclass(frozen=True)
class Bar:
    """One rung: a dot with its interval, in pixels; `shown` is None when it was not measured."""

    name: str
    y: float
    x: float
    low: float
    high: float
    shown: str | None
    own: bool


@dataclass(frozen=True)
class Tick:
    """A labelled position on an axis."""

    at: float
    text: str


@dataclass(frozen=True)
class LadderChart:
    """Rungs as dots on one axis."""

    width: int
    height: int
    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]


@dataclass(frozen=True)
class Point:
    """A group of test rows: where it lies, its interval, its size as a radius, and words for a tooltip."""

    x: float
    y: float
    low: float
    high: float
    radius: float
    words: str


@dataclass(frozen=True)
class ReliabilityChart:
    """Predicted against observed rates."""

    size: int
    margin: int
    points: tuple[Point, ...]
    ticks: tuple[Tick, ...]


def ladder_chart(ladder: Sequence[Rung], *, metric: str, own: str) -> LadderChart:
    """Dots and intervals of one metric, one row for each rung.

    Args:
        ladder: Rungs, weakest first.
        metric: Metric shown.
        own: Name of the rung that is highlighted.
    """
    known = [
        r.metrics[metric] for r in ladder if metric in r.metrics and math.isfinite(r.metrics[metric].value)
    ]
    values = [v for e in known for v in (e.value, e.low, e.high) if math.isfinite(v)]
    low, high = _padded(values)
    span = LADDER_WIDTH - LADDER_LEFT - LADDER_RIGHT

    def place(value: float, otherwise: float) -> float:
        value = value if math.isfinite(value) else otherwise
        return LADDER_LEFT + span * (value - low) / (high - low)

    bars = []
    for row, rung in enumerate(ladder):
        estimate = rung.metrics.get(metric)
        y = ROW_HEIGHT * (row + 0.5)
        if estimate is None or not math.isfinite(estimate.value):
            bars.append(Bar(rung.name, y, 0, 0, 0, None, rung.name == own))
            continue
        x, left, right = (place(v, estimate.value) for v in (estimate.value, estimate.low, estimate.high))
        bars.append(Bar(rung.name, y, x, left, right, f"{estimate.value:.3f}", rung.name == own))
    ticks = tuple(Tick(place(v, v), f"{v:.2f}") for v in _round_steps(low, high))
    return LadderChart(LADDER_WIDTH, ROW_HEIGHT * len(ladder) + 26, tuple(bars), ticks)


def amount_chart(bins: Sequence[ReliabilityBin]) -> ReliabilityChart:
    """Mean amounts, predicted and real, on logarithmic axes; what lies below the lowest power sits on it."""
    known = [v for b in bins for v in (b.predicted, b.observed, b.high) if math.isfinite(v) and v > 0]
    first = math.floor(math.log10(min([b.predicted for b in bins if b.predicted > 0], default=1.0)))
    last = max(math.ceil(math.log10(max(known, default=10.0))), first + 1)
    inner, most = SQUARE - 2 * MARGIN, max((b.n for b in bins), default=1)

    def along(value: float) -> float:
        return inner * (max(math.log10(value), first) - first) / (last - first) if value > 0 else 0.0

    points = tuple(
        Point(
            MARGIN + along(b.predicted),
            SQUARE - MARGIN - along(b.observed),
            SQUARE - MARGIN - along(b.low if math.isfinite(b.low) else b.observed),
            SQUARE - MARGIN - along(b.high if math.isfinite(b.high) else b.observed),
            3.0 + 3.0 * math.sqrt(b.n / most),
            f"predicted {b.predicted:,.0f}, came {b.observed:,.0f} on average of {b.n:,} rows",
        )
        for b in bins
    )
    ticks = tuple(Tick(along(10.0**k), short(10.0**k)) for k in range(first, last + 1))
    return ReliabilityChart(SQUARE, MARGIN, points, ticks)


def short(value: float) -> str:
    """A round amount in few letters: `100`, `10k`, `1M`."""
    for size, letter in ((1e9, "bn"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def reliability_chart(bins: Sequence[ReliabilityBin]) -> ReliabilityChart:
    """A square from 0 to the greatest rate shown, the diagonal being perfect calibration."""
    top = min(1.0, 1.08 * max([0.1, *(b.predicted for b in bins), *(b.high for b in bins)]))
    inner = SQUARE - 2 * MARGIN
    most = max((b.n for b in bins), default=1)

    def across(value: float) -> float:
        return MARGIN + inner * value / top

    def up(value: float) -> float:
        return SQUARE - MARGIN - inner * value / top

    points = tuple(
        Point(
            across(b.predicted),
            up(b.observed),
            up(b.low),
            up(b.high),
            3.0 + 3.0 * math.sqrt(b.n / most),
            f"predicted {b.predicted:.1%}, observed {b.observed:.1%} of {b.n:,} rows",
        )
        for b in bins
    )
    ticks = tuple(Tick(across(v) - MARGIN, f"{v:.0%}") for v in _round_steps(0.0, top))
    return ReliabilityChart(SQUARE, MARGIN, points, ticks)


def _padded(values: Sequence[float]) -> tuple[float, float]:
    if not values:
        return 0.0, 1.0
    low, high = min(values), max(values)
    pad = max((high - low) * 0.06, 0.01)
    return low - pad, high + pad


def _round_steps(low: float, high: float) -> list[float]:
    """Four to eight round numbers between two bounds."""
    span = max(high - low, 1e-6)
    step = 10.0 ** math.floor(math.log10(span))
    for divisor in (1, 2, 4, 5, 10):
        if span / (step / divisor) >= 4:
            step /= divisor
            break
    first = math.ceil(low / step)
    return [k * step for k in range(first, math.floor(high / step) + 1)]
