"""The nightly job: everything that is stale, in order; each step leaves the old state or the new."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import typer

from data.errors import NotEnoughEvidenceError, PromotionRefusedError
from partnerintel import (
    console,
    datasets,
    drifting,
    learning,
    preparing,
    pricing,
    promoting,
    refreshing,
    tiering,
)
from partnerintel.progress import progress
from partnerintel.settings import Project

if TYPE_CHECKING:
    from training.dataset import Dataset

RETRAIN_AFTER = timedelta(days=28)
WIDTH = 14


def run(project: Project, *, as_of: date, now: datetime) -> None:
    """Ingest, build features, bring them online, and train anew what is old.

    A refused candidate is no failure: the champion stays, and the report says why. Nothing is promoted
    because the champion is old.
    """
    if project.data.tables:
        if received := refreshing.drain_events(project, now=now):
            _say("events", f"{received:,} that came in through the API")
        if routed := pricing.drain_offers(project, now=now):
            _say("offers", f"{routed:,} new rows of leads routed here")
        with progress("ingest") as tick:
            report = preparing.ingest_tables(project, now=now, tick=tick)
        console.print_findings(report.findings, err=True)
        bad = sum(t.rows_quarantined for t in report.tables.values())
        _say("ingest", f"{sum(t.rows_new for t in report.tables.values()):,} new rows, {bad:,} quarantined")
        with progress("features") as tick:
            built = preparing.build_features(project, as_of=as_of, now=now, tick=tick)
        _say("features", f"{built.built_count} snapshots built, {built.kept} kept")
    drifts = []
    for model in datasets.trainable(project):
        outcome, dataset = _model(project, model, now=now)
        _say(model, outcome)
        drifts += _drift(project, model, dataset, now=now)
    _say("drift", "\n".join(drifts) or "no model in service")
    _say("alerts", _alerts(project, now=now))
    if "deals" in project.data.tables:
        _say("tiers", tiering.review_in_words(project, as_of=as_of, now=now))
    if set(pricing.MODELS) <= set(datasets.trainable(project)):
        _say("routing", pricing.refresh_prices(project, now=now))


def _alerts(project: Project, *, now: datetime) -> str:
    done = refreshing.refresh_alerts(project, now=now)
    if done is None:
        return "no churn model in service, nothing refreshed"
    return f"{done.opened} opened, {done.closed} closed, {done.waiting} in the queues as of {done.as_of}"


def _say(step: str, outcome: str) -> None:
    """One line a step; what a gate refused stands below, a line each."""
    first, *more = outcome.splitlines()
    typer.echo("\n".join([f"{step:<{WIDTH}} {first}", *(f"{'':<{WIDTH}} {line}" for line in more)]))


def _drift(project: Project, model: str, dataset: Dataset | None, *, now: datetime) -> list[str]:
    """One line on what the champion sees now; none without a champion."""
    registry = project.registry_if_any()
    if registry is None or registry.champion(model) is None:
        return []
    with progress(f"drift {model}") as tick:
        return [drifting.refresh_drift(project, model, now=now, tick=tick, dataset=dataset)]


def _model(project: Project, model: str, *, now: datetime) -> tuple[str, Dataset | None]:
    """Train when the newest version is old; go on where a killed night stopped.

    Returns:
        What came of it, and the rows learnt from, where they are at hand.
    """
    begun = project.workspace.root / "nightly" / f"{model}.begun"
    age = _age(project, model, now=now)
    if age is not None and age < RETRAIN_AFTER:
        if not begun.is_file():
            return f"trained {age.days} days ago, kept", None
        outcome, dataset = _finish(project, model, now=now), None
    else:
        begun.parent.mkdir(exist_ok=True)
        begun.touch()
        outcome, dataset = _train(project, model, now=now)
    begun.unlink(missing_ok=True)
    return outcome, dataset


def _train(project: Project, model: str, *, now: datetime) -> tuple[str, Dataset | None]:
    try:
        with progress(f"train {model}") as tick:
            learned = learning.train_model(project, model, now=now, tick=tick)
    except NotEnoughEvidenceError as error:
        return f"not trained: {error}", None
    console.print_left_out(learned)
    return _promote(project, model, now=now), learned.dataset


def _finish(project: Project, model: str, *, now: datetime) -> str:
    """A version was registered and the night ended before its verdict."""
    try:
        with progress(f"evaluate {model}") as tick:
            learning.report_candidate(project, model, now=now, tick=tick)
    except NotEnoughEvidenceError as error:
        return f"not evaluated: {error}"
    return _promote(project, model, now=now)


def _promote(project: Project, model: str, *, now: datetime) -> str:
    try:
        champion = promoting.promote_model(project, model, version=None, reason="", by="nightly", now=now)
    except PromotionRefusedError as error:
        return "\n".join([error.message, *(f"{code}  {why}" for code, why in error.refusals)])
    return f"version {champion.version} is champion"


def _age(project: Project, model: str, *, now: datetime) -> timedelta | None:
    """Time since the newest version was trained; None when there is none."""
    registry = project.registry_if_any()
    trained = [
        v.tags["trained_at"] for v in (registry.versions(model) if registry else ()) if "trained_at" in v.tags
    ]
    return now - datetime.fromisoformat(trained[-1].removesuffix("Z")) if trained else None
