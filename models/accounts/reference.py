"""The two public data sets the weights are fitted on, as pairs with the truth.

`childcare_sites`: 3,337 records of 1,162 sites; names, addresses and telephone numbers as nine bodies wrote
them. `company_names`: 5,229 companies, each under the name of an exchange and that of a register. Both are
read from a folder given by the caller; nothing of them is kept here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.accounts.blocking import Positions, candidates
from models.accounts.compare import Comparison, Floats
from models.accounts.fitting import Examples, examples, fit_weights, join
from models.accounts.records import Records, read_records
from models.accounts.scoring import Weights

SITES, COMPANIES = "childcare_sites/sites.csv", "company_names/name_pairs_ground_truth.csv"
# (fields hidden, weight): lists often lack a telephone number or an address.
VIEWS: tuple[tuple[tuple[str, ...], float], ...] = (((), 1.0), (("phone",), 0.3), (("address",), 0.3))
COMPANY_WEIGHT, TYPO_WEIGHT, TYPO_SEED = 0.3, 0.05, 1
_SECURITY = re.compile(
    r"\s+(?:Class|Common|Ordinary|American|Depositary|Units?|Warrants?|Subordinate|New|Series|Preferred|Rights?"
    r"|Shares?|\d).*$"
)


@dataclass(frozen=True)
class Sites:
    """Candidate pairs of the sites, under each view of the fields.

    Attributes:
        truth: (records,) true site.
        a: First positions.
        b: Second positions.
        same: 1 when the pair is one site.
        views: Signs of the pairs for each of VIEWS, the full one first.
        frame: The records as a frame.
    """

    truth: NDArray[np.object_]
    a: Positions
    b: Positions
    same: Floats
    views: tuple[Floats, ...]
    frame: Any

    @property
    def true_pairs(self) -> int:
        """All pairs that are one site, whether candidates or not."""
        counts = np.unique(self.truth.astype(str), return_counts=True)[1]
        return int((counts * (counts - 1) // 2).sum())

    def examples(self, rows: NDArray[np.bool_]) -> Examples:
        """Pairs of a mask, under every view."""
        weights = (np.full(int(rows.sum()), weight) for _, weight in VIEWS)
        parts = (Examples(v[rows], self.same[rows], w) for v, w in zip(self.views, weights, strict=True))
        return join(*parts)


def read_sites(datasets: Path) -> Sites:
    """Read the sites; the post code is left aside, since the true id is made of it."""
    import pandas as pd

    raw = pd.read_csv(datasets / SITES, dtype=str, keep_default_na=False)
    names = {"Id": "id", "Site name": "name", "Address": "address", "Phone": "phone"}
    frame = raw.rename(columns=names)[list(names.values())]
    full = read_records(frame)
    truth = dict(zip(raw["Id"], raw["True Id"], strict=True))
    true = np.array([truth[i] for i in full.ids], dtype=object)
    a, b = candidates(full, full)
    read = (full if not hidden else read_records(frame.drop(columns=list(hidden))) for hidden, _ in VIEWS)
    views = tuple(Comparison(r, r).signs(a, b) for r in read)
    return Sites(true, a, b, (true[a] == true[b]).astype(float), views, frame)


def company_examples(datasets: Path) -> Examples:
    """Names of exchange and register, the kind of security cut off; again with a typing error each."""
    import pandas as pd

    raw = pd.read_csv(datasets / COMPANIES, dtype=str, keep_default_na=False)
    listed = [_SECURITY.sub("", name) for name in raw["listing_name"]]
    rng = np.random.default_rng(TYPO_SEED)
    mistyped = [_with_typo(name, rng) for name in listed]
    truth = {s: s for s in raw["symbol"]}
    registered = _named(raw["symbol"], raw["sec_name"])
    return join(
        examples(_named(raw["symbol"], listed), registered, truth, weight=COMPANY_WEIGHT),
        examples(_named(raw["symbol"], mistyped), registered, truth, weight=TYPO_WEIGHT),
    )


def _named(ids: Sequence[str], names: Sequence[str]) -> Records:
    import pandas as pd

    return read_records(pd.DataFrame({"id": list(ids), "name": list(names)}))


def _with_typo(name: str, rng: np.random.Generator) -> str:
    """One letter of one longer word dropped, swapped with the next, or replaced."""
    parts = name.split()
    long = [i for i, word in enumerate(parts) if len(word) >= 5]
    if not long:
        return name
    i = long[int(rng.integers(len(long)))]
    word, k = parts[i], int(rng.integers(1, len(parts[i]) - 1))
    letter = chr(ord("a") + int(rng.integers(26)))
    changed = (word[k + 1 :], word[k + 1] + word[k] + word[k + 2 :], letter + word[k + 1 :])
    parts[i] = word[:k] + changed[int(rng.integers(3))]
    return " ".join(parts)


def out_of_fold(sites: Sites, companies: Examples, *, folds: int, seed: int) -> list[Floats]:
    """Probability of every candidate pair under each view, from a fit that saw neither of its two sites.

    True sites are dealt into folds. A pair across folds f and g is scored by a fit without both.
    """
    names = np.unique(sites.truth.astype(str))
    dealt = dict(zip(names, np.random.default_rng(seed).integers(0, folds, names.size), strict=True))
    fold = np.array([dealt[t] for t in sites.truth])
    x, y = fold[sites.a], fold[sites.b]
    scored = [np.full(x.size, np.nan) for _ in VIEWS]
    for f in range(folds):
        for g in range(f, folds):
            tested = ((x == f) & (y == g)) | ((x == g) & (y == f))
            seen = ~np.isin(x, (f, g)) & ~np.isin(y, (f, g))
            weights = Weights(*fit_weights(join(companies, sites.examples(seen))), merge=0.5, provenance={})
            for probability, view in zip(scored, sites.views, strict=True):
                probability[tested] = weights.probability(view[tested])
    return scored


def pairwise(same: Floats, probability: Floats, true_pairs: int, *, threshold: float) -> dict[str, float]:
    """Precision, recall and F1 over pairs at a threshold; missed candidates count as missed."""
    kept = probability >= threshold
    hits = float(same[kept].sum())
    precision, recall = hits / max(int(kept.sum()), 1), hits / true_pairs
    both = precision + recall
    return {"precision": precision, "recall": recall, "f1": 2 * precision * recall / both if both else 0.0}
