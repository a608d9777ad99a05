"""From rows and labels to a candidate with its report: training and evaluation."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.checks import Finding
from partnerintel.datasets import dataset_of, snapshot_of
from partnerintel.outputs import write_whole
from partnerintel.preparing import keep_faults, lake_of
from partnerintel.progress import Tick
from partnerintel.settings import Project

if TYPE_CHECKING:
    from evaluation.backtest import Backtest
    from training.dataset import Dataset
    from training.params import Params


@dataclass(frozen=True)
class Learned:
    """What came of training or evaluating.

    Attributes:
        report: Findings, as `evaluate --json` writes them.
        findings: What was wrong with ready-made rows; empty when the model learns from tables.
        quarantine: File that holds all rows left out, or None.
        dataset: What it learnt from; None where nothing was trained.
    """

    report: dict[str, Any]
    findings: Sequence[Finding] = ()
    quarantine: Path | None = None
    dataset: Dataset | None = None


def train_model(
    project: Project,
    model: str,
    *,
    now: datetime,
    tick: Tick,
    trials: int | None = None,
    seed: int | None = None,
) -> Learned:
    """Train a candidate, evaluate its recipe on rolling origins, and keep report and model card.

    Raises:
        NotEnoughEvidenceError: There is nothing to learn from; the scorecard serves meanwhile.
    """
    from training.pipeline import train
    from training.track import MlflowTracker

    dataset, findings = dataset_of(project, model, now=now, tick=tick)
    tick("registry and scorecard", 0.35)
    tracker = MlflowTracker(project.workspace.root)
    seed = project.training.seed if seed is None else seed
    candidate = train(
        dataset,
        settings=project.training,
        registry=project.registry(),
        tracker=tracker,
        trials=trials,
        seed=seed,
        data_version=_data_version(project, model),
        now=now,
        storage=project.workspace.root / "optuna.db",
        progress=lambda what, share: tick(what, 0.35 + 0.3 * share),
    )
    tested = _backtest(
        project, dataset, params=candidate.params, seed=seed, version=candidate.version, tick=tick
    )
    _keep(project, tested, candidate.version)
    tracker.log(candidate.run_id, metrics={k: e.value for k, e in tested.report.metrics.items()})
    for suffix in ("json", "html"):
        tracker.attach(
            candidate.run_id, project.workspace.report(model, candidate.version, suffix), folder="report"
        )
    kept = keep_faults(project, model, findings, now=now)
    return Learned(tested.report.to_json(), findings, kept, dataset)


def evaluate_model(
    project: Project,
    model: str,
    *,
    now: datetime,
    tick: Tick,
    test_at: date | None = None,
    test_from: date | None = None,
    search_seconds: float = 0,
) -> Learned:
    """Back-test the newest candidate's recipe, or the defaults; of ready-made columns nothing is written."""
    dataset, findings = dataset_of(project, model, now=now, tick=tick, test_at=test_at, test_from=test_from)
    params, version = recipe(project, model)
    tested = _backtest(
        project,
        dataset,
        params=params,
        seed=project.training.seed,
        version=version,
        tick=tick,
        test_at=test_at,
        test_from=test_from,
        search_seconds=search_seconds,
    )
    return Learned(tested.report.to_json(), findings)


def write_figures(learned: Learned, path: Path) -> None:
    """Write the figures as strict JSON, whole or not at all."""
    text = json.dumps(learned.report, indent=2, allow_nan=False, ensure_ascii=False) + "\n"
    write_whole(path, lambda p: p.write_text(text, encoding="utf-8"))


def report_candidate(project: Project, model: str, *, now: datetime, tick: Tick) -> None:
    """Evaluate the newest version and keep its report, unless it has one: training was killed before."""
    version = project.registry().candidate(model)
    if version is None or project.workspace.report(model, version, "json").is_file():
        return
    dataset, _ = dataset_of(project, model, now=now, tick=tick)
    params = _params_of(project, model, version)
    tested = _backtest(
        project, dataset, params=params, seed=project.training.seed, version=version, tick=tick
    )
    _keep(project, tested, version)


def _data_version(project: Project, model: str) -> str:
    """Content hash of what a model learns from; ready-made columns have none of their own."""
    return "" if snapshot_of(project, model) else lake_of(project).version()


def recipe(project: Project, model: str) -> tuple[Params | None, int | None]:
    """Settings of the newest version, where there is one that was searched for."""
    registry = project.registry_if_any()
    version = registry.candidate(model) if registry else None
    return (None, None) if version is None else (_params_of(project, model, version), version)


def _params_of(project: Project, model: str, version: int) -> Params:
    from models.bundle import load_bundle
    from training.pipeline import params_of

    return params_of(load_bundle(project.registry().fetch(model, version)))


def _backtest(
    project: Project,
    dataset: Dataset,
    *,
    params: Params | None,
    seed: int,
    version: int | None,
    tick: Tick,
    test_at: date | None = None,
    test_from: date | None = None,
    search_seconds: float = 0,
) -> Backtest:
    from evaluation.backtest import run_backtest

    return run_backtest(
        dataset,
        settings=project.evaluation,
        params=params,
        seed=seed,
        test_at=test_at,
        test_from=test_from,
        champion=_champion_params(project, dataset.spec.name, version),
        search_seconds=search_seconds,
        version=version,
        progress=lambda what, share: tick(f"test {what}" if what else "report", 0.65 + 0.35 * share),
    )


def _champion_params(project: Project, model: str, version: int | None) -> Params | None:
    """Settings of the champion, when it is another version and more than a scorecard."""
    registry = project.registry_if_any()
    champion = registry.champion(model) if registry else None
    if registry is None or champion is None or champion.version == version:
        return None
    kind = {v.version: v.tags.get("kind") for v in registry.versions(model)}[champion.version]
    return None if kind == "scorecard" else _params_of(project, model, champion.version)


def _keep(project: Project, tested: Backtest, version: int) -> None:
    """Write report and model card of a version."""
    from evaluation.card import write_html
    from evaluation.report import write_json

    model = tested.report.model
    # A promotion looks for the JSON, so it comes last.
    write_html(tested, project.workspace.report(model, version, "html"))
    write_json(tested.report, project.workspace.report(model, version, "json"))
