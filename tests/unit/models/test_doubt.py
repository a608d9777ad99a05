"""The doubt of a calibrator."""

from __future__ import annotations

import numpy as np
import pytest

from models.calibration import LINKS, Affine, fit_cloglog, fit_platt
from models.doubt import CERTAIN, doubt_of

LINK_FITS = {"log_odds": fit_platt, "log_cumulative_hazard": fit_cloglog}


def drawn(link: str, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    eta = rng.normal(-1.0, 1.0, n)
    return eta, (rng.random(n) < LINKS[link](0.3 + 0.8 * eta)).astype(float)


@pytest.mark.parametrize("link", LINK_FITS)
def test_doubt_is_the_spread_of_maps_fitted_on_other_draws(link: str) -> None:
    at = np.array([-3.0, -1.0, 1.0])
    maps, doubts = [], []
    for seed in range(60):
        eta, y = drawn(link, 400, seed)
        found = LINK_FITS[link](eta, y)
        maps.append(found(at))
        doubts.append(doubt_of(eta, y, np.arange(400), affine=found, link=link).variance(at))
    np.testing.assert_allclose(np.mean(doubts, axis=0), np.var(maps, axis=0, ddof=1), rtol=0.5)


def test_repeating_the_rows_of_an_entity_teaches_nothing() -> None:
    eta, y = drawn("log_odds", 300, 1)
    once = doubt_of(eta, y, np.arange(300), affine=fit_platt(eta, y), link="log_odds")
    many, outcomes = np.tile(eta, 6), np.tile(y, 6)
    again = doubt_of(
        many, outcomes, np.tile(np.arange(300), 6), affine=fit_platt(many, outcomes), link="log_odds"
    )
    np.testing.assert_allclose(again.variance(eta), once.variance(eta), rtol=0.1)


def test_doubt_grows_away_from_what_was_seen_and_shrinks_with_evidence() -> None:
    few, many = (
        doubt_of(eta, y, np.arange(n), affine=fit_platt(eta, y), link="log_odds")
        for n in (200, 5000)
        for eta, y in [drawn("log_odds", n, 2)]
    )
    assert few.variance(3.0) > few.variance(few.centre)
    assert many.variance(0.0) < few.variance(0.0) / 5


def test_with_one_entity_only_the_prior_is_known() -> None:
    found = doubt_of([0.0, 1.0], [0.0, 1.0], [0, 0], affine=Affine(), link="log_odds")
    assert found.variance(0.0) == pytest.approx(4.0)
    assert CERTAIN.variance(np.array([1.0, 2.0])).tolist() == [0.0, 0.0]
