"""Peer benchmarks of a workspace: worked out with the reviews, kept so that releases cannot be subtracted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date

from models.benchmarks import Peer, Release, release
from models.tiering.peers import METRICS, Metric, Place, places_of, read_releases, releases_json
from models.tiering.points import number
from models.tiering.simulate import Member
from partnerintel.outputs import write_whole
from partnerintel.settings import Project

NOTE = "benchmarks.json"


def refresh_benchmarks(project: Project, members: Sequence[Member], *, as_of: date) -> dict[str, Release]:
    """Publish every metric anew where the rules let it, and keep the releases."""
    path = project.workspace.root / NOTE
    kept = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"releases": {}}
    before = read_releases(kept.get("releases", {}))
    found = {m.feature: release(peers_of(m, members), m.kind, before=before.get(m.feature)) for m in METRICS}
    text = json.dumps({"as_of": str(as_of), "releases": releases_json(found)}, ensure_ascii=False)
    write_whole(path, lambda p: p.write_text(text, encoding="utf-8"))
    return found


def places_of_member(member: Member, found: dict[str, Release]) -> list[Place]:
    """A partner among its peers, metric by metric."""
    return places_of(member.partner_id, member.reviews[-1][0], member.traits, found)


def peers_of(metric: Metric, members: Sequence[Member]) -> list[Peer]:
    """Partners whose figure is known, with it."""
    pairs = [(m, number(m.reviews[-1][0].get(metric.feature))) for m in members]
    return [Peer(m.partner_id, v, m.traits) for m, v in pairs if v is not None]
