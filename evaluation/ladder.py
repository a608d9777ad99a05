"""The ladder of references: what a model is worth is what it adds to the rung below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from evaluation.amounts import shown_order
from evaluation.metrics import Judged, draw_metrics
from evaluation.ordered import JudgedBands, draw_ordered
from evaluation.origin import CEILING, CHAMPION, MODEL, POOLED, SCORECARD, Origin
from evaluation.report import Rung
from evaluation.resampling import Estimate, Floats, Resampler, estimate
from evaluation.settings import EvaluationSettings
from training.dataset import Dataset

ORDER = (
    "prevalence",
    "recency",
    "persistence",
    "past_revenue",
    SCORECARD,
    "logistic",
    POOLED,
    CHAMPION,
    MODEL,
    CEILING,
)
NOTES = {
    "prevalence": "the base rate (or the mean) of the training rows, for everyone",
    "recency": "a one-line rule",
    "persistence": "the class each entity had last",
    "past_revenue": "the past amount that ranks best, mapped to the future",
    SCORECARD: "the scorecard's points, calibrated",
    "logistic": "a penalised logistic regression on the same features",
    POOLED: "the model of all motions",
    CHAMPION: "the champion's settings, refitted on the same rows",
    MODEL: "what would be shipped",
    "hindsight": "ranked by what came: nobody could know it",
    CEILING: "the true probability in a simulated world; what a long general search finds elsewhere",
}


def joined(origins: Sequence[Origin], dataset: Dataset) -> Judged:
    """The model's test rows over all origins; entities keep one code across origins."""
    rows = np.concatenate([o.split.test for o in origins])
    group = dataset.frame["group"].to_numpy()[rows]
    entity = np.unique(group.astype(str), return_inverse=True)[1].astype(np.int64)
    origin = np.repeat(np.arange(len(origins)), [o.split.test.size for o in origins])
    if dataset.once:
        # Each was tested once, shortly after the others: together they are the list a recruiter would rank.
        origin = np.zeros_like(origin)
    predicted = np.concatenate([o.predicted[MODEL] for o in origins]).astype(float)
    return Judged(dataset.labels()[rows], predicted, entity, origin)


def all_predictions(origins: Sequence[Origin], ceiling: Floats | None) -> dict[str, NDArray[np.float64]]:
    """Rung → predictions for the test rows of all origins, for rungs every origin has."""
    names = [n for n in ORDER if all(n in o.predicted for o in origins)]
    found = {n: np.concatenate([o.predicted[n] for o in origins]).astype(float) for n in names}
    if ceiling is not None:
        found[CEILING] = ceiling[np.concatenate([o.split.test for o in origins])]
    return found


def draw_ladder(
    judged: Judged, predictions: Mapping[str, Floats], settings: EvaluationSettings
) -> dict[str, dict[str, Floats]]:
    """Rung → metric → draws, every rung on the same draws of entities, so that differences are paired."""
    resampler = Resampler(judged.entity, settings.replicates, settings.seed)
    return {
        name: draw_metrics(Judged(judged.y, p, judged.entity, judged.origin), resampler)
        for name, p in predictions.items()
        if np.isfinite(p).all()
    }


def draw_ordered_ladder(
    judged: Judged, predictions: Mapping[str, Floats], settings: EvaluationSettings, *, classes: int
) -> dict[str, dict[str, Floats]]:
    """The same for ordered classes."""
    resampler = Resampler(judged.entity, settings.replicates, settings.seed)
    y = judged.y.astype(np.int64)
    return {
        name: draw_ordered(JudgedBands(y, p.astype(np.int64), judged.entity, classes), resampler)
        for name, p in predictions.items()
    }


def rungs(
    draws: Mapping[str, Mapping[str, Floats]],
    notes: Mapping[str, str],
    *,
    ordered: bool,
    amounts: bool = False,
) -> tuple[Rung, ...]:
    """The ladder, weakest first; what was not measured is listed as such."""
    listed = [n for n in ORDER if n not in _other(ordered) and (n not in (CHAMPION, POOLED) or n in draws)]
    if amounts:
        listed = shown_order(list(draws))
    found = []
    for name in listed:
        note = NOTES[name] + (f": {notes[name]}" if notes.get(name) else "")
        if name in draws:
            found.append(Rung(name, {k: estimate(v) for k, v in draws[name].items()}, note))
        else:
            found.append(Rung(name, {}, f"not measured ({note})"))
    return tuple(found)


def _other(ordered: bool) -> set[str]:
    only_ordered, never = {"persistence"}, {"past_revenue"}
    return never | ({"recency", SCORECARD, "logistic", CEILING} if ordered else only_ordered)


def differences(draws: Mapping[str, Mapping[str, Floats]], *, loss: str) -> dict[str, Estimate]:
    """Paired differences of the loss, model − reference; below 0 the model is better."""
    return {
        f"loss_minus_{name}": estimate(draws[MODEL][loss] - draws[name][loss])
        for name in (SCORECARD, CHAMPION, POOLED, "prevalence", "persistence", "past_revenue")
        if name in draws
    }


def headline_share(draws: Mapping[str, Mapping[str, Floats]]) -> float | None:
    """Share of the AUC between scorecard and ceiling that the model captures; None when not measured."""
    if not {SCORECARD, CEILING, MODEL} <= set(draws):
        return None
    low, high, own = (float(draws[n]["auc"][0]) for n in (SCORECARD, CEILING, MODEL))
    return (own - low) / (high - low) if high > low else None
