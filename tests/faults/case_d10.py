"""D10: reports whose figures are not numbers, or come from next to nothing."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from data.errors import NotEnoughEvidenceError, PromotionRefusedError
from evaluation.backtest import run_backtest
from evaluation.gates import CHAMPION, check
from evaluation.metrics import BINARY_METRICS
from evaluation.report import Refusal, Report, Rung, write_json
from evaluation.resampling import Estimate
from evaluation.settings import EvaluationSettings
from partnerintel.promoting import promote_model
from partnerintel.settings import open_project
from tests.faults.harness import Outcome, judged
from tests.unit.evaluation.test_gates import GOOD, PREVALENCE, report, with_metric
from tests.unit.serving.world import Shop
from tests.unit.training.worlds import dated, undated
from training.dataset import Dataset

TITLE = "A gate whose figures are NaN or infinite, or come from a tiny sample, refuses promotion"
QUICK, FULL = 4, 40  # tiny data sets of each kind; the spoilt reports are always all tried
BAD = (math.nan, math.inf, -math.inf)
Gate = Callable[[Report], list[Refusal]]


def run(size: int) -> Outcome:
    """Every figure spoilt in every way, and back-tests of a handful of rows; then `promote`."""
    spoilt = [*spoilt_reports(), *tiny_reports(size)]
    with registry() as promoted:
        if check(report()) != []:
            return Outcome(1, 1, "a good report is refused, so refusing proves nothing")
        return _tried(spoilt, check, promoted)


def planted() -> Outcome:
    """The same with a gate that refuses what is on the wrong side, and NaN is on no side."""
    return _tried(list(spoilt_reports()), on_the_wrong_side, lambda given: given.passed)


def _tried(spoilt: Sequence[tuple[str, Report]], gate: Gate, promoted: Callable[[Report], bool]) -> Outcome:
    passed = [what for what, r in spoilt if promoted(r.judged_by(tuple(gate(r))))]
    return judged(
        len(spoilt), [f"promoted with {w}" for w in passed], f"{len(spoilt)} reports, none promoted"
    )


def spoilt_reports() -> Iterator[tuple[str, Report]]:
    """A good report with one figure spoilt."""
    for name in BINARY_METRICS:
        for bad in BAD:
            yield f"{name} {bad}", with_metric(name, bad)
        yield f"no {name}", report(metrics={k: v for k, v in GOOD.items() if k != name})
    for name in ("auc", "calibration_slope", "calibration_in_the_large"):
        for bad in (math.nan, -math.inf):
            yield f"low end of {name} {bad}", _with_bound(name, low=bad)
    for name in ("calibration_slope", "calibration_in_the_large"):
        for bad in (math.nan, math.inf):
            yield f"high end of {name} {bad}", _with_bound(name, high=bad)
    for bad in BAD:
        broken = Estimate(bad, bad, bad)
        yield f"scorecard {bad}", report(ladder=(PREVALENCE, Rung("scorecard", {"log_loss": broken})))
        yield f"champion {bad}", report(decisive={CHAMPION: broken})
        yield f"interval of champion {bad}", report(decisive={CHAMPION: Estimate(0.0, bad, bad)})
    yield "no figure at all", report(metrics={})
    yield "no reference", report(ladder=())
    for events, rows in ((0, 500), (1, 500), (9, 500), (500, 500), (491, 500), (3, 6), (0, 0)):
        yield f"{events} events in {rows} rows", report(events=events, n_test=rows)


def _with_bound(name: str, **bound: float) -> Report:
    return report(metrics={**GOOD, name: replace(GOOD[name], **bound)})


def tiny_reports(size: int) -> Iterator[tuple[str, Report]]:
    """Back-tests of a handful of rows; data too small even for that counts as refused before."""
    for seed in range(size):
        few = 4 + seed % 4
        yield from _backtested(f"{few} partners", dated(partners=few, snapshots=9, seed=seed))
        yield from _backtested("12 rows", undated(n=12, entities=6, seed=seed))
        whole = dated(partners=30, snapshots=9, seed=seed)
        one_class = replace(whole, outcomes=whole.outcomes.assign(y=float(seed % 2)))
        yield from _backtested("one class", one_class)


def _backtested(what: str, dataset: Dataset) -> Iterator[tuple[str, Report]]:
    try:
        yield what, run_backtest(dataset, settings=EvaluationSettings(origins=2, replicates=60)).report
    except NotEnoughEvidenceError:
        return


def on_the_wrong_side(given: Report) -> list[Refusal]:
    """A gate as one writes it at first."""
    found = given.metrics
    reasons = [
        found["auc"].low <= 0.5,
        found["log_loss"].value >= 0.45,
        found["calibration_slope"].low > 1.25,
        given.events < 10,
    ] if len(found) == len(GOOD) else [True]  # fmt: skip
    return [Refusal("PI-G000", "on the wrong side")] if any(reasons) else []


@contextmanager
def registry() -> Iterator[Callable[[Report], bool]]:
    """A workspace with a champion and a candidate; says whether a report makes the candidate champion."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "partnerintel.yaml").write_text("config_version: 1\n")
        shop, project = Shop(root), open_project(root)
        for version in (1, 2):
            shop.register(version, seed=version)
        shop.promote(1, expected=None)

        def promoted(given: Report) -> bool:
            write_json(given, project.workspace.report("churn", 2, "json"))
            now = datetime(2026, 11, 20)
            try:
                promote_model(project, "churn", version=2, reason="", by="Kim", now=now)
            except PromotionRefusedError:
                return False
            return True

        yield promoted
