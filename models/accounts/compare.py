"""How alike two companies are, as numbers: one row of signs per pair, the same for (a, b) and (b, a)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.accounts.blocking import Positions
from models.accounts.names import name_numbers
from models.accounts.ngrams import letter_groups, split_words, weighted_rows
from models.accounts.records import Records, Texts

Floats = NDArray[np.float64]
UNLIKE = 0.25
SIGNS = (
    "name_same",
    "name_letters",
    "name_rare_words",
    "name_contained",
    "name_numbers_differ",
    "name_unlike",
    "name_is_domain",
    "domain_same",
    "domain_differs",
    "label_same",
    "house_same",
    "house_differs",
    "street_alike",
    "phone_same",
    "phone_near",
    "phone_differs",
    "city_same",
    "city_differs",
    "country_differs",
    "address_unknown",
    "contact_unknown",
)


@dataclass(frozen=True)
class Comparison:
    """Two lists whose word weights are counted once, however many pairs are asked for.

    Attributes:
        left: Records of the first positions.
        right: Records of the second positions; the same object compares a list with itself.
    """

    left: Records
    right: Records

    @cached_property
    def words(self) -> tuple[Any, Any]:
        """Weighted words of the core names."""
        return _rows([(side.core, split_words) for side in self._sides()])

    @cached_property
    def letters(self) -> tuple[Any, Any]:
        """Weighted letter groups of the core names without spaces."""
        return _rows([(side.squeezed, letter_groups) for side in self._sides()])

    def _sides(self) -> list[Records]:
        return [self.left] if self.left is self.right else [self.left, self.right]

    def signs(self, first: Positions, second: Positions) -> Floats:
        """Signs of pairs of positions.

        Args:
            first: (n,) positions in `left`.
            second: (n,) positions in `right`.

        Returns:
            (n, len(SIGNS)) numbers from 0 to 1; a sign whose part is unknown on either side is 0.
        """
        if not first.size:
            return np.empty((0, len(SIGNS)))
        columns = _name_signs(self, first, second) | _contact_signs(self.left, self.right, first, second)
        columns |= _place_signs(self.left, self.right, first, second)
        return np.column_stack([columns[s] for s in SIGNS])


def _name_signs(given: Comparison, a: Positions, b: Positions) -> dict[str, Floats]:
    left, right = given.left, given.right
    contained, rare = _overlap(*given.words, a, b)
    same = (left.squeezed[a] == right.squeezed[b]) & (left.squeezed[a] != "")
    numbers = [_other_numbers(x, y) for x, y in zip(left.core[a], right.core[b], strict=True)]
    named = ((left.squeezed[a] == right.label[b]) & (right.label[b] != "")) | (
        (right.squeezed[b] == left.label[a]) & (left.label[a] != "")
    )
    within, alike = _overlap(*given.letters, a, b)
    unlike = _both(left.squeezed, right.squeezed, a, b) & (within < UNLIKE) & (contained < UNLIKE)
    return {
        "name_same": same.astype(float),
        "name_letters": alike,
        "name_unlike": unlike.astype(float),
        "name_rare_words": rare,
        "name_contained": contained,
        "name_numbers_differ": np.array(numbers, dtype=float),
        "name_is_domain": named.astype(float),
    }


def _other_numbers(first: str, second: str) -> bool:
    x, y = name_numbers(first), name_numbers(second)
    return bool(x) and bool(y) and x != y


def _contact_signs(left: Records, right: Records, a: Positions, b: Positions) -> dict[str, Floats]:
    domains = _both(left.domain, right.domain, a, b)
    same = domains & (left.domain[a] == right.domain[b])
    label = domains & ~same & (left.label[a] == right.label[b])
    phones = _both(left.phone, right.phone, a, b)
    pairs = zip(left.phone[a], right.phone[b], strict=True)
    ends = np.array([x.endswith(y) or y.endswith(x) for x, y in pairs], dtype=bool)
    agree = phones & ends
    near = phones & ~agree & _near_phones(left.phone_end[a], right.phone_end[b])
    return {
        "domain_same": same.astype(float),
        "label_same": label.astype(float),
        "domain_differs": (domains & ~same & ~label).astype(float),
        "phone_same": agree.astype(float),
        "phone_near": near.astype(float),
        "phone_differs": (phones & ~agree & ~near).astype(float),
        "contact_unknown": (~(phones | domains)).astype(float),
    }


def _near_phones(first: Texts, second: Texts) -> NDArray[np.bool_]:
    """Numbers of one switchboard: alike but for the last four digits."""
    return np.array([x[:-4] == y[:-4] for x, y in zip(first, second, strict=True)], dtype=bool)


def _place_signs(left: Records, right: Records, a: Positions, b: Positions) -> dict[str, Floats]:
    from rapidfuzz import fuzz

    houses = _both(left.house, right.house, a, b)
    same = houses & (left.house[a] == right.house[b])
    streets = _both(left.street, right.street, a, b)
    alike = np.where(streets, _scored(left.street[a], right.street[b], fuzz.token_set_ratio), 0.0)
    cities = _both(left.city, right.city, a, b)
    town = np.where(cities, _scored(left.city[a], right.city[b], fuzz.token_set_ratio), 0.0) >= 0.85
    countries = _both(left.country, right.country, a, b)
    return {
        "house_same": same.astype(float),
        "house_differs": (houses & ~same).astype(float),
        "street_alike": alike,
        "address_unknown": (~houses).astype(float),
        "city_same": (cities & town).astype(float),
        "city_differs": (cities & ~town).astype(float),
        "country_differs": (countries & (left.country[a] != right.country[b])).astype(float),
    }


def _both(left: Texts, right: Texts, a: Positions, b: Positions) -> NDArray[np.bool_]:
    return (left[a] != "") & (right[b] != "")


def _scored(first: Texts, second: Texts, scorer: Any) -> Floats:
    from rapidfuzz.process import cpdist

    if not first.size:
        return np.empty(0)
    # rapidfuzz promises symmetry for these scorers only up to the order of equal words: ask both ways round.
    there = cpdist(list(first), list(second), scorer=scorer, workers=1, dtype=np.float64)
    back = cpdist(list(second), list(first), scorer=scorer, workers=1, dtype=np.float64)
    return np.maximum(there, back) / 100.0


def _rows(sides: list[tuple[Texts, Any]]) -> tuple[Any, Any]:
    matrices = weighted_rows([[split(text) for text in texts] for texts, split in sides])
    return matrices[0], matrices[-1]


def _overlap(first: Any, second: Any, a: Positions, b: Positions) -> tuple[Floats, Floats]:
    """(share of the poorer side's weight, cosine) of the terms that two rows have in common."""
    squared = [np.asarray(m.multiply(m).sum(axis=1)).ravel() for m in (first, second)]
    shared = np.asarray(first[a].multiply(second[b]).sum(axis=1)).ravel()
    x, y = squared[0][a], squared[1][b]
    least, middle = np.minimum(x, y), np.sqrt(x * y)
    zero = np.zeros_like(shared)
    return (
        np.divide(shared, least, out=zero.copy(), where=least > 0),
        np.divide(shared, middle, out=zero.copy(), where=middle > 0),
    )
