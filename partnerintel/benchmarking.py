"""Peer benchmarks of a workspace: worked out with the reviews, kept so that releases cannot be subtracted."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.benchmarks import Group, Kind, Peer, Published, Release, group_of, percentile, release
from models.tiering.points import number
from models.tiering.simulate import Member
from partnerintel.outputs import write_whole
from partnerintel.settings import Project

NOTE = "benchmarks.json"


@dataclass(frozen=True)
class Metric:
    """One figure that is compared: feature, kind, and its name for people."""

    feature: str
    kind: Kind
    label: str
    unit: str


METRICS = (
    Metric("won_amount_usd_365d", "money", "Value won in a year", "USD"),
    Metric("registered_count_180d", "count", "Deals registered in half a year", "deals"),
    Metric("win_rate_365d_share", "share", "Win rate", "share"),
    Metric("certified_users_count", "count", "Certified people", "people"),
    Metric("active_users_90d", "count", "Active people in a quarter", "people"),
    Metric("survey_score_mean_365d", "score", "Survey answers", "of 10"),
)


@dataclass(frozen=True)
class Place:
    """Where a partner stands among its peers.

    Attributes:
        metric: The figure.
        value: The partner's own; None: not known.
        group: Names of the peers compared with; None: withheld, the group is too small.
        peers: Their number, rounded down.
        percentile: Share of them below, rounded to tens.
        quarters: Lower edges of their bands at the quarters.
    """

    metric: Metric
    value: float | None
    group: str | None = None
    peers: int = 0
    percentile: int | None = None
    quarters: tuple[float, float, float] | None = None


def refresh_benchmarks(project: Project, members: Sequence[Member]) -> dict[str, Release]:
    """Publish every metric anew where the rules let it, and keep the releases."""
    path = project.workspace.root / NOTE
    before = _read(path)
    found = {m.feature: release(_peers(m, members), m.kind, before=before.get(m.feature)) for m in METRICS}
    _write(found, path)
    return found


def places_of(member: Member, found: Mapping[str, Release]) -> list[Place]:
    """A partner among its peers, metric by metric."""
    return [_place(m, member, found[m.feature]) for m in METRICS]


def _place(metric: Metric, member: Member, found: Release) -> Place:
    value = number(member.reviews[-1][0].get(metric.feature))
    group = None if value is None else group_of(member.traits, found)
    if value is None or group is None:
        return Place(metric, value)
    shown = found.published[group]
    rank = percentile(member.partner_id, value, group, found)
    name = ", ".join(group) or "all partners"
    return Place(metric, value, name, shown.members, rank, shown.quarters)


def _peers(metric: Metric, members: Sequence[Member]) -> list[Peer]:
    pairs = [(m, number(m.reviews[-1][0].get(metric.feature))) for m in members]
    return [Peer(m.partner_id, v, m.traits) for m, v in pairs if v is not None]


def _read(path: Path) -> dict[str, Release]:
    if not path.is_file():
        return {}
    kept = json.loads(path.read_text(encoding="utf-8"))
    return {name: _release(value) for name, value in kept.items()}


def _release(value: Any) -> Release:
    published = {}
    for entry in value["published"]:
        first, middle, third = entry["quarters"]
        group: Group = tuple(entry["group"])
        published[group] = Published(group, entry["members"], (first, middle, third))
    basis = {tuple(entry["group"]): entry["bands"] for entry in value["basis"]}
    return Release(value["kind"], published, basis)


def _write(found: Mapping[str, Release], path: Path) -> None:
    plain = {
        name: {
            "kind": r.kind,
            "published": [
                {"group": list(g), "members": p.members, "quarters": list(p.quarters)}
                for g, p in r.published.items()
            ],
            "basis": [{"group": list(g), "bands": dict(b)} for g, b in r.basis.items()],
        }
        for name, r in found.items()
    }
    write_whole(path, lambda p: p.write_text(json.dumps(plain, ensure_ascii=False), encoding="utf-8"))
