"""From feature snapshots to a champion: data set, training, evaluation, promotion."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.errors import ConfigError, NotFoundError, PromotionRefusedError
from models.catalog import specs
from partnerintel.console import Tick
from partnerintel.preparing import data_span, lake_of, training_dates
from partnerintel.settings import Project

if TYPE_CHECKING:
    from evaluation.backtest import Backtest
    from models.registry import Champion, Registry
    from training.dataset import Dataset
    from training.params import Params


def registry_of(project: Project) -> Registry:
    """The model registry of a workspace."""
    from models.registry import Registry, RegistrySettings

    return Registry(RegistrySettings(root=project.workspace.root))


def trainable(project: Project) -> list[str]:
    """Models the workspace has data for: those with labelled snapshots, and churn where tables are mapped."""
    named = [s.model for s in project.data.snapshots if s.label]
    return list(dict.fromkeys([*named, *(["churn"] if project.data.tables else [])]))


def dataset_of(
    project: Project,
    model: str,
    *,
    now: datetime,
    tick: Tick,
    test_at: date | None = None,
    test_from: date | None = None,
) -> Dataset:
    """Rows and labels of a model: its snapshots where the mapping has some, else the tables.

    Args:
        project: The workspace.
        model: Model name.
        now: Naive UTC.
        tick: Progress.
        test_at: A date the snapshot grid must hold; snapshots are built for a grid through it.
        test_from: The same.

    Raises:
        ConfigError: The mapping has no data for the model.
    """
    from training.from_snapshot import from_snapshot

    mapping = next((s for s in project.data.snapshots if s.model == model), None)
    if mapping is not None:
        from data.snapshots import read_snapshot

        base = project.data.folder(project.workspace.root)
        snapshot = read_snapshot(mapping, base=base, sources=project.data.sources, progress=tick)
        return from_snapshot(mapping, snapshot, scorecard=project.scorecards.get(model))
    if model not in trainable(project):
        raise ConfigError(
            f"There is no data for model {model!r}.",
            allowed=", ".join(trainable(project)) or "map `tables:` or `snapshots:` first",
            next_step=f"Add `snapshots:` with `model: {model}` to partnerintel.yaml.",
            pointer="snapshots",
        )
    return _from_tables(project, model, now=now, tick=tick, anchor=test_at or test_from)


def _from_tables(project: Project, model: str, *, now: datetime, tick: Tick, anchor: date | None) -> Dataset:
    from features.snapshot import build_and_save, read_snapshots
    from models.scorecard import CHURN_DEFAULT
    from training.from_tables import from_tables, read_history

    lake = lake_of(project)
    dates = _dates_through(project, training_dates(project, lake, now=now), anchor)
    root = project.workspace.features
    build_and_save(
        root,
        lake=lake,
        as_ofs=dates,
        settings=project.features,
        progress=lambda view, done, of: tick(f"features {view}", 0.3 * done / of),
    )
    tick("labels", 0.3)
    default = CHURN_DEFAULT if project.training.default_scorecard else None
    return from_tables(
        specs()[model],
        read_snapshots(root, as_ofs=dates),
        read_history(lake, settings=project.churn),
        settings=project.churn,
        # An export that ended years ago says nothing about the time since.
        known_until=min(now, data_span(lake)[1]),
        scorecard=project.scorecards.get(model, default),
        horizon_days=project.training.horizon_days,
    )


def _dates_through(project: Project, dates: list[date], anchor: date | None) -> list[date]:
    """The grid, moved so that `anchor` is one of its dates."""
    from training.from_tables import snapshot_grid

    if anchor is None or anchor in dates or not dates:
        return dates
    steps = {"month": 30, "week": 7}
    every = steps.get(project.features.every) or int(project.features.every.removesuffix("d"))
    return snapshot_grid(dates[0], dates[-1], every_days=every, anchor=anchor)


def train_model(
    project: Project,
    model: str,
    *,
    now: datetime,
    tick: Tick,
    trials: int | None = None,
    seed: int | None = None,
) -> dict[str, Any]:
    """Train a candidate, evaluate its recipe on rolling origins, and keep report and model card.

    Raises:
        NotEnoughEvidenceError: There is nothing to learn from; the scorecard serves meanwhile.
    """
    from training.pipeline import train
    from training.track import MlflowTracker

    dataset = dataset_of(project, model, now=now, tick=tick)
    tracker = MlflowTracker(project.workspace.root)
    seed = project.training.seed if seed is None else seed
    candidate = train(
        dataset,
        settings=project.training,
        registry=registry_of(project),
        tracker=tracker,
        trials=trials,
        seed=seed,
        data_version=lake_of(project).version(),
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
    return tested.report.to_json()


def evaluate_model(
    project: Project,
    model: str,
    *,
    now: datetime,
    tick: Tick,
    test_at: date | None = None,
    test_from: date | None = None,
    json_file: Path | None = None,
) -> dict[str, Any]:
    """Back-test the newest candidate's recipe, or the defaults, and write the figures where asked."""
    from evaluation.report import write_json

    dataset = dataset_of(project, model, now=now, tick=tick, test_at=test_at, test_from=test_from)
    params, version = _recipe(project, model)
    tested = _backtest(
        project,
        dataset,
        params=params,
        seed=project.training.seed,
        version=version,
        tick=tick,
        test_at=test_at,
        test_from=test_from,
    )
    if json_file is not None:
        write_json(tested.report, json_file)
    return tested.report.to_json()


def _recipe(project: Project, model: str) -> tuple[Params | None, int | None]:
    """Settings of the newest version, where there is one that was searched for."""
    if not (project.workspace.root / "registry.db").is_file():
        return None, None
    registry = registry_of(project)
    version = registry.candidate(model)
    return (None, None) if version is None else (_params_of(project, model, version), version)


def _params_of(project: Project, model: str, version: int) -> Params:
    from models.bundle import load_bundle
    from training.pipeline import params_of

    return params_of(load_bundle(registry_of(project).fetch(model, version)))


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
        version=version,
        progress=lambda what, share: tick(f"test {what}" if what else "report", 0.65 + 0.35 * share),
    )


def _champion_params(project: Project, model: str, version: int | None) -> Params | None:
    """Settings of the champion, when it is another version and more than a scorecard."""
    if not (project.workspace.root / "registry.db").is_file():
        return None
    registry = registry_of(project)
    champion = registry.champion(model)
    if champion is None or champion.version == version:
        return None
    kind = {v.version: v.tags.get("kind") for v in registry.versions(model)}[champion.version]
    return None if kind == "scorecard" else _params_of(project, model, champion.version)


def _keep(project: Project, tested: Backtest, version: int) -> None:
    """Write report and model card of a version."""
    from evaluation.card import write_html
    from evaluation.report import write_json

    model = tested.report.model
    write_json(tested.report, project.workspace.report(model, version, "json"))
    write_html(tested, project.workspace.report(model, version, "html"))


def stored_report(project: Project, model: str, version: int) -> Mapping[str, Any]:
    """The report kept with a version.

    Raises:
        NotFoundError: The version was not evaluated.
    """
    path = project.workspace.report(model, version, "json")
    if not path.is_file():
        raise NotFoundError(
            f"Version {version} of {model} has no evaluation report.",
            next_step=f"Run `partnerintel train {model}`: it evaluates what it registers.",
        )
    found: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def promote_model(
    project: Project, model: str, *, version: int | None, reason: str, by: str, now: datetime
) -> Champion:
    """Make a version the champion when the gate of its report passes, or a reason overrides it.

    Raises:
        PromotionRefusedError: The gate refuses and no reason was given.
        PromotionConflictError: Another promotion came first.
        NotFoundError: There is no candidate, or it was not evaluated.
    """
    registry = registry_of(project)
    chosen = version if version is not None else registry.candidate(model)
    if chosen is None:
        raise NotFoundError(
            f"Model {model!r} has no candidate.", next_step=f"Run `partnerintel train {model}`."
        )
    before = registry.champion(model)
    gate = stored_report(project, model, chosen)["gate"]
    if not gate["passed"] and not reason:
        refusals = [(r["code"], r["message"]) for r in gate["refusals"]]
        kept = f"version {before.version} stays champion" if before else "there is no champion"
        raise PromotionRefusedError(f"Version {chosen} of {model} is refused; {kept}.", refusals=refusals)
    champion = registry.promote(
        model,
        chosen,
        expected=before.version if before else None,
        by=by,
        reason=reason or "the gate passed",
        at=now,
    )
    _record(project, champion, overridden=not gate["passed"])
    return champion


def _record(project: Project, champion: Champion, *, overridden: bool) -> None:
    """Promotions belong in the audit log, overrides with their reason."""
    from serving import audit
    from serving.state import Database

    database = Database(project.serving.database(project.workspace.root))
    try:
        database.migrate()
        audit.append(
            database,
            at=champion.promoted_at,
            actor=champion.promoted_by,
            action="model.promote" + (".override" if overridden else ""),
            object=f"{champion.model} {champion.version}",
            detail={"reason": champion.reason},
        )
    finally:
        database.close()
