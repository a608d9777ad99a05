"""Scores of all partners at one moment, as health and alerts need them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from models.alerts.margin import margin_at_risk_cents
from models.calibration import LINKS
from models.health import STEADY, reference_horizon
from models.spec import CONTEXT
from serving.view import Partners, Served

SILENT = {"deals.won": "days_since_last_won", "deals.registered": "days_since_last_registration"}
HORIZON_DAYS = 90


@dataclass(frozen=True)
class Scored:
    """All partners, scored; arrays are in the order of `partner_ids`.

    Attributes:
        served: The model.
        partner_ids: Partners, sorted.
        frame: Features the scores are made from: those of silent feeds as they were when last well.
        eta: Eta at the reference horizon.
        raw_eta: The same of the features as they are now, silent feeds included.
        points: Health before it is cut to 0–100.
        probability: Risk of departing within 90 days; NaN: not enough evidence.
        low: Lower end of its interval.
        high: Upper end.
        evidence: Grades.
        by_feature: Contributions to eta, (n, features).
        margin_cents: Margin at risk.
        silent_days: Days since the last value activity, as far as features tell; NaN: never.
        known_before: Whether features of silent feeds could be taken from before.
    """

    served: Served
    partner_ids: tuple[str, ...]
    frame: Any
    eta: Any
    raw_eta: Any
    points: Any
    probability: Any
    low: Any
    high: Any
    evidence: Sequence[str]
    by_feature: Any
    margin_cents: Any
    silent_days: Any
    known_before: Any

    @property
    def bundle(self) -> Any:
        """The model's bundle."""
        return self.served.bundle

    @cached_property
    def columns(self) -> Mapping[str, list[Any]]:
        """Features as plain values; None where missing."""
        return plain_columns(self.frame)

    def row(self, place: int) -> dict[str, Any]:
        """Features of one partner as plain values."""
        return {name: values[place] for name, values in self.columns.items()}

    def drivers(self) -> list[str]:
        """For each partner the factor outside context that raises its risk most."""
        features = self.bundle.spec.features
        factors = list(self.bundle.spec.factors)
        owner = np.array([factors.index(f.shown_factor) for f in features])
        telling = np.array([f.group != CONTEXT for f in features])
        sums = np.full((len(self.partner_ids), len(factors)), -np.inf)
        for k in range(len(factors)):
            mine = (owner == k) & telling
            if mine.any():
                sums[:, k] = self.by_feature[:, mine].sum(axis=1)
        if not telling.any():
            return [""] * len(self.partner_ids)
        return [factors[k] for k in sums.argmax(axis=1)]


def score_all(
    served: Served, partners: Partners, *, activities: Sequence[str], kept: Any = None, places: Any = None
) -> Scored:
    """Score and explain every partner in memory.

    Args:
        served: The model.
        partners: Features.
        activities: Kinds of value activity, as `churn.value_activities` names them.
        kept: Features of the last refresh; None: there was none.
        places: (n,) row of `kept` for each partner, -1: none.
    """
    bundle = served.bundle
    raw = partners.matrix.frame.reset_index(drop=True)
    frame, known = _as_when_well(raw, partners.matrix.stale_features, kept, places)
    rows = model_columns(bundle, frame)
    matrix = bundle.encode(rows)
    horizon = reference_horizon(bundle)
    scores = bundle.score(matrix, horizons=[horizon])
    same = frame is raw
    raw_eta = (
        scores.eta[horizon]
        if same
        else bundle.eta(bundle.encode(model_columns(bundle, raw)), horizon=horizon)
    )
    return Scored(
        served=served,
        partner_ids=tuple(partners.matrix.partner_ids),
        frame=rows,
        eta=scores.eta[horizon],
        raw_eta=raw_eta,
        points=points_of(bundle, scores.eta[horizon]),
        probability=np.where(known, scores.probability[horizon], np.nan),
        low=scores.low[horizon],
        high=scores.high[horizon],
        evidence=scores.evidence,
        by_feature=bundle.explain(matrix).by_feature,
        margin_cents=margin_at_risk_cents(raw),
        silent_days=_silent_days(raw, activities),
        known_before=known,
    )


def points_of(bundle: Any, eta: Any) -> Any:
    """Health before it is cut, from eta at the reference horizon."""
    scale = bundle.trained["health"]
    return STEADY + scale["kappa"] * (scale["eta0"] - np.asarray(eta))


def eta_of(bundle: Any, frame: Any) -> Any:
    """Eta at the reference horizon of raw rows."""
    return bundle.eta(bundle.encode(model_columns(bundle, frame)), horizon=reference_horizon(bundle))


def risk_of(bundle: Any, eta: Any) -> Any:
    """Probability of eta."""
    return LINKS[bundle.link](eta)


def model_columns(bundle: Any, frame: Any) -> Any:
    """The model's columns, missing ones as missing."""
    import pandas as pd

    return pd.DataFrame(
        {
            f.name: frame[f.name].to_numpy()
            if f.name in frame.columns
            else np.full(len(frame), None if f.kind == "category" else np.nan)
            for f in bundle.spec.features
        }
    )


def _as_when_well(raw: Any, stale: frozenset[str], kept: Any, places: Any) -> tuple[Any, Any]:
    """Features of silent feeds as they were when last well, and for which partners that is known."""
    columns = sorted(set(stale) & set(raw.columns))
    if not columns:
        return raw, np.ones(len(raw), dtype=bool)
    if kept is None:
        return raw, np.zeros(len(raw), dtype=bool)
    there = places >= 0
    frame = raw.copy()
    for column in [c for c in columns if c in kept.columns]:
        values = frame[column].to_numpy(copy=True)
        values[there] = kept[column].to_numpy()[places[there]]
        frame[column] = values
    return frame, there


def _silent_days(frame: Any, activities: Sequence[str]) -> Any:
    columns = [SILENT.get(a, "days_since_last_event") for a in activities]
    present = [frame[c].to_numpy(dtype=np.float64) for c in dict.fromkeys(columns) if c in frame.columns]
    if not present:
        return np.zeros(len(frame))
    with np.errstate(all="ignore"):
        return np.fmin.reduce(present)


def component_points(scored: Scored, place: int) -> dict[str, float]:
    """Points of each component of one partner; with `start_points` they sum to its health, uncut."""
    kappa = scored.bundle.trained["health"]["kappa"]
    owner = [f.group for f in scored.bundle.spec.features]
    found: dict[str, float] = dict.fromkeys(scored.bundle.spec.groups, 0.0)
    for group, contribution in zip(owner, scored.by_feature[place], strict=True):
        found[group] -= kappa * float(contribution)
    return found


def start_points(bundle: Any) -> float:
    """Health of a partner to whom no feature adds anything."""
    return float(points_of(bundle, bundle.baseline(reference_horizon(bundle))))


def plain_columns(frame: Any) -> dict[str, list[Any]]:
    """Columns as lists of numbers and texts; None where missing."""
    found = {}
    for name in frame.columns:
        plain = str if frame[name].dtype == object else float
        found[name] = [None if v is None or v != v else plain(v) for v in frame[name].tolist()]
    return found


def like_frame(rows: Sequence[Mapping[str, Any]], like: Any) -> Any:
    """Rows as a frame with the columns and types of another."""
    import pandas as pd

    columns: dict[str, Any] = {}
    for name in like.columns:
        values = [row.get(name) for row in rows]
        if like[name].dtype == object:
            columns[name] = np.array(values, dtype=object)
        else:
            columns[name] = np.array([np.nan if v is None else v for v in values], dtype=np.float64)
    return pd.DataFrame(columns)
