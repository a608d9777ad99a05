"""Training data from tables: snapshots of features, joined to labels as they became known."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, cast

import numpy as np
import pandas as pd

from data.errors import NotEnoughEvidenceError
from models.churn.cohort import build_cohort
from models.churn.settings import ChurnSettings
from models.scorecard import Scorecard
from models.spec import ModelSpec
from training.columns import useless_columns
from training.dataset import Dataset, DroppedColumn

USUAL_HORIZON = 90
KEYS = ["partner_id", "as_of"]


@dataclass(frozen=True)
class History:
    """What labels are made of.

    Attributes:
        activity: DataFrame[partner_id, event_at, known_at[, record_key]] of value activities.
        terminations: The same columns, for agreements that ended.
        parents: partner_id → parent_id, where known.
    """

    activity: Any
    terminations: Any
    parents: dict[str, str]


def read_history(lake: Any, *, settings: ChurnSettings) -> History:
    """Value activities, terminations and parents from the lake."""
    from features.cohort import terminations, value_activity

    partners = lake.read("partners")
    last = partners.sort_values(["known_at", "row_hash"]).drop_duplicates("partner_id", keep="last")
    known = last[last["parent_id"].notna()]
    parents = dict(zip(known["partner_id"].astype(str), known["parent_id"].astype(str), strict=True))
    activity = value_activity(lake, kinds=settings.value_activities)
    return History(activity, terminations(lake), parents)


def from_tables(
    spec: ModelSpec,
    features: Any,
    history: History,
    *,
    settings: ChurnSettings,
    known_until: datetime,
    scorecard: Scorecard | None = None,
    horizon_days: int | None = None,
) -> Dataset:
    """Cohort × features × labels of every snapshot date in `features`.

    Args:
        spec: The model; `models.<name>.label.build_labels` makes its labels.
        features: DataFrame[partner_id, as_of, features] of `features.read_snapshots`.
        history: What labels are made of.
        settings: What the outcome means.
        known_until: Nothing known later is used.
        scorecard: The customer's, or the model's default.
        horizon_days: The horizon that is judged; None: 90 where there is one, else the longest.

    Raises:
        NotEnoughEvidenceError: No partner is in the cohort at any date, or no feature differs.
    """
    as_ofs = sorted({t.date() for t in pd.to_datetime(features["as_of"].unique())})
    cohort = build_cohort(history.activity, history.terminations, as_ofs=as_ofs, settings=settings)
    frame = cohort.merge(features, on=KEYS, how="inner").sort_values(
        ["as_of", "partner_id"], ignore_index=True
    )
    if frame.empty:
        raise NotEnoughEvidenceError(
            f"No partner is asked about at any of {len(as_ofs)} snapshot dates.",
            allowed=f"partners with value activity up to {settings.active_within_days} days before",
            next_step="Check `churn.value_activities` and `churn.active_within_days`.",
        )
    labels = _labels(spec, history, cohort, as_ofs, settings, known_until)
    frame = frame.assign(row_id=np.arange(len(frame), dtype=np.int64))
    frame["group"] = frame["partner_id"].map(lambda p: history.parents.get(p, p)).astype(str)
    horizon = horizon_days or _judged_horizon(settings.horizons_days)
    plain = settings.label == "silence"
    present = spec.restricted_to(features.columns)
    dropped = useless_columns(frame, list(present.names))
    if len(dropped) == len(present.names):
        raise NotEnoughEvidenceError(
            f"None of {len(dropped)} features tells one of {len(frame)} rows from another: "
            f"{dropped[0].column} is {dropped[0].why}, and so on.",
            next_step="Map more tables of dated rows, or more of their history.",
        )
    spec = present.restricted_to(set(present.names) - {d.column for d in dropped})
    output = "probability" if plain else spec.output
    return Dataset(
        replace(spec, output=cast(Any, output), horizons_days=settings.horizons_days),
        frame,
        _by_row(labels.outcomes, frame),
        None if plain else _by_row(labels.stacked, frame),
        horizon_days=horizon,
        gap_days=settings.known_after_days(horizon),
        scorecard=scorecard,
        dropped=dropped,
        source="tables",
        about=_about(settings, horizon, as_ofs),
    )


def _labels(
    spec: ModelSpec,
    history: History,
    cohort: Any,
    as_ofs: Sequence[date],
    settings: Any,
    known_until: datetime,
) -> Any:
    """Labels by the model's own folder, so that a new model needs nothing here."""
    label = importlib.import_module(f"models.{spec.name}.label")
    return label.build_labels(
        history.activity,
        history.terminations,
        cohort,
        as_ofs=as_ofs,
        settings=settings,
        known_until=known_until,
    )


def _judged_horizon(horizons: tuple[int, ...]) -> int:
    return USUAL_HORIZON if USUAL_HORIZON in horizons else horizons[-1]


def _by_row(labels: Any, frame: Any) -> Any:
    """Labels with the row they belong to instead of its keys."""
    keyed = labels.merge(frame[[*KEYS, "row_id"]], on=KEYS, how="inner")
    return keyed.drop(columns=KEYS).sort_values("row_id", kind="stable", ignore_index=True)


def _about(settings: ChurnSettings, horizon: int, as_ofs: Sequence[date]) -> tuple[tuple[str, str], ...]:
    activities = " or ".join(_in_words(a) for a in settings.value_activities)
    length = (
        "the partner's own unusual length" if settings.silence == "adaptive" else f"{settings.silence} days"
    )
    silence = (
        f"no {activities} within {horizon} days"
        if settings.label == "silence"
        else f"last {activities} before a silence of {length}, or the end of the agreement, "
        f"within {horizon} days"
    )
    return (
        ("Outcome", silence),
        ("Population", f"partners with {activities} in the {settings.active_within_days} days before"),
        ("Snapshots", f"{len(as_ofs)}, from {as_ofs[0]} to {as_ofs[-1]}"),
        ("Known after", f"{settings.known_after_days(horizon)} days"),
    )


def _in_words(activity: str) -> str:
    """`deals.won` → `deal won`."""
    table, _, status = activity.partition(".")
    return f"{table.removesuffix('s')} {status}".replace("_", " ").strip() if status else activity


def snapshot_grid(first: date, last: date, *, every_days: int, anchor: date | None = None) -> list[date]:
    """Snapshot dates a fixed number of days apart, such that `anchor` (a test date) is one of them.

    Args:
        first: No date before this one.
        last: No date after this one.
        every_days: Distance.
        anchor: A date of the grid; None: `last`.
    """
    start = np.datetime64(anchor or last, "D")
    low, high = np.datetime64(first, "D"), np.datetime64(last, "D")
    before = int((start - low).astype(int)) // every_days
    after = max(int((high - start).astype(int)) // every_days, 0)
    steps = np.arange(-before, after + 1) * every_days
    return [date.fromisoformat(str(start + np.timedelta64(int(k), "D"))) for k in steps]


__all__ = ["DroppedColumn", "History", "from_tables", "read_history", "snapshot_grid"]
