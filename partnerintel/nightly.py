"""The nightly job: everything that is stale, in order; each step leaves the old state or the new."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import typer

from data.errors import NotEnoughEvidenceError, PromotionRefusedError
from partnerintel import console, learning, preparing
from partnerintel.settings import Project

RETRAIN_AFTER = timedelta(days=28)


def run(project: Project, *, as_of: date, now: datetime) -> None:
    """Ingest, build features, bring them online, and train anew what is old.

    A refused candidate is no failure: the champion stays, and the report says why. Nothing is promoted
    because the champion is old.
    """
    if project.data.tables:
        with console.progress("ingest") as tick:
            report = preparing.ingest_tables(project, now=now, tick=tick)
        typer.echo(f"ingest    {sum(t.rows_new for t in report.tables.values()):,} new rows")
        with console.progress("features") as tick:
            built = preparing.build_features(project, as_of=as_of, now=now, tick=tick)
        typer.echo(f"features  {built.built_count} snapshots built, {built.kept} kept")
    for model in learning.trainable(project):
        typer.echo(f"{model:<9} {_model(project, model, now=now)}")


def _model(project: Project, model: str, *, now: datetime) -> str:
    age = _age(project, model, now=now)
    if age is not None and age < RETRAIN_AFTER:
        return f"trained {age.days} days ago, kept"
    try:
        with console.progress(f"train {model}") as tick:
            learning.train_model(project, model, now=now, tick=tick)
        champion = learning.promote_model(project, model, version=None, reason="", by="nightly", now=now)
    except NotEnoughEvidenceError as error:
        return f"not trained: {error}"
    except PromotionRefusedError as error:
        return f"refused: {'; '.join(m for _, m in error.refusals)}"
    return f"version {champion.version} is champion"


def _age(project: Project, model: str, *, now: datetime) -> timedelta | None:
    """Time since the newest version was trained; None when there is none."""
    if not (project.workspace.root / "registry.db").is_file():
        return None
    trained = [
        v.tags["trained_at"] for v in learning.registry_of(project).versions(model) if "trained_at" in v.tags
    ]
    return now - datetime.fromisoformat(trained[-1].removesuffix("Z")) if trained else None
