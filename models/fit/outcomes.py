"""What came of a ranked list: lift, order and calibration as scored then, beside chance and scorecard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from models.fit.profile import wilson

LEAST = 30
DRAWS = 400
TOPS = (0.1, 0.2, 0.5)
BINS = 5
SIZES = ("1–9 employees", "10–49 employees", "50–249 employees", "250 or more employees")
SIZES_FROM = (10, 50, 250)
"""Employees from which the second and each further band of size begins."""


def report(rows: Sequence[Mapping[str, Any]], *, seed: int = 0) -> dict[str, Any]:
    """Figures of the rows whose outcome was posted.

    Args:
        rows: Each with `probability`, `points`, `succeeded` (bool), `country`, `partner_type`, `employees`,
            `verdict`.
        seed: Of the bootstrap over prospects.

    Returns:
        count, successes, base_rate, and with at least 30 outcomes of both kinds: `model` and `scorecard`
        (auc, lift by share of the list, each with an 80 % interval), `random`, `calibration` and `slices`.
    """
    y = np.array([float(r["succeeded"]) for r in rows])
    found: dict[str, Any] = {
        "count": len(rows),
        "successes": int(y.sum()),
        "base_rate": float(y.mean()) if len(rows) else None,
    }
    if len(rows) < LEAST or y.min() == y.max():
        asked = f"at least {LEAST} outcomes with successes and failures among them"
        return {**found, "note": f"Too few outcomes to judge the list; needed: {asked}."}
    draws = np.random.default_rng(seed).integers(0, len(y), (DRAWS, len(y)))
    scores = {
        "model": _floats(rows, "probability"),
        "scorecard": _floats(rows, "points"),
    }
    for name, score in scores.items():
        found[name] = _ranked(y, score, draws) if np.isfinite(score).any() else None
    found["random"] = {"auc": 0.5, "lift": {_share(t): 1.0 for t in TOPS}}
    chance = scores["model"]
    found["calibration"] = _calibration(y, chance, draws) if np.isfinite(chance).all() else None
    found["slices"] = slices(rows, draws_seed=seed)
    return found


def slices(rows: Sequence[Mapping[str, Any]], *, draws_seed: int = 0) -> list[dict[str, Any]]:
    """Selection and calibration by country, size and kind; groups of fewer than 30 are not shown.

    Selection is the share accepted by the vetting policy. Calibration is outcomes per outcome predicted, with
    an 80 % interval, where outcomes are known.
    """
    found = []
    for column in ("country", "size", "partner_type"):
        labels = [_group(r, column) for r in rows]
        for label in sorted({x for x in labels if x}, key=_place):
            part = [r for r, own in zip(rows, labels, strict=True) if own == label]
            if len(part) >= LEAST:
                found.append({"by": column, "group": label, **_slice(part, draws_seed)})
    return found


def _slice(part: Sequence[Mapping[str, Any]], seed: int) -> dict[str, Any]:
    accepted = np.array([r["verdict"] == "accept" for r in part], dtype=float)
    draws = np.random.default_rng(seed).integers(0, len(part), (DRAWS, len(part)))
    chance = _floats(part, "probability")
    known = [r.get("succeeded") is not None for r in part]
    out: dict[str, Any] = {
        "count": len(part),
        "selected_share": float(accepted.mean()),
        # Drawing again from a group with none accepted would say "0 % to 0 %", as if it were certain.
        "selected_interval": list(wilson(float(accepted.sum()), len(part))),
        "mean_probability": float(np.nanmean(chance)) if np.isfinite(chance).any() else None,
        "observed_per_predicted": None,
        "observed_interval": None,
    }
    if all(known) and np.isfinite(chance).all() and chance.sum() > 0:
        y = np.array([float(r["succeeded"]) for r in part])
        out["observed_per_predicted"] = float(y.sum() / chance.sum())
        out["observed_interval"] = _interval(y[draws].sum(axis=1) / chance[draws].sum(axis=1))
    return out


def _place(label: str) -> tuple[int, str]:
    """Sizes from small to large, everything else by name."""
    return (SIZES.index(label) if label in SIZES else -1), label


def size_of(employees: Any) -> str:
    """Size band of a company, '' where it is not known."""
    if employees is None or employees != employees:
        return ""
    return SIZES[sum(float(employees) >= least for least in SIZES_FROM)]


def _group(row: Mapping[str, Any], column: str) -> str:
    return size_of(row.get("employees")) if column == "size" else str(row.get(column) or "").strip()


def _floats(rows: Sequence[Mapping[str, Any]], name: str) -> Any:
    return np.array([np.nan if r.get(name) is None else float(r[name]) for r in rows])


def _ranked(y: Any, score: Any, draws: Any) -> dict[str, Any]:
    filled = np.where(np.isfinite(score), score, np.nanmin(score) - 1.0)
    areas = [_auc(y[d], filled[d]) for d in draws]
    lifts = {
        _share(t): {
            "value": _lift(y, filled, t),
            "interval": _interval(np.array([_lift(y[d], filled[d], t) for d in draws])),
        }
        for t in TOPS
    }
    return {"auc": _auc(y, filled), "auc_interval": _interval(np.array(areas)), "lift": lifts}


def _auc(y: Any, score: Any) -> float | None:
    from scipy.stats import rankdata

    positives = y.sum()
    if positives in (0, len(y)):
        return None
    ranks = rankdata(score)[y > 0].sum()
    return float((ranks - positives * (positives + 1) / 2) / (positives * (len(y) - positives)))


def _lift(y: Any, score: Any, share: float) -> float | None:
    """Successes in the top share over the base rate; ties are shared out evenly."""
    if y.mean() == 0:
        return None
    wanted = max(1, round(share * len(y)))
    cut = np.sort(score)[::-1][wanted - 1]
    above, level = score > cut, score == cut
    rest = (wanted - above.sum()) / level.sum()
    return float((y[above].sum() + rest * y[level].sum()) / wanted / y.mean())


def _calibration(y: Any, chance: Any, draws: Any) -> dict[str, Any]:
    order = np.argsort(chance, kind="stable")
    bins = [
        {
            "predicted": float(chance[part].mean()),
            "observed": float(y[part].mean()),
            "count": int(part.size),
        }
        for part in np.array_split(order, BINS)
    ]
    ratio = y[draws].sum(axis=1) / chance[draws].sum(axis=1)
    return {
        "observed_per_predicted": float(y.sum() / chance.sum()),
        "interval": _interval(ratio),
        "brier": float(np.mean((y - chance) ** 2)),
        "bins": bins,
    }


def _interval(values: Any) -> list[float] | None:
    known = np.array([v for v in values if v is not None], dtype=float)
    known = known[np.isfinite(known)]
    return [float(v) for v in np.quantile(known, [0.1, 0.9])] if known.size else None


def _share(top: float) -> str:
    return f"top_{round(100 * top)}_pct"
