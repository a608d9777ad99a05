"""The nightly job: everything that is stale, in order; each step leaves the old state or the new."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import typer

from data.errors import NotEnoughEvidenceError, PromotionRefusedError
from partnerintel import console, datasets, learning, preparing, pricing, promoting, refreshing, tiering
from partnerintel.progress import progress
from partnerintel.settings import Project

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
    for model in datasets.trainable(project):
        _say(model, _model(project, model, now=now))
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


def _model(project: Project, model: str, *, now: datetime) -> str:
    """Train when the newest version is old; go on where a killed night stopped."""
    begun = project.workspace.root / "nightly" / f"{model}.begun"
    age = _age(project, model, now=now)
    if age is not None and age < RETRAIN_AFTER:
        if not begun.is_file():
            return f"trained {age.days} days ago, kept"
        outcome = _finish(project, model, now=now)
    else:
        begun.parent.mkdir(exist_ok=True)
        begun.touch()
        outcome = _train(project, model, now=now)
    begun.unlink(missing_ok=True)
    return outcome


def _train(project: Project, model: str, *, now: datetime) -> str:
    try:
        with progress(f"train {model}") as tick:
            learned = learning.train_model(project, model, now=now, tick=tick)
    except NotEnoughEvidenceError as error:
        return f"not trained: {error}"
    console.print_left_out(learned)
    return _promote(project, model, now=now)


def _finish(project: Project, model: str, *, now: datetime) -> str:
    """A version was registered and the night ended before its verdict."""
    with progress(f"evaluate {model}") as tick:
        learning.report_candidate(project, model, now=now, tick=tick)
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
