"""What moved a health score since the last time: the partner, corrected data, the model, or the settings.

One step is taken at a time, from the old score to the new one, so the parts add up exactly:

    old score → the new model on the old features          model change
              → the old features under the new settings    configuration change
              → the old date's features as known now        data correction
              → the features of now                         behaviour
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Literal

import numpy as np

Trend = Literal["improving", "steady", "declining", "not_enough_information"]
PARTS = ("behaviour", "data_correction", "model_change", "configuration_change")
TREND_DAYS, LEAST_SPAN_DAYS, TREND_POINTS = 30, 14, 5.0
NEGLIGIBLE_POINTS = 0.05


@dataclass(frozen=True)
class Steps:
    """Health points, before they are cut to 0–100, along the way from the last score to this one; (n,) each.

    Attributes:
        last: As it was shown.
        with_model: By the model of now, on the features of then.
        with_settings: The same, features of then under the settings of now.
        corrected: The same, with what is known now about then.
        now: As it is.
    """

    last: Any
    with_model: Any
    with_settings: Any
    corrected: Any
    now: Any

    def parts(self) -> dict[str, Any]:
        """Points by part; they sum to now − last."""
        return {
            "behaviour": self.now - self.corrected,
            "data_correction": self.corrected - self.with_settings,
            "model_change": self.with_model - self.last,
            "configuration_change": self.with_settings - self.with_model,
        }


@dataclass(frozen=True)
class Moved:
    """A feature that moved the score.

    Attributes:
        feature: Name.
        before: Value then.
        after: Value now.
        points: Health points it brought.
    """

    feature: str
    before: float | str | None
    after: float | str | None
    points: float


def moved_most(
    names: Sequence[str],
    then: Callable[[str], Any],
    now: Callable[[str], Any],
    points_then: Any,
    points_now: Any,
    *,
    most: int = 5,
) -> list[Moved]:
    """The features that moved a score most, by the change of their points, strongest first.

    Args:
        names: Features.
        then: Gives a feature's value then, by name.
        now: Gives its value now.
        points_then: Health points of each feature then, (features,).
        points_now: The same now.
        most: How many at most.
    """
    change = np.asarray(points_now) - np.asarray(points_then)
    order = np.argsort(-np.abs(change), kind="stable")[:most]
    return [
        Moved(names[i], then(names[i]), now(names[i]), float(change[i]))
        for i in order
        if abs(change[i]) >= NEGLIGIBLE_POINTS
    ]


@dataclass(frozen=True)
class Point:
    """A score of the past.

    Attributes:
        on: Day of its features.
        score: Health, before it is cut to 0–100.
        not_behaviour: Points that came by model, settings or corrections since the point before.
    """

    on: date
    score: float
    not_behaviour: float = 0.0


def trend(points: Sequence[Point]) -> Trend:
    """Where a partner is heading: its own doing over about a month, whatever models and settings did.

    Compared is the newest score with the newest one at least 30 days older (or the oldest, when that is two
    weeks back); what came by model, settings or corrections in between is taken out. Five points are a tenth
    of the way from the middle to either end.
    """
    ordered = sorted(points, key=lambda p: p.on)
    if len(ordered) < 2 or ordered[-1].on - ordered[0].on < timedelta(days=LEAST_SPAN_DAYS):
        return "not_enough_information"
    newest = ordered[-1]
    older = [p for p in ordered if newest.on - p.on >= timedelta(days=TREND_DAYS)] or ordered[:1]
    base = older[-1]
    aside = sum(p.not_behaviour for p in ordered if p.on > base.on)
    change = newest.score - base.score - aside
    if change >= TREND_POINTS:
        return "improving"
    return "declining" if change <= -TREND_POINTS else "steady"
