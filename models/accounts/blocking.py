"""Which pairs are worth comparing: a number of candidates per record, not all against all.

A pair is a candidate when the names are near neighbours (letter groups weighted by rarity), or when squeezed
name, web domain, telephone number, or house number with a word of the street are the same. A key shared by
more records than `MOST_SHARED` (a switchboard, a business park) is no key: other keys must bring such records
together. So the work grows with the number of records, not with its square.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.accounts.ngrams import letter_groups, weighted_rows
from models.accounts.records import Records

NEIGHBOURS = 10
LEAST_SIMILARITY = 0.25
MOST_SHARED = 50
MOST_ROWS_PER_GROUP = 2_000
_CHUNK = 512
_COLUMN_BITS, _DISTANCE_BITS = 24, 30
_ROW_AT, _MOST_HELD = _COLUMN_BITS + _DISTANCE_BITS, 1 << _COLUMN_BITS
Positions = NDArray[np.int64]


def candidates(left: Records, right: Records, *, neighbours: int = NEIGHBOURS) -> tuple[Positions, Positions]:
    """Positions (left, right) of the pairs to compare, sorted, each once.

    When `left is right` the pairs are those of one list: left position < right position.

    Args:
        left: Records looked for.
        right: Records looked in.
        neighbours: Nearest names per record, from both sides.
    """
    same = left is right
    codes = np.fromiter(_shared_keys(left, right), dtype=np.int64)
    codes = np.concatenate([codes, _near_names(left, right, neighbours)])
    first, second = np.divmod(np.unique(codes), max(len(right), 1))
    if same:
        first, second = np.minimum(first, second), np.maximum(first, second)
        codes = np.unique(first[first != second] * len(right) + second[first != second])
        first, second = np.divmod(codes, max(len(right), 1))
    return first, second


def _keys(records: Records) -> Iterator[tuple[int, str]]:
    parts = zip(
        records.squeezed, records.domain, records.label, records.phone_end, records.house, records.street,
        records.city,
        strict=True,
    )  # fmt: skip
    for position, (name, domain, label, phone, house, street, city) in enumerate(parts):
        # A name may be written like the domain of the other record, so both share one key.
        yield from ((position, f"n:{key}") for key in {name, label} if key)
        yield from ((position, f"{kind}:{key}") for kind, key in (("d", domain), ("p", phone)) if key)
        if name and city:
            yield position, f"c:{name}:{city}"
        if house:
            yield from ((position, f"a:{house}:{word}") for word in set(street.split()) if len(word) > 1)


def _shared_keys(left: Records, right: Records) -> Iterator[int]:
    holders: dict[str, list[int]] = defaultdict(list)
    for position, key in _keys(right):
        holders[key].append(position)
    seekers: dict[str, list[int]] = defaultdict(list)
    for position, key in _keys(left):
        seekers[key].append(position)
    for key, seeking in seekers.items():
        held = holders.get(key, ())
        if len(held) <= MOST_SHARED and len(seeking) <= MOST_SHARED:
            yield from (a * len(right) + b for a in seeking for b in held)


def _near_names(left: Records, right: Records, neighbours: int) -> Positions:
    if not len(left) or not len(right):
        return np.empty(0, dtype=np.int64)
    groups = [[letter_groups(core) for core in side.core] for side in (left, right)]
    lefts, rights = (_unit_rows(m) for m in weighted_rows(groups, most_rows=MOST_ROWS_PER_GROUP))
    forward = [a * len(right) + b for a, b in _nearest(lefts, rights, neighbours)]
    if left is right:
        return np.concatenate(forward) if forward else np.empty(0, dtype=np.int64)
    backward = [a * len(right) + b for b, a in _nearest(rights, lefts, neighbours)]
    return np.concatenate([*forward, *backward]) if forward or backward else np.empty(0, dtype=np.int64)


def _unit_rows(matrix: Any) -> Any:
    from scipy.sparse import diags

    lengths = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    return (diags(np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0)) @ matrix).tocsr()


def _nearest(seekers: Any, held: Any, neighbours: int) -> Iterable[tuple[Any, Any]]:
    """(seeker, held) positions of the nearest rows; equal similarities go by position, which is id order."""
    turned = held.T.tocsr()
    for start in range(0, seekers.shape[0], _CHUNK):
        block = (seekers[start : start + _CHUNK] @ turned).tocsr()
        row = np.repeat(np.arange(block.shape[0]), np.diff(block.indptr))
        near = block.data >= LEAST_SIMILARITY
        keys = _sortable(row[near], block.data[near], block.indices[near])
        keys.sort()
        row, column = keys >> _ROW_AT, keys & (_MOST_HELD - 1)
        rank = np.arange(row.size) - np.searchsorted(row, row)
        # One more than asked for: in one list every record is its own nearest.
        taken = rank <= neighbours
        yield row[taken] + start, column[taken]


def _sortable(row: Any, similarity: Any, column: Any) -> Any:
    """One integer for (row, falling similarity to nine digits, column): sorts faster than three keys."""
    distance = 10**9 - np.clip(np.rint(similarity * 1e9), 0, 10**9).astype(np.int64)
    return (row.astype(np.int64) << _ROW_AT) | (distance << _COLUMN_BITS) | column.astype(np.int64)
