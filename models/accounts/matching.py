"""Pairs, best matches and duplicates among company records, each with its probability and evidence."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from models.accounts.blocking import NEIGHBOURS, Positions, candidates
from models.accounts.compare import Comparison, Floats
from models.accounts.evidence import explain_pair
from models.accounts.grouping import group
from models.accounts.records import read_records
from models.accounts.scoring import Weights, load_weights

LEAST = 0.1
PAIRS_AT_ONCE = 100_000


@dataclass(frozen=True)
class Match:
    """Two records and how likely they are one company.

    Attributes:
        left_id: Id of the record looked for.
        right_id: Id of the record found.
        probability: That both are one company, 0 to 1.
        evidence: Plain sentences, for first, against last.
    """

    left_id: str
    right_id: str
    probability: float
    evidence: tuple[str, ...]


@dataclass(frozen=True)
class Group:
    """Records that are one company.

    Attributes:
        ids: Two or more ids, sorted.
        probability: Mean over all pairs of the group.
        matches: For each member its strongest link inside the group, each link once.
    """

    ids: tuple[str, ...]
    probability: float
    matches: tuple[Match, ...]


@dataclass(frozen=True)
class _Scored:
    given: Comparison
    a: Positions
    b: Positions
    signs: Floats
    probability: Floats

    def match(self, row: int) -> Match:
        i, j = int(self.a[row]), int(self.b[row])
        left, right = self.given.left, self.given.right
        told = explain_pair(self.signs[row], left, i, right, j)
        return Match(str(left.ids[i]), str(right.ids[j]), float(self.probability[row]), told)


def pairs(
    left: Any,
    right: Any,
    *,
    least: float = LEAST,
    neighbours: int = NEIGHBOURS,
    weights: Weights | None = None,
) -> tuple[Match, ...]:
    """Likely pairs of two lists, most likely first, ties by id.

    Args:
        left: Frame of companies; see `read_records` for its columns.
        right: Frame of companies.
        least: Pairs below this probability are left out.
        neighbours: Nearest names looked at per record.
        weights: Another model; None takes the stored one.

    Raises:
        InputError: A frame lacks id or name, or an id is not unique.
    """
    scored = _two_lists(left, right, neighbours, weights)
    rows = np.flatnonzero(scored.probability >= least)
    order = np.lexsort((scored.b[rows], scored.a[rows], -scored.probability[rows]))
    return tuple(scored.match(int(r)) for r in rows[order])


def best_match(
    left: Any, right: Any, *, least: float = 0.0, neighbours: int = NEIGHBOURS, weights: Weights | None = None
) -> dict[str, Match]:
    """Most likely right record of each left record, ties by id; left records without candidate are absent.

    Args:
        left: Frame of companies looked for.
        right: Frame of companies looked in.
        least: A best match below this probability is left out.
        neighbours: Nearest names looked at per record.
        weights: Another model; None takes the stored one.

    Raises:
        InputError: A frame lacks id or name, or an id is not unique.
    """
    used = weights or load_weights()
    given = Comparison(read_records(left, role="left records"), read_records(right, role="right records"))
    a, b = candidates(given.left, given.right, neighbours=neighbours)
    probability = _probability(given, a, b, used)
    order = np.lexsort((b, -probability, a))
    firsts = order[np.unique(a[order], return_index=True)[1]]
    firsts = firsts[probability[firsts] >= least]
    scored = _scored(given, a[firsts], b[firsts], used)
    return {m.left_id: m for m in (scored.match(row) for row in range(firsts.size))}


def duplicates(
    records: Any,
    *,
    threshold: float | None = None,
    neighbours: int = NEIGHBOURS,
    weights: Weights | None = None,
) -> tuple[Group, ...]:
    """Groups of records that are one company, sorted by first id; the order of rows does not matter.

    Args:
        records: Frame of companies.
        threshold: Least average probability between any two halves of a group; None takes the stored one,
            at which precision was measured.
        neighbours: Nearest names looked at per record.
        weights: Another model; None takes the stored one.

    Raises:
        InputError: The frame lacks id or name, or an id is not unique.
    """
    used = weights or load_weights()
    read = read_records(records)
    given = Comparison(read, read)

    def score(a: Positions, b: Positions) -> Floats:
        return _probability(given, a, b, used)

    cut = used.merge if threshold is None else threshold
    # Exact copies are compared once, or a thousand of them would crowd out every other neighbour.
    copies = read.copies()
    kept = np.setdiff1d(np.arange(len(read)), [c for others in copies.values() for c in others])
    distinct = read.take(kept)
    a, b = (kept[side] for side in candidates(distinct, distinct, neighbours=neighbours))
    found = group(len(read), a, b, score(a, b), threshold=cut, score=score)
    grouped = {m for members in found for m in members}
    lone = np.array([c for c in copies if c not in grouped], dtype=np.int64)
    found += [[m] for m, p in zip(lone.tolist(), score(lone, lone), strict=True) if p >= cut]
    return _groups(given, found, copies, used)


def _two_lists(left: Any, right: Any, neighbours: int, weights: Weights | None) -> _Scored:
    given = Comparison(read_records(left, role="left records"), read_records(right, role="right records"))
    found = candidates(given.left, given.right, neighbours=neighbours)
    return _scored(given, *found, weights or load_weights())


def _probability(given: Comparison, a: Positions, b: Positions, weights: Weights) -> Floats:
    """Block by block: the signs of millions of pairs at once would fill gigabytes."""
    blocks = [slice(start, start + PAIRS_AT_ONCE) for start in range(0, a.size, PAIRS_AT_ONCE)]
    parts = [weights.probability(given.signs(a[block], b[block])) for block in blocks]
    return np.concatenate(parts) if parts else np.empty(0)


def _scored(given: Comparison, a: Positions, b: Positions, weights: Weights) -> _Scored:
    signs = given.signs(a, b)
    return _Scored(given, a, b, signs, weights.probability(signs))


def _groups(
    given: Comparison, found: list[list[int]], copies: dict[int, list[int]], weights: Weights
) -> tuple[Group, ...]:
    """Groups with their links: among distinct records, and from each of them to its exact copies."""
    first, second, ends = [], [], [0]
    for members in found:
        linked = [(x, y) for n, x in enumerate(members) for y in members[n + 1 :]]
        linked += [(m, c) for m in members for c in copies.get(m, ())]
        first += [x for x, _ in linked]
        second += [y for _, y in linked]
        ends.append(len(first))
    scored = _scored(given, np.array(first, dtype=np.int64), np.array(second, dtype=np.int64), weights)
    groups = (_group(scored, range(s, e)) for s, e in pairwise(ends))
    return tuple(sorted(groups, key=lambda g: g.ids))


def _group(scored: _Scored, rows: range) -> Group:
    """The group made of those rows of pairs; of each member the strongest link is told."""
    told: dict[int, int] = {}
    for row in sorted(rows, key=lambda r: (-scored.probability[r], r)):
        for member in (int(scored.a[row]), int(scored.b[row])):
            told.setdefault(member, row)
    ids = scored.given.left.ids
    return Group(
        tuple(str(ids[m]) for m in sorted(told)),
        float(scored.probability[rows.start : rows.stop].mean()),
        tuple(scored.match(row) for row in sorted(set(told.values()))),
    )
