"""Columns that look as if they knew the outcome.

A column filled after the outcome is usually not a little better than the others but far better; or its gaps
tell the outcome; or one of its values occurs almost only beside one outcome. Each suspect blocks promotion
until a person declares it `post_outcome` or confirms it. Limits: a leak as weak as honest columns cannot be
told from them by looking at the data.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.metrics import Ranking, auc, row_log_loss
from evaluation.report import Suspect
from evaluation.resampling import Floats

NEAR_PERFECT_AUC = 0.97
NEAR_PERFECT_SHARE = 0.5  # of the outcome's deviance explained by the one column
FAR = ((0.78, 0.25, 1.5, 2), (0.72, 0.12, 5.0, 5))
"""Far above the rest: AUC, share explained, times the next column's, least number of other columns; either
strong, or very lonely among many."""
GAPS_AUC = 0.67
PURE_RATE, PURE_COVER = 0.95, 0.15
MIN_EVENTS = 20
BINS, FOLDS, PRIOR_ROWS = 20, 5, 20.0
OTHER_LEVELS = 200  # text with more levels is an identifier: its levels say nothing out of fold


@dataclass(frozen=True)
class ColumnPower:
    """What one column alone tells of the outcome, out of fold."""

    column: str
    factor: str
    auc: float
    explained: float
    gaps_auc: float
    pure: str


def find_suspects(
    frame: Any,
    y: Floats,
    *,
    groups: NDArray[np.int64],
    factors: dict[str, str] | None = None,
    confirmed: tuple[str, ...] = (),
    built_here: bool = False,
    undated: Collection[str] = (),
) -> tuple[Suspect, ...]:
    """Columns that look like leaks, the strongest first.

    Args:
        frame: (n, columns) raw feature columns of rows whose outcome is known.
        y: (n,) 0 or 1.
        groups: (n,) entity codes: an entity is never on both sides of a fold.
        factors: Column → family; lags and windows of one thing are not held against each other.
        confirmed: Columns a person has cleared; still listed, but they block nothing.
        built_here: Features were computed point in time from dated rows, where one strong column (recency),
            gaps ("never ordered") and pure values are honest; only what is near perfect is suspected then.
        undated: Columns of which that does not hold: their gaps and values are looked at all the same.
    """
    if min(y.sum(), (1 - y).sum()) < MIN_EVENTS:
        return ()
    fold = np.random.default_rng(0).integers(0, FOLDS, int(groups.max()) + 1)[groups]
    powers = [_power(str(c), frame[c], y, fold, (factors or {}).get(str(c), str(c))) for c in frame.columns]
    powers.sort(key=lambda p: (-p.explained, p.column))
    why = _near_perfect(powers)
    if built_here:
        why = _gaps_and_values([p for p in powers if p.column in undated]) | why
    else:
        why = _gaps_and_values(powers) | _far_above(powers, why)
    listed = [p for p in powers if p.column in why]
    return tuple(Suspect(p.column, why[p.column], p.auc, p.column in confirmed) for p in listed)


def _near_perfect(powers: list[ColumnPower]) -> dict[str, str]:
    found: dict[str, str] = {}
    for p in powers:
        if p.auc >= NEAR_PERFECT_AUC or p.explained >= NEAR_PERFECT_SHARE:
            found[p.column] = (
                f"alone it has AUC {p.auc:.3f} and explains {p.explained:.0%} of the outcome, "
                "too good to be true."
            )
    return found


def _far_above(powers: list[ColumnPower], near_perfect: dict[str, str]) -> dict[str, str]:
    """Those near perfect, and those with a gap below them."""
    found = dict(near_perfect)
    for k, p in enumerate(powers):
        others = [q.explained for q in powers[k + 1 :] if q.factor != p.factor and q.column not in found]
        rest = max(others, default=0.0)
        far = any(p.auc >= a and p.explained >= max(e, r * rest) and len(others) >= n for a, e, r, n in FAR)
        if far and p.column not in found:
            for q in powers[: k + 1]:
                found.setdefault(
                    q.column,
                    f"alone it explains {q.explained:.0%} of the outcome (AUC {q.auc:.3f}), far above the "
                    f"next column's {rest:.0%}.",
                )
    return found


def _gaps_and_values(powers: list[ColumnPower]) -> dict[str, str]:
    found: dict[str, str] = {}
    for p in powers:
        if p.pure:
            found[p.column] = p.pure
        elif p.gaps_auc >= GAPS_AUC:
            found[p.column] = f"whether it is filled at all tells the outcome (AUC {p.gaps_auc:.3f})."
    return found


def _power(name: str, column: Any, y: Floats, fold: NDArray[np.int64], factor: str) -> ColumnPower:
    missing = column.isna().to_numpy()
    code, levels = _codes(column)
    predicted = _out_of_fold(code, y, fold)
    base = np.full(y.size, y.mean())
    explained = 1 - row_log_loss(y, predicted).mean() / row_log_loss(y, base).mean()
    gaps = _auc(y, missing.astype(float)) if 0.02 < missing.mean() < 0.98 else 0.5
    pure = _pure_value(code, levels, y) if levels else ""
    return ColumnPower(name, factor, _auc(y, predicted), float(explained), max(gaps, 1 - gaps), pure)


def _codes(column: Any) -> tuple[NDArray[np.int64], list[str]]:
    """Integer code per row, 0 for missing, and the names of levels where the column is text."""
    import pandas as pd

    if column.dtype.kind in "biuf":
        values = column.to_numpy(dtype=float)
        seen = values[np.isfinite(values)]
        if seen.size == 0:
            return np.zeros(values.size, dtype=np.int64), []
        edges = np.unique(np.quantile(seen, np.linspace(0, 1, BINS + 1)[1:-1]))
        code = np.searchsorted(edges, values, side="right") + 1
        return np.where(np.isfinite(values), code, 0).astype(np.int64), []
    raw, names = pd.factorize(column.astype(object), sort=False)
    if len(names) > OTHER_LEVELS:
        return (raw >= 0).astype(np.int64), []
    return (raw + 1).astype(np.int64), ["missing", *map(str, names)]


def _out_of_fold(code: NDArray[np.int64], y: Floats, fold: NDArray[np.int64]) -> Floats:
    """Shrunken rate of the outcome per code, from the other folds."""
    size, predicted = int(code.max()) + 1, np.zeros(y.size)
    for k in range(FOLDS):
        rest = fold != k
        base = y[rest].mean() if rest.any() else y.mean()
        total = np.bincount(code[rest], minlength=size)
        rate = (np.bincount(code[rest], y[rest], minlength=size) + PRIOR_ROWS * base) / (total + PRIOR_ROWS)
        predicted[~rest] = rate[code[~rest]]
    return predicted


def _pure_value(code: NDArray[np.int64], levels: list[str], y: Floats) -> str:
    """Sentence on a value that occurs nearly only beside the rarer outcome, or ''."""
    rare = y if y.mean() <= 0.5 else 1 - y
    total, hits = np.bincount(code, minlength=len(levels)), np.bincount(code, rare, minlength=len(levels))
    cover = hits / rare.sum()
    rate = np.divide(hits, total, out=np.zeros_like(hits), where=total > 0)
    pure = np.flatnonzero((rate >= PURE_RATE) & (cover >= PURE_COVER))
    if not pure.size:
        return ""
    best = pure[np.argmax(cover[pure])]
    return (
        f"its value {levels[best]!r} occurs beside one outcome in {rate[best]:.0%} of rows and covers "
        f"{cover[best]:.0%} of that outcome, as values filled in afterwards do."
    )


def _auc(y: Floats, score: Floats) -> float:
    return float(auc(Ranking.of(y, score, np.ones((1, y.size))))[0])
