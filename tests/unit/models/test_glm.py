"""Penalised fits, calibration and weights: against independent solvers and known truths."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from models.blend import fit_weights
from models.calibration import Affine, complementary, fit_cloglog, fit_platt, logistic
from models.glm import Family, Likelihood, fit_glm, losses


def sample(family: Family, *, count: int = 400, seed: int = 0) -> tuple[Any, Likelihood]:
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(count, 4))
    row = rng.integers(0, count, 2 * count)
    level = rng.integers(0, 3, 2 * count)
    offset = rng.normal(0, 0.3, 2 * count)
    eta = offset - 1 + 0.3 * level + (matrix @ [0.8, -0.5, 0.0, 0.3])[row]
    mean = logistic(eta) if family == "binomial" else np.minimum(np.exp(eta), 1)
    return matrix, Likelihood(family, (rng.random(2 * count) < mean).astype(float), offset, row, level)


@pytest.mark.parametrize("family", ["binomial", "poisson"])
@pytest.mark.parametrize("sign", [0, [0, 1, 0, -1]])
def test_fit_reaches_the_optimum_of_a_general_solver(family: Family, sign: Any) -> None:
    matrix, data = sample(family)

    def objective(point: Any) -> float:
        eta = data.offset + point[:3][data.level] + (matrix @ point[3:])[data.row]
        return float(losses(family, data.y, eta).sum() + 0.5 * 2.0 * (point[3:] ** 2).sum())

    bounds = [(None, None)] * 3 + [
        {0: (None, None), 1: (0, None), -1: (None, 0)}[s] for s in np.broadcast_to(sign, 4)
    ]
    options = {"ftol": 1e-15, "gtol": 1e-9, "maxiter": 5000, "maxfun": 100000}
    peer = minimize(objective, np.zeros(7), method="L-BFGS-B", bounds=bounds, options=options)
    fit = fit_glm(matrix, data, penalty=2.0, sign=sign)
    ours = objective(np.concatenate([fit.intercepts, fit.coefficients]))
    assert ours <= peer.fun + 1e-7
    np.testing.assert_allclose(np.concatenate([fit.intercepts, fit.coefficients]), peer.x, atol=1e-3)


def test_fit_recovers_from_a_bad_start() -> None:
    # A large offset error once stopped a quasi-Newton solver hundreds of nats short.
    matrix, data = sample("poisson")
    far = Likelihood("poisson", data.y, data.offset + 12.0, data.row, data.level)
    near, moved = fit_glm(matrix, data, penalty=1.0), fit_glm(matrix, far, penalty=1.0)
    np.testing.assert_allclose(moved.coefficients, near.coefficients, atol=1e-6)
    np.testing.assert_allclose(moved.intercepts, near.intercepts - 12.0, atol=1e-6)


def test_signed_coefficient_keeps_its_least_size() -> None:
    matrix, data = sample("binomial")
    fit = fit_glm(matrix, data, penalty=1.0, sign=[-1, 1, 0, 0], least=0.02)
    assert fit.coefficients[0] == -0.02
    assert fit.coefficients[1] == 0.02


def test_strong_penalty_draws_to_the_centre() -> None:
    matrix, data = sample("binomial")
    fit = fit_glm(matrix, data, penalty=1e9, centre=0.7)
    np.testing.assert_allclose(fit.coefficients, 0.7, atol=1e-5)


@pytest.mark.parametrize("y", [0.0, 1.0])
def test_one_class_gives_finite_answers(y: float) -> None:
    matrix, data = sample("binomial", count=30)
    fit = fit_glm(
        matrix, Likelihood("binomial", np.full(60, y), data.offset, data.row, data.level), penalty=1.0
    )
    assert np.isfinite([*fit.intercepts, *fit.coefficients]).all()


def test_platt_finds_the_slope_and_shift_of_overconfident_log_odds() -> None:
    rng = np.random.default_rng(1)
    true = rng.normal(-1, 1.2, 20_000)
    found = fit_platt(2.0 * true + 1.0, (rng.random(20_000) < logistic(true)).astype(float))
    assert found.b == pytest.approx(0.5, abs=0.03)
    assert found.a == pytest.approx(-0.5, abs=0.06)


def test_cloglog_turns_g_and_leaves_the_constants_of_horizons() -> None:
    rng = np.random.default_rng(2)
    g = np.tile(rng.normal(-3, 0.8, 8_000), 2)
    constant = np.repeat([0.0, np.log(6)], 8_000)
    y = (rng.random(16_000) < complementary(g + constant)).astype(float)
    found = fit_cloglog(g / 0.5 + 2.0, y, constant=constant)
    assert found.b == pytest.approx(0.5, abs=0.04)
    assert found.a == pytest.approx(-1.0, abs=0.1)


@pytest.mark.parametrize("fit", [fit_platt, fit_cloglog])
def test_calibration_without_rows_is_the_identity_and_with_few_stays_near(fit: Any) -> None:
    assert fit(np.zeros(0), np.zeros(0)) == Affine()
    few = fit(np.array([-1.0, 0.5, -2.0]), np.array([0.0, 1.0, 0.0]))
    assert 0.3 < few.b < 3


@given(st.lists(st.tuples(st.floats(-8, 4), st.booleans()), min_size=1, max_size=30))
@settings(max_examples=40, deadline=None)
def test_calibration_never_turns_the_order_round(rows: list[tuple[float, bool]]) -> None:
    eta, y = np.array([r[0] for r in rows]), np.array([float(r[1]) for r in rows])
    for fit in (fit_platt, fit_cloglog):
        found = fit(eta, y)
        assert found.b > 0
        assert np.isfinite([found.a, found.b]).all()


def test_weight_counts_like_repetition() -> None:
    eta, y = np.array([-1.0, 0.0, 1.0, 2.0]), np.array([0.0, 1.0, 0.0, 1.0])
    weighted = fit_platt(eta, y, weight=np.array([3.0, 1.0, 1.0, 1.0]))
    repeated = fit_platt(np.array([-1.0, -1.0, *eta]), np.array([0.0, 0.0, *y]))
    assert weighted.a == pytest.approx(repeated.a, abs=1e-5)
    assert weighted.b == pytest.approx(repeated.b, abs=1e-5)


def test_part_that_knows_earns_its_weight_and_noise_earns_none() -> None:
    rng = np.random.default_rng(3)
    signal, noise = rng.normal(size=3000), rng.normal(size=3000)
    y = (rng.random(3000) < logistic(-1 + signal)).astype(float)
    weights = fit_weights("binomial", y, offset=np.full(3000, -1.0), parts=np.column_stack([signal, noise]))
    assert weights[0] > 0.85
    assert weights[1] < 0.05


def test_noise_earns_next_to_nothing_with_few_rows() -> None:
    earned = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        noise = rng.normal(size=40)
        y = (rng.random(40) < 0.3).astype(float)
        earned.append(fit_weights("binomial", y, offset=np.full(40, -0.85), parts=noise[:, None])[0])
    assert np.mean(earned) < 0.1
    assert np.median(earned) == 0


def test_two_parts_saying_the_same_share_the_weight() -> None:
    rng = np.random.default_rng(4)
    signal = rng.normal(size=3000)
    y = (rng.random(3000) < logistic(signal)).astype(float)
    parts = np.column_stack([signal, signal + rng.normal(0, 0.01, 3000)])
    weights = fit_weights("binomial", y, offset=np.zeros(3000), parts=parts)
    assert weights.sum() == pytest.approx(1.0, abs=0.12)
