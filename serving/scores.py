"""From feature rows to answers: one pure function, for fresh requests and for replays alike."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from data.errors import InputError
from serving.encoded import Encoded, frame_of
from serving.view import Served

__all__ = ["Input", "Options", "chosen_horizons", "frame_of", "score_inputs"]

Value = float | str | None


@dataclass(frozen=True)
class Options:
    """What goes into an answer beside model and features.

    Attributes:
        horizons: Horizons in days.
        max_reasons: Reasons for and against, each.
        stale_views: Feature views, and groups of events, whose source has fallen silent.
        stale_features: The features behind them.
        degraded: Whether the last-known features stand in for a dead store.
    """

    horizons: tuple[int, ...]
    max_reasons: int
    stale_views: tuple[str, ...] = ()
    stale_features: tuple[str, ...] = ()
    degraded: bool = False


@dataclass(frozen=True)
class Input:
    """One row to score: features, their time, and whether that is too long ago."""

    features: Mapping[str, Value]
    as_of: str | None
    stale: bool


def chosen_horizons(asked: Sequence[int], served: Served) -> tuple[int, ...]:
    """The horizons to answer for, ascending; all of the model when none is asked for.

    Raises:
        InputError: The model does not answer for one of them.
    """
    offered = tuple(sorted(served.bundle.horizons))
    unknown = sorted(set(asked) - set(offered))
    if unknown:
        raise InputError(
            f"The model has no horizon of {unknown[0]} days.",
            allowed=", ".join(map(str, offered)),
            pointer="/horizons_days",
        )
    return tuple(sorted(set(asked))) or offered


def score_inputs(
    served: Served, inputs: Sequence[Input], options: Options, *, encoded: Encoded | None = None
) -> list[dict[str, dict[str, Any]]]:
    """A score for every row and horizon, without decision ids.

    Args:
        served: The model.
        inputs: The rows.
        options: What else goes into the answer.
        encoded: The rows' encoding, where it is at hand.

    Returns:
        For each row: horizon as text → score as in the contract.
    """
    if not inputs:
        return []
    from models.explain import reasons

    bundle = served.bundle
    rows = encoded or Encoded.of(bundle, frame_of(bundle.spec, [i.features for i in inputs]))
    scores = bundle.score(rows.matrix, horizons=options.horizons)
    # Contributions are the same at every horizon (only the constant differs): explain once.
    explained = reasons(
        bundle,
        rows.frame,
        rows.matrix,
        horizon=options.horizons[0],
        max_reasons=options.max_reasons,
        eta=scores.eta[options.horizons[0]],
    )
    answers = []
    for i, row in enumerate(inputs):
        shared = {
            "evidence": scores.evidence[i],
            "reasons": [_reason(r, row, options) for r in explained[i].reasons],
            "scale": bundle.link,
            "features_as_of": row.as_of,
            "stale": row.stale or bool(options.stale_views),
            "degraded": options.degraded,
            "warnings": list(
                dict.fromkeys([*scores.warnings[i], *rows.noticed[i], *_own_warnings(row, options)])
            ),
            "model": bundle.model,
            "model_version": served.version,
        }
        answers.append(
            {str(h): {**_at_horizon(bundle, scores, h, i, explained[i]), **shared} for h in options.horizons}
        )
    return answers


def _at_horizon(bundle: Any, scores: Any, horizon: int, i: int, explained: Any) -> dict[str, Any]:
    """What differs between horizons: value, interval, and the constants of the sum."""
    baseline = bundle.baseline(horizon)
    shown = math.fsum(r.contribution for r in explained.reasons)
    return {
        "value": _number(scores.probability[horizon][i]),
        "interval": _interval(scores.low[horizon][i], scores.high[horizon][i]),
        "baseline": float(baseline),
        "other_factors": float(scores.eta[horizon][i]) - float(baseline) - shown,
    }


def _reason(reason: Any, row: Input, options: Options) -> dict[str, Any]:
    return {
        "factor": reason.factor,
        "direction": reason.direction,
        "contribution": float(reason.contribution),
        "sentence": reason.sentence,
        "value": _plain(reason.value),
        "peer_value": _plain(reason.peer_value),
        "as_of": row.as_of,
        "stale": row.stale or reason.feature in options.stale_features,
        "actionable": bool(reason.actionable),
    }


def _own_warnings(row: Input, options: Options) -> list[str]:
    found = []
    if row.stale:
        found.append(f"The features are of {row.as_of}; newer ones were expected.")
    if options.stale_views:
        found.append(f"No recent data for: {', '.join(options.stale_views)}.")
    if options.degraded:
        found.append("The feature store cannot be reached; the last-known features were used.")
    return found


def _number(value: Any) -> float | None:
    return None if math.isnan(value) else float(value)


def _interval(low: Any, high: Any) -> list[float] | None:
    return None if math.isnan(low) or math.isnan(high) else [float(low), float(high)]


def _plain(value: Any) -> Any:
    """A value JSON can carry: text, finite number, yes/no, or nothing."""
    if value is None or isinstance(value, str | bool):
        return value
    number = float(value)
    return number if math.isfinite(number) else None
