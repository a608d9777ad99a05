"""From pairs to groups, without runaway chains.

Joining whatever is connected lets one weak pair merge two companies, and many weak pairs merge a whole list.
Here a group is split unless the *average* pair of its two halves is above the threshold (average linkage), so
A~B and B~C make one group only when A and C are not plainly different.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from models.accounts.blocking import Positions
from models.accounts.compare import Floats

LARGEST = 400
STRICTER = 0.5
Score = Callable[[Positions, Positions], Floats]


def group(
    size: int, first: Positions, second: Positions, probability: Floats, *, threshold: float, score: Score
) -> list[list[int]]:
    """Groups of two or more positions, each sorted, sorted by first member.

    Args:
        size: Number of records.
        first: Positions of the scored pairs.
        second: Positions of the scored pairs.
        probability: Probability of each pair.
        threshold: Least average probability between the halves of a group.
        score: Probability of any pairs of positions; asked once, for all pairs within connected parts.
    """
    connected = _components(size, first, second, probability >= threshold)
    parts = [p for members in connected for p in _bounded(members, first, second, probability, threshold)]
    inner, starts = _inner_pairs(parts)
    distance = 1.0 - score(*inner)
    groups = []
    for part, start, end in zip(parts, starts[:-1], starts[1:], strict=True):
        groups += _split(part, distance[start:end], threshold)
    return sorted(groups)


def _inner_pairs(groups: list[Positions]) -> tuple[tuple[Positions, Positions], list[int]]:
    """All pairs within each group, one after the other, and where each group starts; the last is the end."""
    first, second, starts = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [0]
    for members in groups:
        i, j = np.triu_indices(members.size, 1)
        first.append(members[i])
        second.append(members[j])
        starts.append(starts[-1] + i.size)
    return (np.concatenate(first), np.concatenate(second)), starts


def _components(size: int, a: Positions, b: Positions, kept: NDArray[np.bool_]) -> list[Positions]:
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    edges = coo_matrix((np.ones(int(kept.sum())), (a[kept], b[kept])), shape=(size, size))
    labels = connected_components(edges, directed=False)[1]
    order = np.argsort(labels, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)
    return [p for p in parts if p.size > 1]


def _bounded(members: Positions, a: Positions, b: Positions, p: Floats, threshold: float) -> list[Positions]:
    """A part too large to compare in full is cut at ever higher probabilities; what dissolves is single."""
    if members.size <= LARGEST:
        return [members]
    inside = np.isin(a, members) & np.isin(b, members)
    local = np.searchsorted(members, a[inside]), np.searchsorted(members, b[inside])
    higher = 1 - (1 - threshold) * STRICTER
    if higher > 1 - 1e-9:
        return [members[start : start + LARGEST] for start in range(0, members.size, LARGEST)]
    parts = _components(int(members.size), *local, p[inside] >= higher)
    return [s for part in parts for s in _bounded(members[part], a, b, p, higher)]


def _split(members: Positions, distance: Floats, threshold: float) -> list[list[int]]:
    from scipy.cluster.hierarchy import fcluster, linkage

    labels = fcluster(linkage(distance, method="average"), 1.0 - threshold, criterion="distance")
    parts = (np.sort(members[labels == label]).tolist() for label in np.unique(labels))
    return [part for part in parts if len(part) > 1]
