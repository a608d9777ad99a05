"""How a partner compares with its peers, so that nobody learns another partner's figure.

Peer groups are a fixed tree (all, by type, by type and size, by type, size and region): nobody chooses
filters, so nobody can subtract two of them. Everything published depends on figures only through coarse
bands, so that n − 1 members who put their own figures together learn the band of the last one, never more.
On top: a group needs enough members, and of money none with more than a quarter of it; where one part of a
group is withheld, the rest must not give it away; and a group is published anew only when nothing, or enough
members, changed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["money", "count", "share", "score"]
Group = tuple[str, ...]
TREE = ("type", "size", "region")
"""Traits in the order in which groups become smaller."""
LEAST, LEAST_MONEY = 5, 10
LARGEST_SHARE = 0.25
RATIO = 1.25
STEPS = {"share": 0.05, "score": 0.5}
QUARTERS = (0.25, 0.5, 0.75)
ROUND_PERCENTILE, ROUND_COUNT = 10, 5


@dataclass(frozen=True)
class Rules:
    """What a group must satisfy.

    Attributes:
        least: Least members, and least members that changed.
        largest_share: Greatest share of one member in the sum; None: not looked at.
    """

    least: int
    largest_share: float | None = None


def rules_for(kind: Kind) -> Rules:
    """At least 5 members; of money at least 10, none with more than a quarter."""
    return Rules(LEAST_MONEY, LARGEST_SHARE) if kind == "money" else Rules(LEAST)


def band(value: float, kind: Kind) -> int:
    """Number of the band a figure lies in; figures of a band cannot be told apart in what is published."""
    if kind in STEPS:
        return math.floor(value / STEPS[kind] + 1e-9)
    if value < (1 if kind == "money" else 2):
        return -1 if value < 0 else 0
    if kind == "money":
        # Powers lie on the edge of two bands: what lies there belongs to the upper one.
        return 1 + math.floor(math.log(value) / math.log(RATIO) + 1e-9)
    number, edge = 0, 0
    while value >= (following := _next_edge(edge)):
        number, edge = number + 1, following
    return number


def edges(number: int, kind: Kind) -> tuple[float, float]:
    """The figures from which and below which a band lies."""
    if kind in STEPS:
        return number * STEPS[kind], (number + 1) * STEPS[kind]
    if number < 0:
        return -math.inf, 0.0
    if kind == "money":
        return (0.0, 1.0) if number == 0 else (RATIO ** (number - 1), RATIO**number)
    low = 0
    for _ in range(number):
        low = _next_edge(low)
    return float(low), float(_next_edge(low))


def _next_edge(edge: int) -> int:
    """Bands of counts hold at least two numbers, and grow by half."""
    return max(edge + 2, math.ceil(edge * 1.5))


@dataclass(frozen=True)
class Peer:
    """One partner's figure.

    Attributes:
        partner_id: Its id.
        value: The figure.
        traits: Its value of each trait of the tree.
    """

    partner_id: str
    value: float
    traits: Mapping[str, str]


@dataclass(frozen=True)
class Published:
    """What everybody may know of a group.

    Attributes:
        group: Values of the first traits of the tree; () is everybody.
        members: Number of members, rounded down to a multiple of 5.
        quarters: Lower edge of the band at the first quarter, the median and the third quarter.
    """

    group: Group
    members: int
    quarters: tuple[float, float, float]


@dataclass(frozen=True)
class Release:
    """One publication of one metric.

    Attributes:
        kind: Of the metric.
        published: What everybody may know, by group.
        basis: Private: bands of the members behind each group that was ever worked out. It is kept for the
            next release and never leaves the service.
    """

    kind: Kind
    published: Mapping[Group, Published] = field(default_factory=dict)
    basis: Mapping[Group, Mapping[str, int]] = field(default_factory=dict)


def release(peers: Iterable[Peer], kind: Kind, *, before: Release | None = None) -> Release:
    """Publish a metric.

    Args:
        peers: Partners with a figure.
        kind: What the figure is.
        before: The release before; a group that changed too little keeps what was published then.
    """
    rules, everyone = rules_for(kind), sorted(peers, key=lambda p: p.partner_id)
    groups = _groups(everyone)
    shown = {g for g, members in groups.items() if _safe(members, rules)}
    shown = _complemented(groups, shown, rules)
    bands = {g: {p.partner_id: band(p.value, kind) for p in members} for g, members in groups.items()}
    held = _held(groups, bands, shown, before, rules)
    published, basis = {}, {}
    for g in groups:
        if g in held and before is not None:
            basis[g] = before.basis[g]
            if g in before.published:
                published[g] = before.published[g]
        else:
            basis[g] = bands[g]
            if g in shown:
                published[g] = _published(g, bands[g], kind)
    return Release(kind, published, basis)


def group_of(traits: Mapping[str, str], found: Release) -> Group | None:
    """The smallest published group a partner belongs to; None when none is."""
    path = tuple(traits.get(t, "") for t in TREE)
    for depth in range(len(TREE), -1, -1):
        if path[:depth] in found.published:
            return path[:depth]
    return None


def percentile(partner_id: str, group: Group, found: Release) -> int | None:
    """Share of the other members below a partner, in per cent, rounded to tens; equals count one half.

    The partner's own figure is that of the release, too: who could move its figure and ask again would find
    the bands of all others by halving. None where it was no member then.
    """
    bands = found.basis[group]
    own = bands.get(partner_id)
    if own is None:
        return None
    others = [b for p, b in bands.items() if p != partner_id]
    below = sum(b < own for b in others) + 0.5 * sum(b == own for b in others)
    return round(100 * below / max(len(others), 1) / ROUND_PERCENTILE) * ROUND_PERCENTILE


def _groups(peers: Iterable[Peer]) -> dict[Group, list[Peer]]:
    found: dict[Group, list[Peer]] = {(): []}
    for peer in peers:
        path = tuple(peer.traits.get(t, "") for t in TREE)
        for depth in range(len(TREE) + 1):
            found.setdefault(path[:depth], []).append(peer)
    return dict(sorted(found.items(), key=lambda item: (len(item[0]), item[0])))


def _safe(members: Iterable[Peer], rules: Rules) -> bool:
    """Enough members, and none that is too much of the whole."""
    found = list(members)
    if len(found) < rules.least:
        return False
    if rules.largest_share is None:
        return True
    # By the bands' outer and inner edges: whether a group is published must not tell of a figure either.
    ends = [edges(band(abs(p.value), "money"), "money") for p in found]
    return max(high for _, high in ends) <= rules.largest_share * sum(low for low, _ in ends)


def _children(groups: Mapping[Group, object], parent: Group) -> list[Group]:
    return [g for g in groups if len(g) == len(parent) + 1 and g[: len(parent)] == parent]


def _complemented(groups: Mapping[Group, list[Peer]], shown: set[Group], rules: Rules) -> set[Group]:
    """Withhold more, until what is withheld beside a published whole is itself a safe group.

    A part of a withheld group is withheld too. From the top down, since withholding a part makes its own
    parts withheld.
    """
    kept = set(shown)
    for parent in groups:
        parts = _children(groups, parent)
        if parent not in kept:
            kept -= set(parts)
            continue
        hidden = [g for g in parts if g not in kept]
        there = sorted((g for g in parts if g in kept), key=lambda g: (len(groups[g]), g))
        while hidden and there and not _safe([p for g in hidden for p in groups[g]], rules):
            hidden.append(there.pop(0))
        kept -= set(hidden)
    return kept


def _held(
    groups: Mapping[Group, list[Peer]],
    bands: Mapping[Group, Mapping[str, int]],
    shown: set[Group],
    before: Release | None,
    rules: Rules,
) -> set[Group]:
    """Groups that keep the last release: too few members came, went or moved to another band.

    A published group in which nobody did keeps it, too: it would vanish when a part beside it became too
    small or too uneven to be shown, and tell of a member of that part.

    From the bottom up: a whole is held, too, when the changes in its held or withheld parts are too few, as
    the whole less its other parts would tell of them.
    """
    if before is None:
        return set()
    held: set[Group] = set()
    for g in reversed(list(groups)):
        if g not in before.basis:
            continue
        dark = [c for c in _children(groups, g) if c in held or c not in shown]
        own = _changed(before.basis[g], bands[g])
        changes = [own]
        hidden = set().union(*(_changed(before.basis.get(c, {}), bands[c]) for c in dark)) if dark else set()
        changes.append(hidden)
        same = not own and g in before.published
        if same or any(0 < len(c) < rules.least for c in changes):
            held.add(g)
    return held


def _changed(old: Mapping[str, int], new: Mapping[str, int]) -> set[str]:
    return {p for p in {*old, *new} if old.get(p) != new.get(p)}


def _published(group: Group, bands: Mapping[str, int], kind: Kind) -> Published:
    ordered = sorted(bands.values())
    lows = [edges(ordered[math.ceil(q * len(ordered)) - 1], kind)[0] for q in QUARTERS]
    first, middle, third = (round(low, 2) for low in lows)
    return Published(group, len(ordered) // ROUND_COUNT * ROUND_COUNT, (first, middle, third))
