"""Tier reviews of a workspace: who is reviewed, on which figures, under which rules."""

from __future__ import annotations

import json
import math
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.errors import MissingDataError, NotEnoughEvidenceError
from models.tiering.points import Potential
from models.tiering.policy import TierPolicy, read_policy
from models.tiering.simulate import Comparison, Member, compare, traits_of
from partnerintel.preparing import lake_of, newest_date
from partnerintel.settings import Project
from partnerintel.state import opened

if TYPE_CHECKING:
    from evaluation.tiers import Audit
    from models.bundle import Bundle
    from serving.tiers.refreshing import Reviewed

REVIEWS = 8


@dataclass(frozen=True)
class Panel:
    """Partners under agreement with their reviews.

    Attributes:
        members: Partners.
        held: Partner → tier on record at each review.
        dates: Dates of the reviews, the newest last.
        managers: Partner → manager now.
        model_version: Version of the potential; None: there is none.
    """

    members: tuple[Member, ...]
    held: Mapping[str, tuple[str | None, ...]]
    dates: tuple[date, ...]
    managers: Mapping[str, str]
    model_version: int | None


def panel_of(project: Project, *, as_of: date | None = None) -> Panel:
    """Features, potential and tiers at the last reviews.

    Args:
        project: The workspace.
        as_of: Newest review; None: the newest features there are.

    Raises:
        MissingDataError: No features were built.
    """
    from features.layout import saved_as_ofs
    from features.snapshot import read_snapshots

    lake = lake_of(project)
    newest = min(as_of or newest_date(lake), newest_date(lake))
    built = saved_as_ofs(project.workspace.features)
    dates = review_dates(built, newest, every_days=project.tiers.review_every_days)
    if not dates:
        raise MissingDataError(
            "There are no features to review partners on.", next_step="Run `partnerintel features`."
        )
    frame = read_snapshots(project.workspace.features, as_ofs=list(dates))
    bundle, version = _potential(project)
    members, held = _members(_under_agreement(project, frame, dates[-1]), bundle)
    return Panel(tuple(members), held, tuple(dates), _managers(lake, dates[-1]), version)


def review_dates(built: Sequence[date], newest: date, *, every_days: int) -> list[date]:
    """The newest date and, a review apart, the nearest snapshots before it, the oldest first."""
    known = sorted(d for d in built if d <= newest)
    if not known:
        return []
    found, wanted = [known[-1]], known[-1]
    while len(found) < REVIEWS:
        wanted -= timedelta(days=every_days)
        near = min(known, key=lambda d: abs((d - wanted).days))
        if near >= found[-1] or abs((near - wanted).days) > every_days // 3:
            break
        found.append(near)
    return found[::-1]


def policy_in_force(project: Project, *, now: datetime) -> tuple[int, TierPolicy]:
    """Version and rules in force; the settings' own where none was put in force yet."""
    from serving.policies import Policies
    from serving.tiers.rules import TierRules

    with opened(project) as database:
        rules = TierRules(Policies(database), named=project.tiers.policy, base=project.workspace.root)
        return rules.current(at=now)


def put_policy(project: Project, path: str, *, reason: str, by: str, now: datetime) -> int:
    """Put rules in force as a new version.

    Raises:
        ConfigError: The rules cannot be used.
    """
    from serving.policies import Policies
    from serving.tiers.rules import TierRules

    policy = read_policy(path, base=Path.cwd())
    with opened(project) as database:
        rules = TierRules(Policies(database), named=project.tiers.policy, base=project.workspace.root)
        return rules.put(policy, author=by, reason=reason, at=now)


def review(project: Project, panel: Panel, *, now: datetime) -> Reviewed:
    """Refresh standings and the review list.

    Raises:
        NotEnoughEvidenceError: Nobody is under agreement.
    """
    from serving.tiers.refreshing import refresh
    from serving.tiers.store import TierStore

    if not panel.members:
        raise NotEnoughEvidenceError("No partner is under agreement.")
    version, policy = policy_in_force(project, now=now)
    with opened(project) as database:
        return refresh(
            TierStore(database),
            policy,
            panel.members,
            version=version,
            held=panel.held,
            dates=[f"{day}T00:00:00Z" for day in panel.dates],
            at=now,
            random=secrets.token_bytes,
        )


def review_in_words(project: Project, *, as_of: date, now: datetime) -> str:
    """Review, publish benchmarks anew where their rules allow it, and say what came of it."""
    from partnerintel.benchmarking import refresh_benchmarks

    try:
        panel = panel_of(project, as_of=as_of)
        done = review(project, panel, now=now)
    except (MissingDataError, NotEnoughEvidenceError) as error:
        return f"nobody reviewed: {error.message}"
    refresh_benchmarks(project, panel.members, as_of=panel.dates[-1])
    return (
        f"{done.partners:,} partners reviewed; {done.opened} changes recommended anew, "
        f"{done.kept} still open, {done.lapsed} lapsed"
    )


def as_json(found: Comparison, audit: Audit) -> str:
    """Comparison and audit as JSON; what is not a number is null."""
    plain = {"comparison": asdict(found), "audit": asdict(audit)}
    return json.dumps(_finite(plain), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def simulate(
    project: Project, path: str, *, now: datetime
) -> tuple[Comparison, Audit, TierPolicy, TierPolicy]:
    """Rules of a file against those in force, and where managers deviate from those in force.

    Returns:
        The comparison, the audit, the rules now and the new ones.
    """
    from evaluation.tiers import audit_managers

    new = read_policy(path, base=Path.cwd())
    _, policy = policy_in_force(project, now=now)
    panel = panel_of(project)
    audit = audit_managers(policy, panel.members, managers=panel.managers)
    return compare(policy, new, panel.members), audit, policy, new


def _potential(project: Project) -> tuple[Bundle | None, int | None]:
    """The champion of the potential, when there is one that answers an amount."""
    from partnerintel.scoring import champion_bundle

    registry = project.registry_if_any()
    if registry is None or registry.champion("tiering") is None:
        return None, None
    bundle, version = champion_bundle(project, "tiering")
    return (bundle, version) if bundle.spec.output == "amount" else (None, None)


def _under_agreement(project: Project, frame: Any, newest: date) -> Any:
    """Rows of partners whose agreement holds at the newest date."""
    import pandas as pd

    from features.cohort import terminations

    at = pd.Timestamp(newest)
    ended = terminations(lake_of(project))
    ended = ended[(ended["known_at"] <= at) & (ended["event_at"] < at)]
    there = frame[frame["as_of"] == at]["partner_id"]
    kept = set(there) - set(ended["partner_id"])
    return frame[frame["partner_id"].isin(kept)].sort_values(["partner_id", "as_of"])


def _members(frame: Any, bundle: Bundle | None) -> tuple[list[Member], dict[str, Any]]:
    potentials = potentials_of(bundle, frame)
    names = [c for c in frame.columns if c not in ("partner_id", "as_of")]
    plain = frame[names].astype(object).where(frame[names].notna(), None)
    rows = plain.to_dict("records")
    members, held = [], {}
    for partner_id, places in frame.reset_index(drop=True).groupby("partner_id", sort=True).groups.items():
        own = [(rows[k], potentials[k]) for k in places]
        tiers = tuple(rows[k].get("tier") for k in places)
        members.append(Member(str(partner_id), tiers[-1], tuple(own), traits_of(own[-1][0])))
        held[str(partner_id)] = tiers
    return members, held


def potentials_of(bundle: Bundle | None, frame: Any) -> list[Potential]:
    """Potential of each row, with its interval."""
    if bundle is None:
        return [Potential()] * len(frame)
    scores = bundle.score(bundle.encode(frame.reindex(columns=list(bundle.spec.names))))
    h = max(bundle.horizons)
    ends = zip(scores.probability[h].tolist(), scores.low[h].tolist(), scores.high[h].tolist(), strict=True)
    return [Potential() if v != v else Potential(v, low, high) for v, low, high in ends]


def _managers(lake: Any, newest: date) -> Mapping[str, str]:
    from serving.managers import managers_at

    if not lake.has("partner_managers"):
        return {}
    return managers_at(lake.read("partner_managers"), now=datetime.combine(newest, datetime.min.time()))
