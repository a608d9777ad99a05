"""Do the alerts work? The policy replayed over the past of a workspace."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.errors import MissingDataError
from partnerintel.closed_alerts import risk_alerts, said_and_done, with_lost
from partnerintel.outputs import write_whole
from partnerintel.preparing import data_span, lake_of
from partnerintel.progress import Tick
from partnerintel.settings import Project

if TYPE_CHECKING:
    from evaluation.alert_panel import History, Stretch

MODEL, QUARTERS = "churn", 5
HORIZON_DAYS = 90
REPORT = "alerts"


def evaluate(project: Project, *, now: datetime, tick: Tick, quarters: int = QUARTERS) -> dict[str, Any]:
    """Replay the policy with models fitted before each quarter, and judge its alerts by what came after.

    Args:
        project: The workspace.
        now: Naive UTC.
        tick: Progress.
        quarters: How many, the last ones.

    Raises:
        MissingDataError: There are no tables, so nobody has a past.
        NotEnoughEvidenceError: History is too short for a single origin.
    """
    from evaluation.alert_panel import build_panel
    from evaluation.alerts import evaluate_alerts
    from features.snapshot import build_and_save, read_snapshots
    from partnerintel.datasets import dataset_of

    if not project.data.tables:
        raise MissingDataError(
            "Alerts are replayed over dated activity, and no tables are mapped.",
            next_step="Map `tables:` in partnerintel.yaml.",
        )
    dataset, _ = dataset_of(project, MODEL, now=now, tick=tick)
    stretches = _stretches(project, dataset, quarters=quarters, tick=tick)
    lake, root = lake_of(project), project.workspace.features
    weeks = [w for s in stretches for w in s.weeks]
    tick("features, week by week", 0.7)
    build_and_save(root, lake=lake, as_ofs=weeks, settings=project.features)
    tick("scores, week by week", 0.8)
    panel = build_panel(
        stretches,
        lambda week: read_snapshots(root, as_ofs=[week]),
        history(project),
        settings=project.churn,
        known_until=min(now, data_span(lake)[1]),
    )
    tick("replay", 0.95)
    link = stretches[-1].bundle.link
    found = evaluate_alerts(
        panel, settings=project.alerts, link=link, silence_days=project.churn.silence_bound_days or 90
    )
    real = real_alerts(project, until=min(now, data_span(lake)[1]))
    return {**found, "hold_out": real, "simulated": project.evaluation.simulated}


def real_alerts(project: Project, *, until: datetime) -> dict[str, Any] | None:
    """What the hold-out says of the alerts that were really opened; None before any outcome is known.

    An alert counts once its outcome is certain: 90 days and a silence after it opened.
    """
    import numpy as np
    import pandas as pd

    from evaluation.alerts import hold_out, plain_hold_out
    from models.churn.label import departures

    alerts = risk_alerts(project)
    known = project.churn.known_after_days(HORIZON_DAYS)
    alerts = [a for a in alerts if a.opened_on + timedelta(days=known) <= until.date()]
    if not alerts:
        return None
    past = history(project)
    outcome = np.zeros(len(alerts))
    for day in sorted({a.opened_on for a in alerts}):
        which = [i for i, a in enumerate(alerts) if a.opened_on == day]
        left = departures(
            past.activity,
            past.terminations,
            [alerts[i].partner_id for i in which],
            as_of=day,
            settings=project.churn,
            known_until=until,
        )
        outcome[which] = left < np.datetime64(day, "us") + np.timedelta64(HORIZON_DAYS, "D")
    rows = [(a.partner_id, a.held_out, a.propensity) for a in alerts]
    frame = pd.DataFrame(rows, columns=["partner_id", "held_out", "propensity"])
    return {**plain_hold_out(hold_out(frame, outcome)), "closed_as": said_and_done(alerts, outcome)}


def keep(project: Project, report: dict[str, Any], path: Path | None = None) -> Path:
    """Write the report where the console shows it, or to a file of one's choice."""
    target = path or project.workspace.reports / REPORT / "latest.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(report, indent=2, allow_nan=False, ensure_ascii=False) + "\n"
    write_whole(target, lambda p: p.write_text(text, encoding="utf-8"))
    return target


def history(project: Project) -> History:
    """Rows that outcomes and owners are read from."""
    from evaluation.alert_panel import History
    from features.cohort import terminations, value_activity
    from models.versions import Versions

    lake = lake_of(project)
    managers = lake.read("partner_managers") if lake.has("partner_managers") else None
    activity = value_activity(lake, kinds=project.churn.value_activities)
    ended = with_lost(project, terminations(lake), activity=activity)
    return History(Versions(activity), Versions(ended), managers)


def _stretches(project: Project, dataset: Any, *, quarters: int, tick: Tick) -> list[Stretch]:
    """A model for each origin, in service from then until the next one."""
    from evaluation.alert_panel import Stretch
    from partnerintel.learning import recipe
    from training.estimators import fit
    from training.splits import rolling_origin

    params, _ = recipe(project, MODEL)
    splits = sorted(rolling_origin(dataset, origins=quarters), key=lambda s: s.name)
    starts = [date.fromisoformat(s.name) for s in splits]
    ends = [*starts[1:], starts[-1] + timedelta(days=7)]
    found = []
    for place, (split, start, end) in enumerate(zip(splits, starts, ends, strict=True)):
        tick(f"model of {split.name}", 0.35 + 0.35 * place / len(splits))
        bundle = fit(dataset, split, params=params, seed=project.training.seed, spread=False)
        found.append(Stretch(bundle, split.name, tuple(_mondays(start, end))))
    return found


def _mondays(start: date, end: date) -> Iterator[date]:
    day = start + timedelta(days=-start.weekday() % 7)
    while day < end:
        yield day
        day += timedelta(days=7)
