"""Draws belong to an entity: order, chunks and company do not matter."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.simulate.streams import choice, expand, normal, poisson, uniform

ROWS = np.arange(20_000)


@settings(max_examples=30, deadline=None)
@given(st.permutations(list(range(30))), st.integers(0, 2**31))
def test_a_draw_depends_on_its_indices_only(order, seed):
    order = np.array(order)
    whole = uniform(seed, "x", np.arange(30)[:, None], np.arange(4)[None, :])
    assert np.array_equal(uniform(seed, "x", order[:, None], np.arange(4)[None, :]), whole[order])
    assert uniform(seed, "x", 7, 2)[0] == whole[7, 2]


def test_streams_seeds_and_index_order_are_unrelated():
    base = uniform(1, "a", ROWS, 3)
    for other in (uniform(2, "a", ROWS, 3), uniform(1, "b", ROWS, 3), uniform(1, "a", 3, ROWS)):
        assert abs(np.corrcoef(base, other)[0, 1]) < 0.03


def test_neighbours_are_unrelated_and_uniform():
    draws = uniform(1, "a", ROWS)
    assert abs(np.corrcoef(draws[1:], draws[:-1])[0, 1]) < 0.03
    counts = np.bincount((draws * 20).astype(int), minlength=20)
    assert ((counts - 1000) ** 2 / 1000).sum() < 50
    assert 0 < draws.min() < draws.max() < 1


def test_normals_have_mean_zero_and_deviation_one():
    draws = normal(1, "n", ROWS)
    assert draws.mean() == pytest.approx(0, abs=0.03)
    assert draws.std() == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("mean", [0.0, 0.05, 1.7, 40.0])
def test_poisson_counts_have_their_mean_and_variance(mean):
    counts = poisson(mean, 1, "p", ROWS)
    assert counts.mean() == pytest.approx(mean, abs=0.06 * max(mean, 1) ** 0.5)
    assert counts.var() == pytest.approx(mean, rel=0.06, abs=0.005)


def test_poisson_counts_of_one_cell_do_not_depend_on_the_others():
    means = np.array([[0.1, 5.0], [80.0, 0.0]])
    together = poisson(means, 1, "p", np.arange(2)[:, None], np.arange(2)[None, :])
    alone = [[poisson(means[i, [j]], 1, "p", i, [j])[0] for j in range(2)] for i in range(2)]
    assert together.tolist() == alone


def test_choices_follow_their_weights():
    shares = np.bincount(choice((5, 3, 2), 1, "c", ROWS)) / ROWS.size
    assert shares == pytest.approx([0.5, 0.3, 0.2], abs=0.015)


def test_expand_repeats_rows_and_numbers_them():
    rows, nth = expand(np.array([2, 0, 3]))
    assert rows.tolist() == [0, 0, 2, 2, 2]
    assert nth.tolist() == [0, 1, 0, 1, 2]
