"""Which figures of a partner are compared with its peers', and where it stands in what was last published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from models.benchmarks import Group, Kind, Published, Release, group_of, percentile
from models.tiering.points import number

NOT_PUBLISHED = "not_published"
NOT_KNOWN = "value_not_known"
TOO_FEW = "too_few_peers"
SINCE = "joined_since"
WITHHELD: Mapping[str, str] = {
    NOT_PUBLISHED: "Nothing has been published yet; the nightly run does.",
    NOT_KNOWN: "The partner's own figure is not known.",
    TOO_FEW: (
        "Withheld: fewer than 5 partners (10 for money) would be compared, one of them is more than a "
        "quarter of the whole, or the rest would give one away."
    ),
    SINCE: "The partner joined its group after the last release; the next one includes it.",
}


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
        group: Peers compared with, from the widest trait to the narrowest; () is everybody; None: withheld.
        peers: Their number, rounded down to a multiple of 5.
        percentile: Share of them below at the last release, rounded to tens.
        quarters: Lower edges of their bands at the quarters.
        withheld: Code of `WITHHELD`; '' where something is shown.
    """

    metric: Metric
    value: float | None
    group: Group | None = None
    peers: int = 0
    percentile: int | None = None
    quarters: tuple[float, float, float] | None = None
    withheld: str = ""


def places_of(
    partner_id: str,
    row: Mapping[str, object],
    traits: Mapping[str, str],
    found: Mapping[str, Release],
) -> list[Place]:
    """A partner among its peers, metric by metric.

    Args:
        partner_id: Whose.
        row: Its features now.
        traits: Its region, size and type.
        found: The last release of each metric.
    """
    return [_place(m, partner_id, number(row.get(m.feature)), traits, found.get(m.feature)) for m in METRICS]


def _place(
    metric: Metric, partner_id: str, value: float | None, traits: Mapping[str, str], found: Release | None
) -> Place:
    if found is None:
        return Place(metric, value, withheld=NOT_PUBLISHED)
    if value is None:
        return Place(metric, value, withheld=NOT_KNOWN)
    group = group_of(traits, found)
    if group is None:
        return Place(metric, value, withheld=TOO_FEW)
    rank = percentile(partner_id, group, found)
    if rank is None:
        return Place(metric, value, withheld=SINCE)
    shown = found.published[group]
    return Place(metric, value, group, shown.members, rank, shown.quarters)


def releases_json(found: Mapping[str, Release]) -> dict[str, Any]:
    """Releases as plain values, their private basis included: for the file, never for an answer."""
    return {
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


def read_releases(kept: Mapping[str, Any]) -> dict[str, Release]:
    """Inverse of `releases_json`; KeyError, TypeError or ValueError on another shape."""
    return {name: _release(value) for name, value in kept.items()}


def _release(value: Any) -> Release:
    published = {}
    for entry in value["published"]:
        first, middle, third = entry["quarters"]
        group: Group = tuple(entry["group"])
        published[group] = Published(group, entry["members"], (first, middle, third))
    basis = {tuple(entry["group"]): entry["bands"] for entry in value["basis"]}
    return Release(value["kind"], published, basis)
