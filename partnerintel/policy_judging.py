"""A routing policy judged on the past of a workspace: replayed, estimated from the log, and reported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from data.errors import MissingDataError, NotEnoughEvidenceError
from models.routing.policy import RoutingPolicy
from partnerintel.policy import rules_of
from partnerintel.preparing import data_span, lake_of
from partnerintel.progress import Tick
from partnerintel.service_log import with_service
from partnerintel.settings import Project

if TYPE_CHECKING:
    from evaluation.moments import Models
    from evaluation.offpolicy import OffPolicy
    from evaluation.policy_replay import Replay

NEW, OLD, FREE = "after", "before", "after, without bands"
STRETCHES = 2
STRETCH_DAYS = 182
MOMENT_DAYS = 30
MOST_LEADS = 4000
ACCEPT, WIN = "routing_accept", "routing_win"
LISTED = 50


def diff(project: Project, version: int, *, against: int | None, now: datetime, tick: Tick) -> dict[str, Any]:
    """Which past leads would go elsewhere, and what that does to exposure."""
    from evaluation import routing_report as report

    old, new, replay = _replayed(project, version, against=against, now=now, tick=tick)
    rows = report.changed(replay, OLD, NEW)
    return _plain(
        {
            **_about(replay, old, new),
            "changed": len(rows),
            "changed_share": len(rows) / len(replay),
            "moved_share": report.moved_share(replay, OLD, NEW),
            "expected_wins_per_100": {n: report.expected_wins(replay, n) for n in (OLD, NEW)},
            "unassigned_share": {n: report.unassigned_share(replay, n) for n in (OLD, NEW)},
            "leads": rows,
            "exposure": {g: report.shares(replay, [OLD, NEW], by=g) for g in report.GROUPS},
        }
    )


def evaluate(
    project: Project, version: int, *, against: int | None, now: datetime, tick: Tick
) -> dict[str, Any]:
    """What the log says a policy would bring, with the reason where it cannot say.

    The verdict compares it with the other policy, where the log supports both; what the log itself brought is
    told in any case.
    """
    from evaluation import routing_report as report
    from evaluation.offpolicy import compare_policies, judge_policy

    old, new, replay = _replayed(project, version, against=against, now=now, tick=tick)
    tick("estimates", 0.95)
    reward = "value_usd" if new[1].objective == "value" else "won"
    found = judge_policy(replay.judged(NEW, reward=reward), seed=project.evaluation.seed)
    before = judge_policy(replay.judged(OLD, reward=reward), seed=project.evaluation.seed)
    verdict = compare_policies(
        replay.judged(NEW, reward=reward), replay.judged(OLD, reward=reward), seed=project.evaluation.seed
    )
    return _plain(
        {
            **_about(replay, old, new),
            "reward": "USD won for each lead" if reward == "value_usd" else "leads won, from the first offer",
            "verdict": {
                "answer": verdict.answer,
                "code": verdict.refusal.code if verdict.refusal else verdict.answer,
                "message": verdict.refusal.message if verdict.refusal else _said(verdict.answer),
                "next_step": verdict.refusal.next_step if verdict.refusal else "",
                "gain": asdict(verdict.gain),
            },
            "policy_value": _values(found),
            "against_value": _values(before),
            "support": asdict(found.support),
            "expected_wins_per_100": {n: report.expected_wins(replay, n) for n in (OLD, NEW)},
            "moved_share": report.moved_share(replay, OLD, NEW),
            "exposure": {g: report.shares(replay, [OLD, NEW], by=g) for g in report.GROUPS},
            "fairness": report.price_of_fairness(replay, NEW, FREE),
            "simulated": project.evaluation.simulated,
        }
    )


def report_routing(project: Project, *, since: date | None, now: datetime) -> dict[str, Any]:
    """Who was offered leads, who took and won them, from the lake's assignments."""
    from evaluation import routing_report as report
    from evaluation.moments import groups_of
    from evaluation.policy_replay import outcomes_of
    from features.leadhistory import offers_of
    from training.routing_rows import read_tables

    lake = _lake_with_offers(project)
    known_until = min(now, data_span(lake)[1])
    tables = with_service(read_tables(lake), project)
    offers = offers_of(tables.assignments, leads=tables.leads)
    begin = datetime.combine(since, time()) if since else known_until - timedelta(days=365)
    offers = offers[(offers["offered_at"] >= begin) & (offers["offered_at"] <= known_until)]
    if offers.empty:
        raise NotEnoughEvidenceError(f"No lead was offered since {begin:%Y-%m-%d}.")
    day = known_until.date()
    snapshot = _snapshots(project, [day])(day)
    partners = groups_of(_moment(lake, snapshot, offers, day))
    rows = outcomes_of(offers, project.routing, known_until=known_until)
    rows = rows.merge(partners, on="partner_id", how="left")
    present = partners[~partners["ended"]]
    return _plain(
        {
            "from": f"{begin:%Y-%m-%d}",
            "to": f"{known_until:%Y-%m-%d}",
            "answers": report.acceptance(offers),
            "exposure": {g: report.exposure(rows, present, by=g) for g in report.GROUPS},
            "simulated": project.evaluation.simulated,
        }
    )


def _replayed(
    project: Project, version: int, *, against: int | None, now: datetime, tick: Tick
) -> tuple[tuple[int, RoutingPolicy], tuple[int, RoutingPolicy], Replay]:
    """Both policies, and what they would have done with the past leads whose outcome is known."""
    from evaluation.policy_replay import first_offers, joined, log_of, replay
    from features.leadhistory import offers_of
    from training.routing_rows import read_tables

    old, new = rules_of(project, against, now=now), rules_of(project, version, now=now)
    policies = {OLD: old[1], NEW: new[1], FREE: new[1].model_copy(update={"bands": ()})}
    lake = _lake_with_offers(project)
    known_until = min(now, data_span(lake)[1])
    tables = with_service(read_tables(lake), project)
    log = log_of(
        offers_of(tables.assignments, leads=tables.leads), tables.leads, tables.deals, project.routing
    )
    starts = _starts(project, known_until)
    since = datetime.combine(starts[0], time())
    leads = first_offers(log.offers, project.routing, since=since, known_until=known_until).tail(MOST_LEADS)
    parts = []
    for place, start in enumerate(starts):
        end = start + timedelta(days=STRETCH_DAYS)
        mine = leads[(leads["offered_at"] >= str(start)) & (leads["offered_at"] < str(end))]
        if mine.empty:
            continue
        tick(f"models of {start}", place / len(starts))
        models = _models(project, tables, until=start)
        if models is None:
            continue
        dates = [start + timedelta(days=d) for d in range(0, STRETCH_DAYS, MOMENT_DAYS)]
        read = _snapshots(project, dates)
        for day, until in zip(dates, [*dates[1:], end], strict=True):
            part = mine[(mine["offered_at"] >= str(day)) & (mine["offered_at"] < str(until))]
            if part.empty:
                continue
            tick(f"leads of {day}", (place + 0.5) / len(starts))
            moment = _moment(lake, read(day), log.offers, day)
            found = replay(part, log, policies, moment=moment, models=models)
            parts += [found] if found is not None else []
    if not parts:
        raise NotEnoughEvidenceError(
            "There are no past leads to judge a policy by.",
            next_step="It takes offers with known outcomes, and enough of them before these to learn from.",
        )
    return old, new, joined(parts)


def _starts(project: Project, known_until: datetime) -> list[date]:
    """First days of the stretches, oldest first; the last one ends where outcomes are no longer known."""
    wait = project.routing.answer_days + project.routing.win_days
    end = known_until.date() - timedelta(days=wait)
    return [end - timedelta(days=STRETCH_DAYS * k) for k in range(STRETCHES, 0, -1)]


def _models(project: Project, tables: Any, *, until: date) -> Models | None:
    """Both models as they would have been then; None where too little was known."""
    from evaluation.moments import Models
    from features.snapshot import read_snapshots
    from models.catalog import specs
    from models.routing.inputs import RULES
    from partnerintel.learning import recipe
    from partnerintel.preparing import training_dates
    from training.estimators import fit
    from training.routing_rows import routing_dataset
    from training.splits import final_split
    from training.undated import tier_of_today

    known = datetime.combine(until, time())
    dates = [d for d in training_dates(project, lake_of(project), now=known) if d <= until]
    _snapshots(project, dates)
    gone = [d.column for d in tier_of_today(lake_of(project))]
    default = RULES if project.training.default_scorecard else None
    fitted = {}
    for name in (ACCEPT, WIN):
        try:
            dataset = routing_dataset(
                specs()[name],
                read_snapshots(project.workspace.features, as_ofs=dates).drop(columns=gone),
                tables,
                label="accept" if name == ACCEPT else "win",
                settings=project.routing,
                known_until=known,
                scorecard=project.scorecards.get(name, default),
            )
            params, _ = recipe(project, name)
            seed = project.training.seed
            fitted[name] = fit(dataset, final_split(dataset), params=params, seed=seed, spread=False)
        except NotEnoughEvidenceError:
            return None
    return Models(fitted[ACCEPT], fitted[WIN])


def _snapshots(project: Project, dates: Sequence[date]) -> Any:
    """Builds the snapshots that are missing, and reads one by its date."""
    from features.snapshot import build_and_save, read_snapshots

    root = project.workspace.features
    build_and_save(root, lake=lake_of(project), as_ofs=list(dates), settings=project.features)
    return lambda day: read_snapshots(root, as_ofs=[day])


def _moment(lake: Any, snapshot: Any, offers: Any, day: date) -> Any:
    from evaluation.moments import moment_at
    from features.rosters import RosterTables

    deals = lake.read("deals") if lake.has("deals") else None
    at = datetime.combine(day, time())
    return moment_at(snapshot, RosterTables.of(lake), offers=offers, deals=deals, as_of=at)


def _lake_with_offers(project: Project) -> Any:
    lake = lake_of(project)
    for table in ("leads", "assignments"):
        if not lake.has(table):
            raise MissingDataError(
                f"A policy is judged by `{table}`, which the lake does not have.",
                next_step=f"Map `{table}` under `tables:`, with `propensity`, and run `partnerintel ingest`.",
                pointer=table,
            )
    return lake


def _about(replay: Replay, old: Any, new: Any) -> dict[str, Any]:
    at = replay.decisions["offered_at"]
    return {
        "policy": new[0],
        "against": old[0],
        "leads_judged": len(replay),
        "from": f"{at.min():%Y-%m-%d}",
        "to": f"{at.max():%Y-%m-%d}",
    }


def _values(found: OffPolicy) -> dict[str, Any]:
    names = ("logged", "ips", "snips", "dm", "dr", "gain")
    refused = found.refusal.code if found.refusal else None
    return {**{n: asdict(getattr(found, n)) for n in names}, "refused": refused}


def _said(answer: str) -> str:
    return {
        "better": "The log shows that it brings more.",
        "worse": "The log shows that it brings less.",
        "no_difference_shown": "The log shows no difference either way.",
    }[answer]


def _plain(report: dict[str, Any]) -> dict[str, Any]:
    from evaluation.routing_report import to_json

    plain: dict[str, Any] = to_json(report)
    return plain
