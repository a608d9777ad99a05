"""Drift of a workspace's champions: what they were trained on beside what they see now."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from data.errors import NotEnoughEvidenceError, PartnerIntelError
from partnerintel.datasets import dataset_of
from partnerintel.progress import Tick
from partnerintel.scoring import champion_bundle
from partnerintel.settings import Project

if TYPE_CHECKING:
    from evaluation.drift import DriftReport
    from training.dataset import Dataset

NEWEST = timedelta(days=92)
"""Rows of now reach back so far where one date alone has too few."""


@dataclass(frozen=True)
class Sides:
    """Rows to compare.

    Attributes:
        then: Rows the champion learnt from.
        now: Rows it answers for now.
        since: Date of the oldest row of now, ISO text.
        until: Date of the newest.
        groups: (n,) who stands behind each training row; None: every row is one.
        meaning: What the two are, in words.
    """

    then: Any
    now: Any
    since: str
    until: str
    groups: NDArray[Any] | None
    meaning: str


def drift_of_model(
    project: Project, model: str, *, now: datetime, tick: Tick, dataset: Dataset | None = None
) -> dict[str, Any]:
    """Compare, keep the outcome beside the reports of the model, and return it.

    Args:
        project: The workspace.
        model: Model name.
        now: Naive UTC.
        tick: Progress.
        dataset: Its rows, where they are at hand; making them is nine tenths of the work.

    Raises:
        NotFoundError: The model has no champion.
        NotEnoughEvidenceError: Nothing came since it was trained.
    """
    from evaluation.drift import compare
    from evaluation.report import write_text

    bundle, version = champion_bundle(project, model)
    if dataset is None:
        dataset, _ = dataset_of(project, model, now=now, tick=tick)
    sides = sides_of(dataset, trained_at=_trained_at(project, model, version))
    tick("comparing", 0.9)
    known = set(sides.then.columns) & set(sides.now.columns)
    columns = {f.name: f.shown_label for f in bundle.spec.features if f.name in known}
    horizon = dataset.horizon_days if dataset.horizon_days in bundle.horizons else max(bundle.horizons)
    scores = [_scores(bundle, rows, horizon) for rows in (sides.then, sides.now)]
    found = compare(
        sides.then,
        sides.now,
        scores=(scores[0], scores[1]),
        columns=columns,
        slices=_slices(project, sides),
        groups=sides.groups,
    )
    told = report_json(found, sides, model=model, version=version, made_at=now)
    write_text(
        json.dumps(told, indent=1, allow_nan=False, ensure_ascii=False) + "\n", drift_path(project, model)
    )
    return told


def drift_path(project: Project, model: str) -> Path:
    """Where the newest comparison of a model is kept."""
    return project.workspace.reports / model / "drift.json"


def refresh_drift(
    project: Project, model: str, *, now: datetime, tick: Tick, dataset: Dataset | None = None
) -> str:
    """Compare a model's champion, in one line; what cannot be compared keeps no night from going on."""
    try:
        return in_words(drift_of_model(project, model, now=now, tick=tick, dataset=dataset))
    except PartnerIntelError as error:
        return f"{model}: not compared: {error.message}"


def in_words(told: Mapping[str, Any]) -> str:
    """One line: `churn: scores steady (0.03), 2 of 41 columns moved`."""
    verdicts = [f["verdict"] for f in told["features"]]
    moved = sum(v in ("moved", "shifted") for v in verdicts)
    score = told["score"]
    if score["verdict"] == "not_enough":
        return f"{told['model']}: not enough rows to tell ({score['n_now']:,} now)"
    verdict = score["verdict"].replace("_", " ")
    return f"{told['model']}: scores {verdict} ({score['psi']:.2f}), {moved} of {len(verdicts)} columns moved"


def sides_of(dataset: Dataset, *, trained_at: datetime | None) -> Sides:
    """Rows of training and rows of now.

    Where prospects are on record, those known long ago stand beside the newest: recruited partners were
    chosen, and would differ from prospects on the quietest market. Otherwise the newest date is not trained
    on yet, as its outcomes are not known.

    Raises:
        NotEnoughEvidenceError: There is no date, or no row on one of the sides.
    """
    if dataset.population is not None:
        rows = dataset.population
        at, chosen = _stamps(rows["known_at"]), np.ones(len(rows), dtype=bool)
        meaning = "prospects on record before, beside those of the newest quarter"
    elif dataset.dated:
        rows, at = dataset.frame, dataset.as_of
        known = dataset.known_at()
        chosen = ~np.isnan(known)
        if trained_at is not None:
            chosen &= known <= np.datetime64(trained_at, "us")
        meaning = "rows the model learnt from, beside those of the newest date"
    else:
        raise NotEnoughEvidenceError(
            "Rows without dates have no then and now.", next_step="Map `as_of` of the ready-made columns."
        )
    recent = _newest(at, whole=dataset.population is not None)
    then = chosen & ~recent
    if not then.any() or not recent.any():
        raise NotEnoughEvidenceError("Nothing came since this version was trained; there is one date only.")
    return Sides(
        rows[then].reset_index(drop=True),
        rows[recent].reset_index(drop=True),
        str(at[recent].min().astype("datetime64[D]")),
        str(at[recent].max().astype("datetime64[D]")),
        rows.loc[then, "group"].to_numpy() if "group" in rows.columns else None,
        meaning,
    )


def _newest(at: NDArray[np.datetime64], *, whole: bool) -> NDArray[np.bool_]:
    """Rows of the newest date; of the newest quarter where dates are of single rows, or have few."""
    from evaluation.drift import LEAST_ROWS

    newest = at == at.max()
    if whole or newest.sum() < LEAST_ROWS:
        return np.asarray(at > at.max() - np.timedelta64(NEWEST))
    return np.asarray(newest)


def _stamps(column: Any) -> NDArray[np.datetime64]:
    stamps: NDArray[np.datetime64] = column.to_numpy().astype("datetime64[us]")
    return stamps


def _trained_at(project: Project, model: str, version: int) -> datetime | None:
    tags = {v.version: v.tags for v in project.registry().versions(model)}.get(version, {})
    text = tags.get("trained_at", "")
    return datetime.fromisoformat(text.removesuffix("Z")) if text else None


def _scores(bundle: Any, rows: Any, horizon: int) -> Any:
    frame = rows.reindex(columns=list(bundle.spec.names))
    return bundle.score(bundle.encode(frame), horizons=[horizon]).probability[horizon]


def _slices(project: Project, sides: Sides) -> dict[str, Any]:
    """Parts of both sides by the columns that reports are shown in; numbers are cut by their old thirds."""
    from evaluation.slices import parts, same_parts

    found = {}
    for column in project.evaluation.slice_columns:
        if column not in sides.then.columns or column not in sides.now.columns:
            continue
        before = parts(sides.then[column])
        after = same_parts(sides.then[column], sides.now[column])
        found[column] = [
            (level, mask, after[level]) for level, mask in before if mask.any() and level in after
        ]
    return {c: levels for c, levels in found.items() if levels}


def report_json(
    found: DriftReport, sides: Sides, *, model: str, version: int, made_at: datetime
) -> dict[str, Any]:
    """The comparison as plain values."""
    return {
        "model": model,
        "version": version,
        "made_at": made_at.isoformat(timespec="seconds") + "Z",
        "since": sides.since,
        "until": sides.until,
        "entities": len(sides.then) if sides.groups is None else len(np.unique(sides.groups)),
        "meaning": sides.meaning,
        "score": asdict(found.score),
        "features": [asdict(d) for d in found.features],
        "slices": [{"column": c, "level": v, **asdict(d)} for c, v, d in found.slices],
        "advice": list(found.advice),
    }
