"""What a model learns from: its ready-made snapshots where the mapping has some, else the tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from data.checks import Finding
from data.errors import InputError, MissingDataError, NotFoundError
from data.mapping import SnapshotMapping, nearest
from partnerintel.closed_alerts import with_lost
from partnerintel.preparing import DATED, data_span, lake_of, training_dates
from partnerintel.progress import Tick
from partnerintel.settings import Project

if TYPE_CHECKING:
    from data.lake import Lake
    from models.spec import ModelSpec
    from training.dataset import Dataset

ROUTING = ("routing_accept", "routing_win")
FROM_TABLES: dict[str, tuple[str, ...]] = {
    "churn": (),
    **dict.fromkeys(ROUTING, ("leads", "assignments")),
    "tiering": ("partners", "deals"),
}
"""Models that learn from tables, and the tables they cannot do without."""


FIT = "fit"


def snapshot_of(project: Project, model: str) -> SnapshotMapping | None:
    """The mapping of ready-made columns for a model, or None."""
    return next((s for s in project.data.snapshots if s.model == model), None)


def trainable(project: Project) -> list[str]:
    """Models the workspace has data for: those with labelled snapshots, and those whose tables are mapped."""
    named = [s.model for s in project.data.snapshots if s.label]
    tables = set(project.data.tables)
    if tables:
        # What the service routed itself is in the lake without being mapped.
        lake = lake_of(project)
        tables |= {t for t in ("leads", "assignments") if lake.has(t)}
    built = [m for m, needed in FROM_TABLES.items() if tables and tables >= set(needed)]
    return list(dict.fromkeys([*named, *built, *_fit_models(project)]))


def _fit_models(project: Project) -> list[str]:
    """Fit where it is known who signed when and what came of it, and a profile for each large motion."""
    tables = project.data.tables
    dated = any(t.columns is None or "signed_at" in t.columns for t in tables.get("partners", ()))
    if "prospects" not in tables and not (dated and "deals" in tables):
        return []
    from training.fit_rows import motions

    lake = lake_of(project)
    if not (lake.has("partners") and lake.has("deals")):
        return [FIT]
    last = data_span(lake)[1]
    return [FIT, *(f"{FIT}.{m}" for m in motions(lake, settings=project.fit, known_until=last))]


def all_trainable(project: Project) -> list[str]:
    """The same, refused when there are none.

    Raises:
        MissingDataError: Nothing is mapped.
    """
    names = trainable(project)
    if not names:
        raise MissingDataError(
            "There is nothing to train on.",
            allowed="`tables:`, or `snapshots:` with a `label:`, in partnerintel.yaml",
        )
    return names


def check_model(project: Project, model: str) -> None:
    """Refuse a name that no snapshot, no version and no authored model has.

    Raises:
        NotFoundError: With the names there are.
    """
    from models.catalog import specs

    registry = project.registry_if_any()
    registered = registry.models() if registry else []
    known = list(dict.fromkeys([*(s.model for s in project.data.snapshots), *registered, *specs()]))
    if model not in known and model.partition(".")[0] != FIT:
        near = nearest(model, known)
        raise NotFoundError(
            f"There is no model {model!r}.",
            allowed=", ".join(known),
            next_step=f"Did you mean {near!r}?"
            if near
            else "A model of your own is a `snapshots:` entry in partnerintel.yaml.",
        )


def dataset_of(
    project: Project,
    model: str,
    *,
    now: datetime,
    tick: Tick,
    test_at: date | None = None,
    test_from: date | None = None,
) -> tuple[Dataset, Sequence[Finding]]:
    """Rows and labels of a model, and what was found wrong with ready-made columns.

    Args:
        project: The workspace.
        model: Model name.
        now: Naive UTC.
        tick: Progress.
        test_at: A date the snapshot grid must hold; snapshots are built for a grid through it.
        test_from: The same.

    Raises:
        NotFoundError: No such model.
        MissingDataError: The mapping has no data for it.
    """
    check_model(project, model)
    mapping = snapshot_of(project, model)
    if mapping is not None:
        return _from_columns(project, mapping, now=now, tick=tick)
    if model not in trainable(project) and not model.startswith(f"{FIT}."):
        raise MissingDataError(
            f"There is no data for model {model!r}.",
            allowed=", ".join(trainable(project)) or "map `tables:` or `snapshots:` first",
            next_step=f"Add `snapshots:` with `model: {model}` to partnerintel.yaml.",
            pointer="snapshots",
        )
    if model.partition(".")[0] == FIT:
        return _fit(project, model, now=now, tick=tick), ()
    return _from_tables(project, model, now=now, tick=tick, anchor=test_at or test_from), ()


def _fit(project: Project, model: str, *, now: datetime, tick: Tick) -> Dataset:
    """Recruited partners; `fit.<motion>` is the profile of one motion."""
    from models.fit import SPEC
    from models.fit.card import FIT_DEFAULT
    from training.fit_rows import from_lake
    from training.undated import undated_columns

    tick("partners and their first year", 0.2)
    lake = lake_of(project)
    default = FIT_DEFAULT if project.training.default_scorecard else None
    dataset = from_lake(
        lake,
        SPEC,
        settings=project.fit,
        known_until=_known_until(lake, now),
        scorecard=project.scorecards.get(model, project.scorecards.get(FIT, default)),
        motion=model.partition(".")[2] or None,
    )
    # Facts of prospects are dated; where a partner has none, its own stand in.
    return replace(dataset, undated=undated_columns(lake))


def _known_until(lake: Lake, now: datetime) -> datetime:
    """The end of what is known; without any dated row, now."""
    return min(now, data_span(lake)[1]) if any(lake.has(t) for t in DATED) else now


def _from_columns(
    project: Project, mapping: SnapshotMapping, *, now: datetime, tick: Tick
) -> tuple[Dataset, Sequence[Finding]]:
    from data.snapshots import read_snapshot
    from training.from_snapshot import from_snapshot

    base = project.data.folder(project.workspace.root)
    snapshot = read_snapshot(
        mapping,
        base=base,
        sources=project.data.sources,
        now=now,
        progress=lambda what, share: tick(what.removeprefix(f"{mapping.model}: "), 0.3 * share),
    )
    dataset = from_snapshot(mapping, snapshot, scorecard=project.scorecards.get(mapping.model))
    return dataset, snapshot.findings


def _from_tables(project: Project, model: str, *, now: datetime, tick: Tick, anchor: date | None) -> Dataset:
    from features.snapshot import build_and_save, read_snapshots
    from models.catalog import specs
    from training.undated import tier_of_today, undated_columns

    lake = lake_of(project)
    dates = _dates_through(project, training_dates(project, lake, now=now), anchor)
    root = project.workspace.features
    # An export that ended years ago says nothing about the time since.
    known_until = min(now, data_span(lake)[1])
    build_and_save(
        root,
        lake=lake,
        as_ofs=dates,
        settings=project.features,
        progress=lambda view, done, of: tick(f"features {view}".strip(), 0.3 * done / of),
    )
    tick("labels", 0.3)
    gone = tier_of_today(lake)
    features = read_snapshots(root, as_ofs=dates).drop(columns=[d.column for d in gone])
    labelled = _of_offers if model in ROUTING else _tiering if model == "tiering" else _churn
    dataset = labelled(project, specs()[model], features, lake, known_until)
    return replace(dataset, dropped=(*gone, *dataset.dropped), undated=undated_columns(lake))


def _churn(project: Project, spec: ModelSpec, features: Any, lake: Lake, known_until: datetime) -> Dataset:
    from models.scorecard import CHURN_DEFAULT
    from training.from_tables import from_tables, read_history

    default = CHURN_DEFAULT if project.training.default_scorecard else None
    past = read_history(lake, settings=project.churn)
    ended = with_lost(project, past.terminations, activity=past.activity)
    return from_tables(
        spec,
        features,
        replace(past, terminations=ended),
        settings=project.churn,
        known_until=known_until,
        scorecard=project.scorecards.get(spec.name, default),
        horizon_days=project.training.horizon_days,
    )


def _of_offers(
    project: Project, spec: ModelSpec, features: Any, lake: Lake, known_until: datetime
) -> Dataset:
    """Rows of the routing models: offers of leads."""
    from models.routing.inputs import RULES
    from training.routing_rows import read_tables, routing_dataset

    default = RULES if project.training.default_scorecard else None
    return routing_dataset(
        spec,
        features,
        read_tables(lake),
        label="accept" if spec.name == "routing_accept" else "win",
        settings=project.routing,
        known_until=known_until,
        scorecard=project.scorecards.get(spec.name, default),
    )


def _tiering(project: Project, spec: ModelSpec, features: Any, lake: Lake, known_until: datetime) -> Dataset:
    from models.tiering.scorecard import TIERING_DEFAULT
    from training.tiering_rows import read_contributions, tiering_dataset

    default = TIERING_DEFAULT if project.training.default_scorecard else None
    return tiering_dataset(
        spec,
        features,
        read_contributions(lake, settings=project.tiers),
        settings=project.tiers,
        known_until=known_until,
        scorecard=project.scorecards.get(spec.name, default),
    )


def _dates_through(project: Project, dates: list[date], anchor: date | None) -> list[date]:
    """The grid, moved so that `anchor` is one of its dates.

    Raises:
        InputError: The data does not reach there.
    """
    from training.from_tables import snapshot_grid

    if anchor is None or anchor in dates or not dates:
        return dates
    if not dates[0] <= anchor <= dates[-1]:
        raise InputError(
            f"The data says nothing about {anchor}.", allowed=f"a test date from {dates[0]} to {dates[-1]}"
        )
    steps = {"month": 30, "week": 7}
    every = steps.get(project.features.every) or int(project.features.every.removesuffix("d"))
    moved: Any = snapshot_grid(dates[0], dates[-1], every_days=every, anchor=anchor)
    return list(moved)
