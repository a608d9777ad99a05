"""Charts as numbers for inline SVG: positions in per cent, so that text never shrinks with the picture."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from serving.console.words import is_number

SIZE, EDGE = 320, 44
LINE_WIDTH, LINE_HEIGHT = 120.0, 28.0


@dataclass(frozen=True)
class Range:
    """A dot with its interval, in per cent of the width."""

    at: float
    low: float
    high: float


@dataclass(frozen=True)
class Dot:
    """A group of test rows in the reliability plot, in pixels."""

    x: float
    y: float
    low: float
    high: float
    radius: float
    words: str


@dataclass(frozen=True)
class Reliability:
    """Predicted against observed: dots, ticks (pixels from the edge, text) and the side of the square."""

    dots: tuple[Dot, ...]
    ticks: tuple[tuple[float, str], ...]
    size: int = SIZE
    edge: int = EDGE


def ladder(rungs: Sequence[Mapping[str, Any]], metric: str) -> dict[str, Range]:
    """Where each rung's metric lies between the lowest and the highest bound shown."""
    found = {r["name"]: r["metrics"][metric] for r in rungs if is_number(_value(r, metric))}
    bounds = [v for e in found.values() for v in (e["value"], e["low"], e["high"]) if is_number(v)]
    if not bounds:
        return {}
    low, high = min(bounds), max(bounds)
    span = (high - low) or 1.0

    def place(value: Any, otherwise: float) -> float:
        return round(3 + 94 * ((value if is_number(value) else otherwise) - low) / span, 2)

    return {
        name: Range(place(e["value"], low), place(e["low"], e["value"]), place(e["high"], e["value"]))
        for name, e in found.items()
    }


def _value(rung: Mapping[str, Any], metric: str) -> Any:
    return rung["metrics"].get(metric, {}).get("value")


def amounts(bins: Sequence[Mapping[str, Any]]) -> Reliability:
    """Mean amounts, predicted and real, on logarithmic axes; what lies below the lowest power sits on it."""
    known = [b[k] for b in bins for k in ("predicted", "observed", "high") if b[k] > 0]
    first = math.floor(math.log10(min([b["predicted"] for b in bins if b["predicted"] > 0], default=1.0)))
    last = max(math.ceil(math.log10(max(known, default=10.0))), first + 1)
    inner, most = SIZE - 2 * EDGE, max((b["n"] for b in bins), default=1)

    def along(value: float) -> float:
        return inner * (max(math.log10(value), first) - first) / (last - first) if value > 0 else 0.0

    dots = tuple(
        Dot(
            round(EDGE + along(b["predicted"]), 1),
            round(SIZE - EDGE - along(b["observed"]), 1),
            round(SIZE - EDGE - along(b["low"]), 1),
            round(SIZE - EDGE - along(b["high"]), 1),
            round(3 + 3 * math.sqrt(b["n"] / most), 1),
            f"predicted {b['predicted']:,.0f}, came {b['observed']:,.0f} on average of {b['n']:,}",
        )
        for b in bins
    )
    return Reliability(
        dots, tuple((round(along(10.0**k), 1), _short(10.0**k)) for k in range(first, last + 1))
    )


def _short(value: float) -> str:
    for size, letter in ((1e9, "bn"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def reliability(bins: Sequence[Mapping[str, Any]]) -> Reliability:
    """A square from 0 to the greatest rate shown; the diagonal is perfect calibration."""
    top = min(1.0, 1.08 * max([0.1, *(b["predicted"] for b in bins), *(b["high"] for b in bins)]))
    inner, most = SIZE - 2 * EDGE, max((b["n"] for b in bins), default=1)

    def across(value: float) -> float:
        return round(EDGE + inner * value / top, 1)

    def up(value: float) -> float:
        return round(SIZE - EDGE - inner * value / top, 1)

    dots = tuple(
        Dot(
            across(b["predicted"]),
            up(b["observed"]),
            up(b["low"]),
            up(b["high"]),
            round(3 + 3 * math.sqrt(b["n"] / most), 1),
            f"predicted {b['predicted']:.1%}, observed {b['observed']:.1%} of {b['n']:,}",
        )
        for b in bins
    )
    step = next(s for s in (0.02, 0.05, 0.1, 0.2, 0.25, 0.5) if top / s <= 5.5)
    ticks = tuple((across(k * step) - EDGE, f"{k * step:.0%}") for k in range(int(top / step + 1e-9) + 1))
    return Reliability(dots, ticks)


@dataclass(frozen=True)
class History:
    """Health over time on a field of 100 × 40: lines as points, and where another model took over.

    Attributes:
        lived: Points as they were shown at the time.
        rebuilt: Points worked out later for the time before.
        switches: (x, version that took over).
        first: Date of the first point.
        last: Date of the last.
    """

    lived: str
    rebuilt: str
    switches: tuple[tuple[float, str], ...]
    first: str
    last: str


def history(points: Sequence[Mapping[str, Any]]) -> History | None:
    """The line of a partner's health; None with fewer than two points.

    Args:
        points: Oldest first, with `as_of`, `health_score`, `model_version` and `rebuilt`.
    """
    if len(points) < 2:
        return None
    days = [date.fromisoformat(str(p["as_of"])[:10]).toordinal() for p in points]
    span = max(days[-1] - days[0], 1)
    places = [round(100 * (d - days[0]) / span, 2) for d in days]
    marks = [f"{x},{round(40 - 0.4 * p['health_score'], 2)}" for x, p in zip(places, points, strict=True)]
    lived = next((i for i, p in enumerate(points) if not p["rebuilt"]), len(points))
    switches = tuple(
        (places[i], str(points[i]["model_version"]))
        for i in range(1, len(points))
        if points[i]["model_version"] != points[i - 1]["model_version"] and not points[i]["rebuilt"]
    )
    return History(
        " ".join(marks[lived:]),
        " ".join(marks[: lived + 1]),
        switches,
        str(points[0]["as_of"]),
        str(points[-1]["as_of"]),
    )


def diverging(values: Mapping[str, float]) -> dict[str, tuple[float, float]]:
    """Bars left and right of a middle line: (left, width) in per cent of the width."""
    most = max([abs(v) for v in values.values()], default=0.0) or 1.0
    return {
        name: (round(50 + min(0.0, v) / most * 48, 2), max(round(abs(v) / most * 48, 2), 0.3))
        for name, v in values.items()
    }


def line(values: Sequence[Any]) -> str:
    """Points of a small line without axes, oldest first; gaps are left out."""
    known = [(i, float(v)) for i, v in enumerate(values) if is_number(v)]
    if len(known) < 2:
        return ""
    low, high = min(v for _, v in known), max(v for _, v in known)
    span, last = (high - low) or 1.0, max(len(values) - 1, 1)
    points = (
        (2 + (LINE_WIDTH - 4) * i / last, LINE_HEIGHT - 3 - (LINE_HEIGHT - 6) * (v - low) / span)
        for i, v in known
    )
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
