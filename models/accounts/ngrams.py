"""Weights of words and letter groups: what is rare in the records at hand tells most."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from models.accounts.vocabulary import word_set

GENERIC_SHARE = 0.02
LEAST_TOTAL = 1000
LETTERS = 3


def letter_groups(text: str) -> tuple[str, ...]:
    """Groups of three letters within words, word ends marked."""
    return tuple(
        padded[i : i + LETTERS]
        for word in text.split()
        for padded in (f" {word} ",)
        for i in range(max(len(padded) - LETTERS + 1, 1))
    )


def split_words(text: str) -> tuple[str, ...]:
    """Distinct words, sorted."""
    return tuple(sorted(set(text.split())))


def weighted_rows(texts: Sequence[Sequence[Iterable[str]]], *, most_rows: int | None = None) -> list[Any]:
    """Sparse rows of inverse-document-frequency weights over one shared, sorted vocabulary.

    Args:
        texts: One or more collections of rows of terms; frequencies are counted over all of them together.
        most_rows: Terms found in more rows are left out: they cost much and tell little. None keeps all.

    Returns:
        One CSR matrix (rows × terms) per collection, not normalised; repeated terms count once.
    """
    from scipy.sparse import csr_matrix

    rows = [[sorted(set(terms)) for terms in collection] for collection in texts]
    counts = Counter(term for collection in rows for terms in collection for term in terms)
    total = sum(len(collection) for collection in rows)
    kept = sorted(t for t, n in counts.items() if most_rows is None or n <= most_rows)
    code = {term: position for position, term in enumerate(kept)}
    weight = _weights(kept, counts, total)
    matrices = []
    for collection in rows:
        found = [[code[t] for t in terms if t in code] for terms in collection]
        ends = np.cumsum([0, *(len(f) for f in found)])
        columns = np.fromiter((c for f in found for c in f), dtype=np.int64, count=int(ends[-1]))
        matrices.append(csr_matrix((weight[columns], columns, ends), shape=(len(collection), len(kept))))
    return matrices


def _weights(terms: Sequence[str], counts: Counter[str], total: int) -> Any:
    """1 - ln(share of rows with the term).

    A list of fewer than a thousand rows counts as a thousand: in five rows no frequency is known. Words that
    every trade uses ("Group") count as found in 2 % of rows at least.
    """
    shares = np.array([(1 + counts[t]) / (1 + max(total, LEAST_TOTAL)) for t in terms], dtype=np.float64)
    floor = np.array([GENERIC_SHARE if t in word_set("generic") else 0.0 for t in terms])
    return 1.0 - np.log(np.maximum(shares, floor))
