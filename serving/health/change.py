"""What moved each partner's health since the last refresh, split into its four parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from models.health_change import PARTS, Moved, Steps, moved_most
from serving.health.records import Before
from serving.health.scores import Scored, eta_of, model_columns, plain_columns, points_of


@dataclass(frozen=True)
class Rework:
    """Features of the past, made again. The roof hands it in, since only it may build features.

    Attributes:
        settings: Hash of what features are made by; a change of it is a change of configuration.
        rebuilt: Features at the last day under the settings of now, with partner_id; None: cannot be had.
        corrected: (as known then, as known now) of partners about whom late or corrected rows arrived since.
    """

    settings: str = ""
    rebuilt: Callable[[str], Any] | None = None
    corrected: Callable[[str], tuple[Any, Any] | None] | None = None


@dataclass(frozen=True)
class Changed:
    """The change of all partners, in the order of `scored.partner_ids`; NaN where there was no last score.

    Attributes:
        parts: Part → points, (n,).
        since: Day of the last score, ISO; empty: there was none.
        places: Row of the last score of each partner, -1: none.
        before: The last scores.
        previous_eta: Eta, by the model of then, of the features of now; None: the model is the same or gone.
    """

    parts: Mapping[str, Any]
    since: list[str]
    places: Any
    before: Before | None
    previous_eta: Any

    def moved(self, scored: Scored, places: Sequence[int]) -> dict[int, list[Moved]]:
        """What some partners did that moved their scores most, by the model of now: place → features."""
        chosen = [i for i in places if self.before is not None and self.places[i] >= 0]
        if self.before is None or not chosen:
            return {}
        bundle = scored.bundle
        then = self.before.frame.iloc[[int(self.places[i]) for i in chosen]].reset_index(drop=True)
        by_then = bundle.explain(bundle.encode(model_columns(bundle, then))).by_feature
        kappa = bundle.trained["health"]["kappa"]
        columns_then, columns_now = plain_columns(then), scored.columns
        return {
            i: moved_most(
                bundle.spec.names,
                partial(_value, columns_then, k),
                partial(_value, columns_now, i),
                -kappa * by_then[k],
                -kappa * scored.by_feature[i],
            )
            for k, i in enumerate(chosen)
        }


def _value(columns: Mapping[str, list[Any]], row: int, name: str) -> Any:
    """One value; None where the column was not there."""
    return columns[name][row] if name in columns else None


def change_of(
    scored: Scored, before: Before | None, *, old_bundle: Any, settings_before: str, rework: Rework
) -> Changed:
    """Go from the last score to this one, a step at a time.

    Args:
        scored: Now.
        before: What is remembered; None: nothing.
        old_bundle: The model of then; None: it is the model of now, or cannot be had any more.
        settings_before: Hash of the settings of then.
        rework: Makes features of the past again.
    """
    n = len(scored.partner_ids)
    if before is None:
        nothing = {part: np.full(n, np.nan) for part in PARTS}
        return Changed(nothing, [""] * n, np.full(n, -1), None, None)
    named = before.places
    places = np.array([named.get(p, -1) for p in scored.partner_ids])
    there = places >= 0
    at = np.where(there, places, 0)
    with_model = points_of(scored.bundle, eta_of(scored.bundle, before.frame))[at]
    with_settings = _reworked(with_model, _rebuilt(before, settings_before, rework), scored)
    corrected = with_settings
    pair = rework.corrected(_day(before)) if rework.corrected else None
    if pair is not None:
        corrected = with_settings + _correction(scored, *pair)
    steps = Steps(before.points[at], with_model, with_settings, corrected, scored.points)
    parts = {name: np.where(there, values, np.nan) for name, values in steps.parts().items()}
    since = [before.as_of[p] if p >= 0 else "" for p in places]
    previous = None if old_bundle is None else eta_of(old_bundle, scored.frame)
    return Changed(parts, since, places, before, previous)


def _day(before: Before) -> str:
    return max(before.as_of)


def _rebuilt(before: Before, settings_before: str, rework: Rework) -> Any:
    same = not settings_before or settings_before == rework.settings
    return None if same or rework.rebuilt is None else rework.rebuilt(_day(before))


def _reworked(points: Any, frame: Any, scored: Scored) -> Any:
    """Points with the features of `frame` where it has the partner, as they are elsewhere."""
    if frame is None or not len(frame):
        return points
    found = _points_by_partner(scored, frame)
    return np.array([found.get(p, points[i]) for i, p in enumerate(scored.partner_ids)])


def _correction(scored: Scored, then: Any, now: Any) -> Any:
    a, b = (_points_by_partner(scored, frame) for frame in (then, now))
    return np.array([b[p] - a[p] if p in a and p in b else 0.0 for p in scored.partner_ids])


def _points_by_partner(scored: Scored, frame: Any) -> dict[str, float]:
    points = points_of(scored.bundle, eta_of(scored.bundle, frame))
    return dict(zip(frame["partner_id"], points.tolist(), strict=True))
