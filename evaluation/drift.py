"""Whether what a model sees now is still what it was trained on: population stability, column by column.

The index alone misleads on small numbers: with 150 rows in five bins a column that did not move at all shows
0.05 on average. So a column counts as moved only where its index is also beyond what drawing alone brings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Verdict = Literal["steady", "moved", "shifted", "not_enough"]
LEAST_ROWS = 50
"""Fewer rows, then or now, and nothing is said."""
MOVED, SHIFTED = 0.1, 0.25
CHANCE = 0.05
"""How often a page of columns none of which moved shows one that seems to."""
MANY_ROWS, FEW_BINS, MANY_BINS = 500, 5, 10
MOST_LEVELS = 12
MISSING, OTHER = "not known", "others"
MISSING_JUMP = 0.1
OTHER_JUMP = 0.05


@dataclass(frozen=True)
class Bin:
    """A part of a column's values.

    Attributes:
        label: Range or level.
        then: Share of the training rows.
        now: Share of the rows of now.
    """

    label: str
    then: float
    now: float


@dataclass(frozen=True)
class Drift:
    """How one column moved.

    Attributes:
        name: Column.
        verdict: `not_enough` where there are too few rows to tell.
        n_then: Training rows.
        n_now: Rows of now.
        psi: Population stability index; None without a verdict.
        by_chance: What drawing alone stays below; None alike.
        missing_then: Share of training rows without a value.
        missing_now: Share of the rows of now without one.
        bins: Parts, in order.
        new_levels: Levels that training never saw.
        label: Name for people.
    """

    name: str
    verdict: Verdict
    n_then: int
    n_now: int
    psi: float | None = None
    by_chance: float | None = None
    missing_then: float = 0.0
    missing_now: float = 0.0
    bins: tuple[Bin, ...] = ()
    new_levels: tuple[str, ...] = ()
    label: str = ""


@dataclass(frozen=True)
class DriftReport:
    """Everything a model sees, then and now.

    Attributes:
        score: The model's own scores.
        features: Its columns, the ones that moved most first.
        slices: (column, level, score there).
        advice: What to do next, the most pressing first.
    """

    score: Drift
    features: tuple[Drift, ...]
    slices: tuple[tuple[str, str, Drift], ...] = ()
    advice: tuple[str, ...] = field(default=())


def drift_of(name: str, then: Any, now: Any, *, entities: int | None = None, compared: int = 1) -> Drift:
    """Compare one column.

    Args:
        name: Column.
        then: (n,) values of the training rows, numbers or text.
        now: (m,) values of now.
        entities: Who stands behind the training rows, where one entity has several: rows that repeat an
            entity say less than rows of different ones. None: every row is one.
        compared: Columns compared together; the more, the more a single one must move to count.

    Source: B. Yurdakul, "Statistical Properties of Population Stability Index", 2018: without a change, the
        index is about (1/n + 1/m) times a chi-square with one degree of freedom less than there are bins.
    """
    then, now = pd.Series(np.asarray(then)), pd.Series(np.asarray(now))
    n, m = len(then), len(now)
    missing = (_share(then.isna()), _share(now.isna()))
    if min(n, m, entities or n) < LEAST_ROWS:
        return Drift(name, "not_enough", n, m, missing_then=missing[0], missing_now=missing[1])
    numeric = then.dtype.kind in "iufb" and now.dtype.kind in "iufb"
    labels, codes_then, codes_now = _ranges(then, now) if numeric else _levels(then, now)
    counts = [np.bincount(c, minlength=len(labels)).astype(float) for c in (codes_then, codes_now)]
    seen = (counts[0] + counts[1]) > 0
    labels, counts = [t for t, s in zip(labels, seen, strict=True) if s], [c[seen] for c in counts]
    # Half a row in every bin: an empty one would make the index infinite.
    p, q = ((c + 0.5) / (c.sum() + 0.5 * len(c)) for c in counts)
    psi = float(((p - q) * np.log(p / q)).sum())
    usual = _by_chance(len(labels), entities or n, m, compared)
    real = psi > usual
    verdict: Verdict = (
        "shifted" if real and psi >= SHIFTED else "moved" if real and psi >= MOVED else "steady"
    )
    shares = [c / max(c.sum(), 1.0) for c in counts]
    bins = tuple(Bin(t, float(a), float(b)) for t, a, b in zip(labels, *shares, strict=True))
    return Drift(name, verdict, n, m, psi, usual, *missing, bins, () if numeric else _unseen(then, now))


def compare(
    then: Any,
    now: Any,
    *,
    scores: tuple[Any, Any],
    columns: Mapping[str, str],
    slices: Mapping[str, Sequence[tuple[str, NDArray[np.bool_], NDArray[np.bool_]]]],
    groups: NDArray[Any] | None = None,
) -> DriftReport:
    """Compare everything a model sees.

    Args:
        then: DataFrame of training rows.
        now: DataFrame of the rows of now.
        scores: (n,) and (m,) scores of them.
        columns: The model's columns, with their names for people.
        slices: Column → parts: level, and which rows it has then and now.
        groups: (n,) who stands behind each training row; None: every row is one.
    """
    everyone = np.ones(len(then), dtype=bool)
    given: dict[str, Any] = {"entities": _behind(groups, everyone), "compared": len(columns) + 1}
    found = [replace(drift_of(c, then[c], now[c], **given), label=label) for c, label in columns.items()]
    score = replace(drift_of("score", *scores, **given), label="the score itself")
    ranked = sorted(found, key=lambda d: (-(d.psi if d.psi is not None else -1.0), d.name))
    parts = tuple(
        (
            column,
            level,
            drift_of("score", scores[0][a], scores[1][b], compared=sum(map(len, slices.values()))),
        )
        for column, levels in slices.items()
        for level, a, b in levels
    )
    return DriftReport(score, tuple(ranked), parts, advice(score, ranked))


def _behind(groups: NDArray[Any] | None, rows: NDArray[np.bool_]) -> int | None:
    return None if groups is None else len(np.unique(groups[rows]))


def advice(score: Drift, features: Sequence[Drift]) -> tuple[str, ...]:
    """What to do next, the most pressing first; never empty."""
    if score.verdict == "not_enough":
        return (
            f"Wait for more rows: {score.n_then:,} then and {score.n_now:,} now; "
            f"{LEAST_ROWS} of each are needed.",
        )
    found: list[str] = []
    changed = [d for d in features if d.verdict in ("moved", "shifted")]
    if gone := [d for d in changed if d.missing_now - d.missing_then > MISSING_JUMP]:
        found.append(
            f"Look at the source of {_named(gone)}: far more values are missing than in training. "
            "See data checks; a score made without them says so in its evidence."
        )
    if new := [d for d in changed if d.new_levels and _grown(d)]:
        found.append(
            f"Look at the mapping of {_named(new)}: there are values training never saw. The model "
            "treats them as others until it is trained anew."
        )
    moved = [d for d in changed if d not in (*gone, *new)]
    if score.verdict == "steady":
        if moved:
            found.append(
                f"Nothing to do about {_named(moved)}: moved, but the scores did not. "
                "The next training learns it."
            )
        return (
            *found,
            *(() if found else ("Nothing to do: what the model sees is what it was trained on.",)),
        )
    return (
        *found,
        "The scores moved: train a new version and let the gate compare it with this one. If the market is "
        "what moved, it will pass; if a source broke, mend that first.",
    )


def _grown(found: Drift) -> bool:
    other = next((b for b in found.bins if b.label == OTHER), None)
    return other is not None and other.now - other.then > OTHER_JUMP


def _named(found: Sequence[Drift], most: int = 3) -> str:
    shown = ", ".join(f"“{d.label or d.name}”" for d in found[:most])
    return shown if len(found) <= most else f"{shown} and {len(found) - most} more"


def _share(mask: Any) -> float:
    return float(mask.mean()) if len(mask) else 0.0


def _ranges(then: Any, now: Any) -> tuple[list[str], NDArray[np.int64], NDArray[np.int64]]:
    """Bins of equal training shares; equal edges are one, so a column of mostly zeros has few."""
    bins = MANY_BINS if min(len(then), len(now)) >= MANY_ROWS else FEW_BINS
    known = then.to_numpy(dtype=float)
    known = known[np.isfinite(known)]
    cuts = np.unique(np.quantile(known, np.linspace(0, 1, bins + 1)[1:-1])) if known.size else np.array([])
    # An edge at the least value would leave nothing below it.
    cuts = cuts[cuts > known.min()] if known.size else cuts
    ends = [None, *cuts.tolist(), None]
    labels = [_range(a, b) for a, b in pairwise(ends)]

    def codes(column: Any) -> NDArray[np.int64]:
        values = column.to_numpy(dtype=float)
        return np.where(np.isnan(values), len(labels), np.digitize(values, cuts)).astype(np.int64)

    return [*labels, MISSING], codes(then), codes(now)


def _range(low: float | None, high: float | None) -> str:
    if low is None and high is None:
        return "any value"
    if low is None:
        return f"below {_short(high)}"
    return f"{_short(low)} or more" if high is None else f"{_short(low)} to {_short(high)}"


def _short(value: float | None) -> str:
    value = value or 0.0
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _levels(then: Any, now: Any) -> tuple[list[str], NDArray[np.int64], NDArray[np.int64]]:
    """The most frequent levels of training, all others together, and what is missing."""
    frequent = then.dropna().astype(str).value_counts()
    levels = sorted(frequent.index[:MOST_LEVELS], key=lambda v: (-frequent[v], v))
    place = {v: k for k, v in enumerate(levels)}

    def codes(column: Any) -> NDArray[np.int64]:
        text = column.astype(object).where(column.notna(), None)
        found = [len(levels) + 1 if v is None else place.get(str(v), len(levels)) for v in text]
        return np.array(found, dtype=np.int64)

    return [*levels, OTHER, MISSING], codes(then), codes(now)


def _unseen(then: Any, now: Any) -> tuple[str, ...]:
    return tuple(sorted(set(now.dropna().astype(str)) - set(then.dropna().astype(str)))[:MOST_LEVELS])


def _by_chance(bins: int, n: int, m: int, compared: int) -> float:
    from scipy.stats import chi2

    if bins < 2:
        return 0.0
    return float((1 / n + 1 / m) * chi2.ppf(1 - CHANCE / max(compared, 1), bins - 1))
