"""Evaluate a recipe on rolling origins: predictions, references, intervals, slices, suspects, verdict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np

from evaluation.amount_parts import amount_slices, amount_tenths
from evaluation.amounts import draw_amount_ladder
from evaluation.calibrators import affine_cost
from evaluation.gates import check
from evaluation.ladder import (
    all_predictions,
    differences,
    draw_ladder,
    draw_ordered_ladder,
    headline_share,
    joined,
    rungs,
)
from evaluation.leaks import find_suspects
from evaluation.metrics import Judged, Ranking, auc
from evaluation.origin import MODEL, SCORECARD, Origin
from evaluation.origins import run_all
from evaluation.reliability import count_violations, reliability_bins
from evaluation.report import SIMULATED, Report, Suspect
from evaluation.resampling import Floats, estimate
from evaluation.settings import EvaluationSettings
from evaluation.slices import find_slices
from models.bundle import Bundle
from training.dataset import Dataset, entity_codes
from training.onethread import one_thread
from training.params import Params
from training.splits import Split, rolling_origin

Progress = Callable[[str, float], None]
LIMITS = (
    "Reasons are associations, not causes.",
    "Intervals of metrics come from drawing partners; they do not cover a change of the market.",
)


@dataclass(frozen=True)
class Backtest:
    """A report with what its pictures are drawn from.

    Attributes:
        report: Findings.
        bundle: The model of the last origin.
        rows: Raw feature rows it was tested on.
    """

    report: Report
    bundle: Bundle
    rows: Any


def backtest(dataset: Dataset, **given: Any) -> Report:
    """The report of `run_backtest`."""
    return run_backtest(dataset, **given).report


@one_thread()
def run_backtest(
    dataset: Dataset,
    *,
    settings: EvaluationSettings | None = None,
    params: Params | None = None,
    seed: int = 7,
    test_at: date | None = None,
    test_from: date | None = None,
    champion: Params | None = None,
    ceiling: Floats | None = None,
    search_seconds: float = 0,
    version: int | None = None,
    progress: Progress | None = None,
) -> Backtest:
    """Evaluate a recipe where it would have been used.

    Args:
        dataset: Rows and labels.
        settings: Origins, draws, margins; None: defaults.
        params: Settings of the fit; None: defaults.
        seed: Seed of the fits.
        test_at: The one test date.
        test_from: Test on all snapshots from this day on.
        champion: The champion's settings, when it is a fitted model.
        ceiling: (n,) best possible probability of each row, where the truth is known.
        search_seconds: How long to search for a ceiling at each test date, where it is not; 0: not at all.
        version: Registered version, for the record.
        progress: Called with (test date, share done).

    Raises:
        NotEnoughEvidenceError: No label is known before any test date, or there is one class only.
    """
    settings = settings or EvaluationSettings()
    splits = rolling_origin(
        dataset, origins=settings.origins, test_at=test_at, test_from=test_from, seed=settings.seed
    )
    origins = run_all(
        dataset,
        splits,
        params=params or Params(),
        seed=seed,
        champion=champion,
        search_seconds=search_seconds,
        progress=progress,
    )
    judged = joined(origins, dataset)
    predictions = all_predictions(origins, ceiling)
    if dataset.amounts:
        draws = draw_amount_ladder(judged, predictions, settings, unit=dataset.unit)
    elif dataset.ordered:
        draws = draw_ordered_ladder(judged, predictions, settings, classes=len(dataset.bands) + 1)
    else:
        draws = draw_ladder(judged, predictions, settings)
    last, yes_no = origins[0], not (dataset.ordered or dataset.amounts)
    rows = dataset.rows(last.split.test)
    # Repeated folds test every row several times; as evidence it counts once.
    tested = np.unique(np.concatenate([o.split.test for o in origins]))
    report = Report(
        model=dataset.spec.name,
        title=dataset.spec.title,
        n_train=int(last.split.refit.size),
        n_test=tested.size,
        n_entities=int(np.unique(judged.entity).size),
        events=int((dataset.labels()[tested] > 0).sum()),
        base_rate=float(judged.y.mean()),
        split=split_words(dataset, [o.split for o in origins]),
        metrics={k: estimate(v) for k, v in draws.get(MODEL, {}).items()},
        ladder=rungs(draws, last.notes, ordered=dataset.ordered, amounts=dataset.amounts),
        decisive=differences(draws, loss=_loss(dataset)),
        headline=headline_share(draws) if yes_no else None,
        dropped=dataset.dropped,
        suspects=suspects_of(dataset, last.split, settings),
        slices=() if dataset.ordered else _slices(dataset, origins, judged, predictions, settings),
        reliability=_reliability(dataset, judged, settings),
        # What lies outside experience follows the scorecard, which may turn a direction; that is said there.
        monotone_violations=count_violations(replace(last.bundle, experience=None), last.bundle.encode(rows)),
        origins=tuple(_origin_facts(dataset, o) for o in origins),
        about=dataset.about,
        limits=(*((SIMULATED,) if settings.simulated else ()), *LIMITS),
        ordered=dataset.ordered,
        amounts=dataset.amounts,
        version=version,
        extra={**_facts(dataset, last), **_calibrators(dataset, origins, settings)},
    )
    return Backtest(report.judged_by(tuple(check(report, settings=settings))), last.bundle, rows)


def _loss(dataset: Dataset) -> str:
    if dataset.amounts:
        return "tweedie_loss"
    return "mean_absolute_error" if dataset.ordered else "log_loss"


def split_words(dataset: Dataset, splits: Sequence[Split]) -> str:
    """How rows were parted, in one sentence."""
    kind, notes = splits[0].kind, sorted({s.note for s in splits if s.note})
    if kind == "purged time split":
        dates = ", ".join(s.name for s in splits)
        origins = "1 test origin" if len(splits) == 1 else f"{len(splits)} test origins"
        words = f"{kind}: {origins} ({dates}), gap {dataset.gap_days} days"
    elif kind == "ordered split":
        words = f"{kind}: the last quarter by the order column is tested; no dates, so no purge"
    else:
        words = f"{kind}: {len(splits)} folds; no dates, so the future may help to predict the past"
    return "; ".join([words, *notes])


def suspects_of(dataset: Dataset, split: Split, settings: EvaluationSettings) -> tuple[Suspect, ...]:
    """Columns that look like leaks, judged on training rows only."""
    y = dataset.labels()[split.refit]
    rows = split.refit[~np.isnan(y)]
    y = y[~np.isnan(y)]
    if (dataset.ordered or dataset.amounts) and y.size:
        y = (y > np.median(y)).astype(float)
    if not y.size:
        return ()
    return find_suspects(
        dataset.rows(rows),
        y,
        groups=entity_codes(dataset, rows),
        factors={f.name: f.shown_factor for f in dataset.spec.features},
        confirmed=settings.confirmed,
        built_here=dataset.source == "tables",
        undated=dataset.undated,
    )


def _slices(
    dataset: Dataset,
    origins: Sequence[Origin],
    judged: Judged,
    predictions: dict[str, Floats],
    settings: EvaluationSettings,
) -> Any:
    frame = dataset.frame.iloc[np.concatenate([o.split.test for o in origins])]
    reference = predictions.get(SCORECARD, predictions["prevalence"])
    if dataset.amounts:
        return amount_slices(frame, judged, reference, settings=settings, unit=dataset.unit)
    return find_slices(frame, judged, reference, settings=settings)


def _reliability(dataset: Dataset, judged: Judged, settings: EvaluationSettings) -> Any:
    if dataset.amounts:
        return amount_tenths(judged, settings=settings)
    return () if dataset.ordered else reliability_bins(judged)


def _origin_facts(dataset: Dataset, origin: Origin) -> dict[str, Any]:
    y = dataset.labels()[origin.split.test]
    found: dict[str, Any] = {
        "name": origin.split.name,
        "n_train": int(origin.split.refit.size),
        "n_test": int(y.size),
        "base_rate": float(y.mean()),
        "note": origin.split.note,
    }
    if not (dataset.ordered or dataset.amounts):
        ranking = Ranking.of(y, origin.predicted[MODEL], np.ones((1, y.size)))
        value = float(auc(ranking)[0])
        found["auc"] = value if np.isfinite(value) else None
    return found


def _calibrators(dataset: Dataset, origins: Sequence[Origin], settings: EvaluationSettings) -> dict[str, Any]:
    """What the affine form costs; nothing for ordered classes and amounts."""
    if dataset.ordered or dataset.amounts:
        return {}
    return {"calibrators": affine_cost(dataset, origins, settings)}


def _facts(dataset: Dataset, origin: Origin) -> dict[str, Any]:
    trained = origin.bundle.trained
    return {
        "horizon_days": dataset.horizon_days or None,
        "gap_days": dataset.gap_days,
        "kind": origin.bundle.kind,
        "params": trained["params"],
        "weights": {"linear": trained["linear_weight"], "trees": trained["boosted_weight"]},
        "source": dataset.source,
    }
