"""scikit-learn is the oracle; what cannot be known is NaN."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    cohen_kappa_score,
    f1_score,
    log_loss,
    roc_auc_score,
)

from evaluation.metrics import BINARY_METRICS, Judged, Ranking, auc, draw_metrics, measure
from evaluation.ordered import JudgedBands, measure_ordered
from evaluation.resampling import Resampler, estimate


def judged(n=400, *, seed=0, ties=False, entities=None, slope=1.0):
    rng = np.random.default_rng(seed)
    eta = rng.normal(-1, 1.2, n)
    p = 1 / (1 + np.exp(-eta))
    y = (rng.random(n) < p).astype(float)
    shown = 1 / (1 + np.exp(-eta / slope))
    entity = np.arange(n) if entities is None else rng.integers(0, entities, n)
    entity = np.unique(entity, return_inverse=True)[1]
    return Judged(y, np.round(shown, 1) * 0.9 + 0.05 if ties else shown, entity, np.zeros(n, dtype=np.int64))


@pytest.mark.parametrize("ties", [False, True])
def test_ranks_and_losses_equal_scikit_learn(ties):
    j = judged(ties=ties)
    m = measure(j, replicates=20)
    assert m["auc"].value == pytest.approx(roc_auc_score(j.y, j.p), abs=1e-12)
    assert m["average_precision"].value == pytest.approx(average_precision_score(j.y, j.p), abs=1e-12)
    assert m["log_loss"].value == pytest.approx(log_loss(j.y, j.p), abs=1e-12)
    assert m["brier"].value == pytest.approx(brier_score_loss(j.y, j.p), abs=1e-12)


def test_weighted_replicates_equal_scikit_learn_with_sample_weights():
    j = judged(ties=True, entities=60)
    r = Resampler(j.entity, 3, 7)
    weights = np.concatenate(list(r.chunks()))
    draws = draw_metrics(j, r)
    for k in range(4):
        assert draws["auc"][k] == pytest.approx(roc_auc_score(j.y, j.p, sample_weight=weights[k]))
        expected = average_precision_score(j.y, j.p, sample_weight=weights[k])
        assert draws["average_precision"][k] == pytest.approx(expected)


def test_calibration_slope_equals_an_unpenalised_logistic_regression():
    j = judged(n=450, slope=0.5)
    eta = np.log(j.p / (1 - j.p))[:, None]
    oracle = LogisticRegression(C=1e10, tol=1e-10, max_iter=2000).fit(eta, j.y).coef_[0, 0]
    assert measure(j, replicates=5)["calibration_slope"].value == pytest.approx(oracle, abs=1e-3)


def test_calibration_slope_in_groups_stays_close_to_the_exact_one():
    j = judged(n=5000, slope=0.5)
    eta = np.log(j.p / (1 - j.p))[:, None]
    oracle = LogisticRegression(C=1e10, tol=1e-10, max_iter=2000).fit(eta, j.y).coef_[0, 0]
    assert measure(j, replicates=2)["calibration_slope"].value == pytest.approx(oracle, rel=0.01)


def test_top_of_the_list_counts_ties_at_random():
    y = np.array([1.0] * 10 + [0.0] * 90)
    flat = Judged(y, np.full(100, 0.1), np.arange(100), np.zeros(100, dtype=np.int64))
    m = measure(flat, replicates=2)
    assert m["precision_at_50"].value == pytest.approx(0.1)
    assert m["lift_at_10pct"].value == pytest.approx(1.0)
    best = Judged(y, y, np.arange(100), np.zeros(100, dtype=np.int64))
    assert measure(best, replicates=2)["precision_at_50"].value == pytest.approx(0.2)
    assert measure(best, replicates=2)["lift_at_10pct"].value == pytest.approx(10.0)


def test_ranks_are_compared_within_an_origin_only():
    y = np.array([0, 1, 0, 1.0])
    p = np.array([0.1, 0.2, 0.8, 0.9])
    both = Judged(y, p, np.arange(4), np.array([0, 0, 1, 1]))
    assert measure(both, replicates=1)["auc"].value == 1.0
    assert roc_auc_score(y, p) < 1.0


@pytest.mark.parametrize("y", [np.zeros(30), np.ones(30)])
def test_one_class_has_no_auc_and_no_slope(y):
    m = measure(Judged(y, np.linspace(0.1, 0.9, 30), np.arange(30), np.zeros(30, dtype=np.int64)))
    assert np.isnan(m["auc"].value)
    assert np.isnan(m["calibration_slope"].value)
    assert not m["auc"].finite


def test_fewer_than_fifty_rows_have_no_precision_at_fifty():
    assert np.isnan(measure(judged(n=49), replicates=5)["precision_at_50"].value)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_prediction_that_is_not_finite_spoils_every_metric(bad):
    j = judged(n=60)
    p = j.p.copy()
    p[3] = bad
    m = measure(Judged(j.y, p, j.entity, j.origin), replicates=3)
    assert set(m) == set(BINARY_METRICS)
    assert all(np.isnan(e.value) and np.isnan(e.low) for e in m.values())


def test_no_rows_give_no_numbers():
    empty = np.zeros(0)
    codes = np.zeros(0, dtype=np.int64)
    assert all(np.isnan(e.value) for e in measure(Judged(empty, empty, codes, codes)).values())


def test_an_interval_needs_enough_draws_that_could_be_judged():
    e = estimate(np.array([0.7, 0.6, np.nan, np.nan]))
    assert e.value == 0.7
    assert np.isnan(e.low)


def test_the_interval_widens_when_rows_belong_to_few_partners():
    rng = np.random.default_rng(1)
    eta = np.repeat(rng.normal(0, 2, 40), 25)
    y = np.repeat((rng.random(40) < 1 / (1 + np.exp(-eta[::25]))).astype(float), 25)
    p = 1 / (1 + np.exp(-eta))
    origin = np.zeros(1000, dtype=np.int64)
    by_row = measure(Judged(y, p, np.arange(1000), origin))["auc"]
    by_partner = measure(Judged(y, p, np.repeat(np.arange(40), 25), origin))["auc"]
    assert by_partner.high - by_partner.low > 2 * (by_row.high - by_row.low)


def test_the_same_seed_draws_the_same_partners():
    j = judged(entities=50)
    assert measure(j, replicates=30, seed=3) == measure(j, replicates=30, seed=3)
    assert measure(j, replicates=30, seed=3) != measure(j, replicates=30, seed=4)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=40))
@settings(max_examples=50, deadline=None)
def test_reversing_the_scores_mirrors_auc(rows):
    y = np.array([float(a) for a, _ in rows])
    p = np.array([float(b) for _, b in rows])
    ones = np.ones((1, y.size))
    forward, backward = auc(Ranking.of(y, p, ones))[0], auc(Ranking.of(y, -p, ones))[0]
    assert np.isnan(forward) == (y.min() == y.max())
    assert np.isnan(forward) or forward + backward == pytest.approx(1.0)


def test_ordered_metrics_equal_scikit_learn():
    rng = np.random.default_rng(2)
    y = rng.integers(0, 4, 300)
    predicted = np.clip(y + rng.integers(-1, 2, 300), 0, 3)
    m = measure_ordered(JudgedBands(y, predicted, np.arange(300), 4), replicates=10)
    kappa = cohen_kappa_score(y, predicted, weights="quadratic")
    assert m["quadratic_weighted_kappa"].value == pytest.approx(kappa)
    assert m["macro_f1"].value == pytest.approx(f1_score(y, predicted, average="macro"))
    assert m["mean_absolute_error"].value == pytest.approx(np.abs(y - predicted).mean())


def test_a_row_without_a_predicted_class_spoils_ordered_metrics():
    j = JudgedBands(np.array([0, 1]), np.array([0, -1]), np.arange(2), 2)
    assert all(np.isnan(e.value) for e in measure_ordered(j, replicates=2).values())


def test_equal_classes_everywhere_have_no_kappa():
    j = JudgedBands(np.zeros(5, dtype=np.int64), np.zeros(5, dtype=np.int64), np.arange(5), 3)
    assert np.isnan(measure_ordered(j, replicates=2)["quadratic_weighted_kappa"].value)
