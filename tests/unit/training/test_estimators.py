"""What a fit promises: the same bytes, no future, ordered horizons, the scorecard where data is thin."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from data.errors import NotEnoughEvidenceError
from models.bundle import load_bundle, save_bundle
from models.scorecard import Criterion, Scorecard
from tests.unit.training.worlds import dated, hazard, ordered, undated
from training.estimators import fit, fit_unlabelled, usable_scorecard
from training.params import Params
from training.splits import final_split, rolling_origin

QUICK = Params(rounds=40)
CARD = Scorecard(criteria=(Criterion(feature="x0", weight=100, low=3, high=-3),))


@pytest.fixture(scope="module")
def hazards():
    data = hazard()
    return data, fit(data, rolling_origin(data)[0], params=QUICK, spread=False)


def test_risks_at_longer_horizons_are_never_lower(hazards):
    data, bundle = hazards
    scores = bundle.score(bundle.encode(data.rows(np.arange(data.size))))
    first, second, third = (scores.probability[h] for h in (30, 90, 180))
    assert (first <= second).all()
    assert (second <= third).all()


def test_hazards_are_calibrated_at_every_horizon(hazards):
    data, bundle = hazards
    split = rolling_origin(data)[0]
    scores = bundle.score(bundle.encode(data.rows(split.refit)))
    for h in (30, 90, 180):
        y = data.labels(h)[split.refit]
        known = ~np.isnan(y)
        assert scores.probability[h][known].mean() == pytest.approx(y[known].mean(), rel=0.25)


def test_reasons_add_up_to_the_score(hazards):
    data, bundle = hazards
    matrix = bundle.encode(data.rows(np.arange(50)))
    total = bundle.baseline(90) + bundle.explain(matrix).contributions.sum(axis=1)
    assert np.abs(total - bundle.eta(matrix, horizon=90)).max() < 1e-9


def test_a_monotone_feature_never_lowers_the_risk(hazards):
    _, bundle = hazards
    grid = pd.DataFrame({"x0": np.linspace(-3, 3, 60), "x1": 0.3, "x2": -0.2})
    assert (np.diff(bundle.eta(bundle.encode(grid), horizon=90)) >= -1e-12).all()


def test_the_same_data_and_seed_give_the_same_bytes(tmp_path):
    data = dated(partners=80)
    for name in ("a", "b"):
        save_bundle(fit(data, final_split(data), params=QUICK, seed=3), tmp_path / name)
    files = sorted(p.name for p in (tmp_path / "a").iterdir())
    assert "manifest.json" in files
    assert all((tmp_path / "a" / f).read_bytes() == (tmp_path / "b" / f).read_bytes() for f in files)


def test_a_saved_model_predicts_as_the_fitted_one(tmp_path):
    data = dated(partners=80)
    bundle = fit(data, final_split(data), params=QUICK)
    save_bundle(bundle, tmp_path / "m")
    matrix = bundle.encode(data.rows(np.arange(20)))
    loaded = load_bundle(tmp_path / "m")
    assert np.array_equal(loaded.score(matrix).probability[90], bundle.score(matrix).probability[90])


def test_what_is_known_after_the_test_date_changes_nothing():
    data = dated(partners=80)
    split = rolling_origin(data)[0]
    late = data.outcomes["known_at"] > split.refit_known_by
    flipped = data.outcomes.assign(y=np.where(late, 1 - data.outcomes["y"], data.outcomes["y"]))
    assert late.any()
    matrix = None
    etas = []
    for d in (data, replace(data, outcomes=flipped)):
        bundle = fit(d, split, params=QUICK, spread=False)
        matrix = bundle.encode(data.rows(split.test))
        etas.append(bundle.eta(matrix, horizon=90))
    assert np.array_equal(*etas)


def test_signal_is_found_and_noise_is_not():
    found = {}
    for strength in (1.5, 0.0):
        data = dated(partners=150, strength=strength)
        found[strength] = fit(data, rolling_origin(data)[0], params=QUICK, spread=False)
    assert found[1.5].kind == "boosted"
    assert found[0.0].trained["linear_weight"] + found[0.0].trained["boosted_weight"] < 0.4


def test_a_handful_of_entities_gets_the_scorecard_alone():
    data = replace(dated(partners=8, strength=1.0), scorecard=CARD)
    assert fit(data, final_split(data), params=QUICK, spread=False).kind == "scorecard"


def test_the_scorecard_alone_can_be_asked_for_and_keeps_its_order():
    data = replace(dated(partners=60), scorecard=CARD)
    bundle = fit(data, rolling_origin(data)[0], spread=False, scorecard_only=True)
    grid = pd.DataFrame({"x0": [-2.0, 0.0, 2.0], "x1": 0.0, "x2": 0.0})
    assert bundle.kind == "scorecard"
    assert (np.diff(bundle.eta(bundle.encode(grid), horizon=90)) > 0).all()


def test_a_scorecard_whose_columns_are_mostly_absent_is_no_prior():
    criteria = (
        Criterion(feature="x0", weight=30, low=0, high=1),
        Criterion(feature="gone", weight=70, low=0, high=1),
    )
    data = replace(dated(), scorecard=Scorecard(criteria=criteria))
    assert usable_scorecard(data, least_share=0.5) is None
    assert usable_scorecard(data) is not None


def test_ordered_classes_are_predicted_in_order():
    data = ordered()
    bundle = fit(data, rolling_origin(data)[0], params=QUICK, spread=False)
    matrix = bundle.encode(data.rows(np.arange(data.size)))
    above = np.stack([bundle.eta(matrix, horizon=k) for k in (1, 2)])
    assert (above[0] >= above[1]).all()
    predicted = (above >= 0).sum(axis=0)
    y = data.labels()
    known = ~np.isnan(y)
    assert np.corrcoef(predicted[known], y[known])[0, 1] > 0.5


def test_one_class_is_refused_in_words():
    data = dated()
    same = replace(data, outcomes=data.outcomes.assign(y=0.0))
    with pytest.raises(NotEnoughEvidenceError, match="one class only: the outcome happened to no row"):
        fit(same, final_split(same))


def test_no_known_outcome_is_refused_in_words_and_the_scorecard_remains():
    data = replace(dated(), scorecard=CARD)
    blank = replace(data, outcomes=data.outcomes.iloc[:0])
    with pytest.raises(NotEnoughEvidenceError, match="No outcome is known"):
        final_split(blank)
    bundle = fit_unlabelled(blank)
    assert not bundle.labelled
    assert np.isnan(bundle.score(bundle.encode(blank.rows(np.arange(3)))).probability[90]).all()


def test_undated_rows_are_cross_fitted_and_calibrated():
    data = undated(n=900, entities=300)
    bundle = fit(data, final_split(data), params=QUICK, spread=False)
    p = bundle.score(bundle.encode(data.rows(np.arange(data.size)))).probability[0]
    assert p.mean() == pytest.approx(data.labels().mean(), abs=0.02)


def test_the_interval_holds_the_true_probability_about_four_times_in_five():
    data = undated(n=1500, entities=1500, strength=1.0)
    bundle = fit(data, final_split(data), params=QUICK)
    x = np.random.default_rng(9).normal(size=(400, 3))
    scores = bundle.score(bundle.encode(pd.DataFrame(x, columns=["x0", "x1", "x2"])))
    true = 1 / (1 + np.exp(1 - x[:, 0]))
    inside = (scores.low[0] <= true) & (true <= scores.high[0])
    assert 0.5 < inside.mean() <= 1.0
