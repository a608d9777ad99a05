"""Batches are optimal and within capacity; prices are those of scarce capacity only."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.routing.optimum import NOBODY, assign, bid_prices

gains = st.lists(
    st.lists(st.sampled_from([0.1, 0.2, 0.5, 0.9]), min_size=3, max_size=3), min_size=1, max_size=4
)


def batch(gain: Any, eligible: Any, capacity: Any, *, leads: Any = None, partners: Any = None) -> Any:
    rows, columns = gain.shape
    return assign(
        gain, eligible, capacity, lead_ids=leads or [f"L{i}" for i in range(rows)],
        partner_ids=partners or [f"P{j}" for j in range(columns)], seed=7,
    )  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(gains, st.lists(st.integers(0, 2), min_size=3, max_size=3), st.integers(0, 2**12 - 1))
def test_a_batch_is_as_good_as_the_best_of_all_ways_and_within_capacity(
    rows: Any, capacity: Any, bits: int
) -> None:
    gain = np.array(rows)
    eligible = np.array([(bits >> k) & 1 for k in range(gain.size)], dtype=bool).reshape(gain.shape)
    found = batch(gain, eligible, capacity)

    def worth(way: Any) -> float:
        used = [(i, j) for i, j in enumerate(way) if j != NOBODY]
        allowed = all(eligible[i, j] for i, j in used)
        within = all(sum(j == k for _, j in used) <= capacity[k] for k in range(3))
        return sum(gain[i, j] for i, j in used) if allowed and within else -1.0

    best = max(worth(way) for way in product([NOBODY, 0, 1, 2], repeat=len(gain)))
    assert worth(found) == pytest.approx(best, abs=1e-4)


def test_equal_leads_spread_over_equal_partners_in_any_order() -> None:
    gain, eligible = np.full((30, 7), 0.4), np.ones((30, 7), dtype=bool)
    leads, partners = [f"L{i}" for i in range(30)], [f"P{j}" for j in range(7)]
    found = batch(gain, eligible, [10] * 7, leads=leads, partners=partners)
    count = np.bincount(found, minlength=7)
    assert count.max() - count.min() <= 1
    turned = batch(gain, eligible, [10] * 7, leads=leads[::-1], partners=partners[::-1])
    assert {leads[::-1][i]: partners[::-1][j] for i, j in enumerate(turned)} == {
        leads[i]: partners[j] for i, j in enumerate(found)
    }


def test_ample_capacity_costs_nothing_and_a_scarce_specialist_costs_its_advantage() -> None:
    gain, eligible = np.array([[0.9, 0.3]] * 4), np.ones((4, 2), dtype=bool)
    assert bid_prices(gain, eligible, [4, 4]).tolist() == [0.0, 0.0]
    assert bid_prices(gain, eligible, [2, 4]) == pytest.approx([0.6, 0.0])


@settings(deadline=None, max_examples=30)
@given(gains, st.lists(st.integers(0, 2), min_size=3, max_size=3))
def test_prices_support_the_optimum(rows: Any, capacity: Any) -> None:
    gain, eligible = np.array(rows), np.ones((len(rows), 3), dtype=bool)
    prices = bid_prices(gain, eligible, capacity)
    bound = np.maximum((gain - prices).max(axis=1), 0).sum() + (prices * capacity).sum()
    found = batch(gain, eligible, capacity)
    reached = sum(gain[i, j] for i, j in enumerate(found) if j != NOBODY)
    assert (prices >= 0).all()
    assert bound == pytest.approx(reached, abs=1e-3)
