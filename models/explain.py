"""Reasons: contributions as sentences, which add up to the score."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from models.experience import OUTSIDE
from models.scoring import Bundle
from models.spec import Feature

NEGLIGIBLE = 1e-9
"""A contribution this small is noise of the arithmetic, not a reason."""


@dataclass(frozen=True)
class Reason:
    """One sentence for or against.

    Attributes:
        factor: Business factor.
        direction: The model's name for a positive or a negative contribution.
        contribution: Part of the calibrated eta.
        sentence: For people.
        value: Value of the factor's most telling feature; None: missing.
        peer_value: Median among peers, or share of peers with the same category.
        as_of: What moment the value is of.
        stale: Whether its source is silent.
        actionable: Whether it can be changed.
        feature: The feature named in the sentence.
    """

    factor: str
    direction: str
    contribution: float
    sentence: str
    value: float | str | bool | None
    peer_value: float | None
    as_of: datetime | None
    stale: bool
    actionable: bool
    feature: str


@dataclass(frozen=True)
class Reasons:
    """Reasons of one row: baseline + Σ contribution + other_factors = eta.

    Attributes:
        eta: Calibrated log-odds or log cumulative hazard at the horizon.
        baseline: Constant part.
        reasons: Strongest first, positive ones before negative ones.
        other_factors: What is not shown.
    """

    eta: float
    baseline: float
    reasons: tuple[Reason, ...]
    other_factors: float


def reasons(
    bundle: Bundle,
    rows: Any,
    matrix: Any = None,
    *,
    horizon: int,
    max_reasons: int = 5,
    stale_views: Iterable[str] = (),
    as_of: Iterable[datetime | None] | None = None,
    eta: Any = None,
) -> list[Reasons]:
    """Why each row scores as it does.

    Args:
        bundle: The model.
        rows: DataFrame of raw features, one row each; values shown are taken from here.
        matrix: Their encoding; None: encoded here.
        horizon: Horizon in days.
        max_reasons: Most reasons in each direction.
        stale_views: Feature views whose source is silent.
        as_of: Moment of each row's features.
        eta: (n,) the rows' own scores on the scale of the link, where they are at hand.
    """
    matrix = bundle.encode(rows) if matrix is None else matrix
    explained = bundle.explain(matrix)
    eta = bundle.eta(matrix, horizon=horizon) if eta is None else eta
    baseline = bundle.baseline(horizon)
    moments = list(as_of) if as_of is not None else [None] * len(matrix)
    teller = _Teller(bundle, frozenset(stale_views))
    columns = {c: rows[c].tolist() for c in teller.columns if c in rows.columns}
    out = []
    for i in range(len(matrix)):
        chosen = _strongest(explained.contributions[i], max_reasons)
        raw = {name: values[i] for name, values in columns.items()}
        by_feature = explained.by_feature[i]
        shown = tuple(
            teller.reason(raw, k, float(explained.contributions[i, k]), by_feature, moments[i])
            for k in chosen
        )
        rest = float(eta[i]) - baseline - math.fsum(r.contribution for r in shown)
        out.append(Reasons(float(eta[i]), baseline, shown, rest))
    return out


def _strongest(contributions: Any, most: int) -> list[int]:
    """Factors to show: up to `most` positive ones, then as many negative ones, strongest first."""
    order = np.argsort(-np.abs(contributions), kind="stable")
    raising = [int(k) for k in order if contributions[k] > NEGLIGIBLE][:most]
    lowering = [int(k) for k in order if contributions[k] < -NEGLIGIBLE][:most]
    return raising + lowering


class _Teller:
    """Turns a factor's contribution into a reason; what does not change from row to row is looked up once."""

    def __init__(self, bundle: Bundle, stale_views: frozenset[str]) -> None:
        features = (*bundle.spec.features, *((OUTSIDE,) if bundle.experience else ()))
        self.bundle, self.stale_views = bundle, stale_views
        self.factors = tuple(dict.fromkeys(f.shown_factor for f in features))
        self.columns = tuple(dict.fromkeys((*bundle.spec.names, bundle.peers.by)))
        self.members = [
            [(j, f) for j, f in enumerate(features) if f.shown_factor == factor] for factor in self.factors
        ]

    def reason(
        self, raw: Mapping[str, Any], k: int, contribution: float, by_feature: Any, as_of: datetime | None
    ) -> Reason:
        """The reason for factor number `k`, told by its feature that pulls most in the factor's direction."""
        sign = 1.0 if contribution > 0 else -1.0
        feature = max(self.members[k], key=lambda pair: (sign * by_feature[pair[0]], -pair[0]))[1]
        value = plain_value(raw.get(feature.name), feature)
        peers = self.bundle.peers
        peer = peers.value(peers.group(raw), feature.name, value)
        return Reason(
            factor=self.factors[k],
            direction=self.bundle.spec.directions[0 if contribution > 0 else 1],
            contribution=contribution,
            sentence=sentence(feature, value, peer),
            value=value,
            peer_value=peer,
            as_of=as_of,
            stale=feature.view in self.stale_views,
            actionable=feature.actionable,
            feature=feature.name,
        )


_SEVERAL = re.compile(
    r"\{value\} (support )?(people|activities|days|deals|times(?! the)|e-mails|tickets|trainings|products|"
    r"employees|years|leads|certificates|certifications)\b( were| are| expire)?"
)
_ONE = {"people": "person", "activities": "activity"}
_DOES = {" were": " was", " are": " is", " expire": " expires"}


def plain_value(value: Any, feature: Feature) -> float | str | bool | None:
    """A raw value as JSON can hold it; None where missing or not finite."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)) or value != value:
        return None
    if feature.kind == "category":
        return str(value)
    if feature.kind == "flag":
        return bool(value) if not isinstance(value, str) else value
    number = float(value)
    return number if math.isfinite(number) else None


def sentence(feature: Feature, value: float | str | bool | None, peer: float | None) -> str:
    """The feature's template filled in; the sentence for a missing value where there is none."""
    share = feature.kind == "category" or feature.unit == "share"
    shown_peer = "not known" if peer is None else shown(peer, share=share)
    if value is None:
        template = feature.missing or f"{feature.shown_label} is not known."
        return template.format(peer=shown_peer)
    template = feature.sentence or f"{feature.shown_label} is {{value}}; usual: {{peer}}."
    text = value if isinstance(value, str) else shown(value, share=feature.unit == "share")
    return (of_one(template) if text == "1" else template).format(value=text, peer=shown_peer)


def of_one(template: str) -> str:
    """A template about several things, about one: `{value} people are` → `{value} person is`."""
    return _SEVERAL.sub(
        lambda m: "{value} " + (m[1] or "") + _ONE.get(m[2], m[2][:-1]) + _DOES.get(m[3], ""), template
    )


def shown(number: float | bool, *, share: bool = False) -> str:
    """A number for people: `12`, `1,250`, `0.35`, `34 %`, `yes`."""
    if isinstance(number, bool):
        return "yes" if number else "no"
    if share:
        return f"{100 * number:.0f} %"
    if abs(number) >= 100 or float(number).is_integer():
        return f"{number:,.0f}"
    return f"{number:.2g}" if abs(number) < 1 else f"{number:.1f}"
