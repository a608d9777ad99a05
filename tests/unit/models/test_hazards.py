"""Hazard models: separable time, no crossing, signs kept, groups apart."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import BundleError, ConfigError
from models.assembly import constants_of
from models.boosting import BoostParams, fit_trees, interaction_groups
from models.bundle import Bundle
from models.churn import SPEC
from models.design import Design, bootstrap_rows, grouped_folds
from models.encoding import Encoder
from models.fitting import fit_terms
from models.hazards import horizon_constants, interval_effects
from models.health import component_contributions
from models.scorecard import Scorecard
from models.terms import BoostTerm
from tests.unit.models.conftest import CARD, CHOICES, LENGTHS, PARAMS, make_frame, stacked, true_log_hazard

SIGNED = [f for f in SPEC.features if f.monotone and f.name in make_frame(2, seed=0).columns]


def test_interval_moves_every_row_alike() -> None:
    frame = make_frame(400, seed=3)
    encoder = Encoder.fit(frame, SPEC.restricted_to(frame.columns))
    design = stacked(frame, encoder.encode(frame), seed=4)
    quiet = replace(design, y=np.where(design.interval == 1, 0.0, design.y))  # nobody leaves in the second
    trees = fit_trees(quiet, encoder, PARAMS, offset=quiet.log_exposure - 2.5, seed=7)
    boosted = BoostTerm(trees, 1.0, True)
    filled = encoder.filled(design.matrix)
    effects = np.array([boosted.raw(filled, interval=k) - boosted.raw(filled, interval=0) for k in range(3)])
    assert np.ptp(effects, axis=1).max() <= 1e-9
    assert effects[1, 0] < -0.5
    np.testing.assert_allclose(interval_effects(boosted, filled, 3), effects[:, 0])


def test_trees_that_mix_time_with_features_are_refused() -> None:
    import lightgbm as lgb

    rng = np.random.default_rng(0)
    inputs = np.column_stack([rng.normal(size=2000), rng.integers(0, 3, 2000)])
    y = (inputs[:, 0] * (inputs[:, 1] - 1) > 0).astype(float)
    booster = lgb.train({"verbosity": -1, "num_threads": 1}, lgb.Dataset(inputs, y), num_boost_round=5)
    with pytest.raises(BundleError, match="mix the interval"):
        interval_effects(BoostTerm(booster, 1.0, True), inputs[:50, :1], 3)


def test_risks_at_longer_horizons_are_never_lower(bundle: Bundle) -> None:
    scores = bundle.score(bundle.encode(make_frame(500, seed=8)))
    assert (scores.probability[30] < scores.probability[90]).all()
    assert (scores.probability[90] < scores.probability[180]).all()
    assert (scores.low[30] <= scores.low[90]).all()
    assert (scores.high[90] <= scores.high[180]).all()


def test_constants_add_up_interval_by_interval() -> None:
    found = horizon_constants([0.0, np.log(2.0), 0.0], lengths_days=LENGTHS, horizons_days=(30, 90, 180))
    assert np.exp(list(found.values())) == pytest.approx([1.0, 5.0, 8.0])


def test_constant_hazard_gives_risk_in_proportion_to_time() -> None:
    frame = make_frame(4000, seed=21)
    encoder = Encoder.fit(frame, SPEC.restricted_to(["employee_count"]))
    rng = np.random.default_rng(1)
    at = rng.exponential(30 / 0.05, len(frame))
    parts = []
    for k, (start, length) in enumerate(zip((0, 30, 90), LENGTHS, strict=True)):
        row = np.flatnonzero(at >= start)
        event = at[row] < start + length
        parts.append((row, event, np.full(len(row), k), np.where(event, length / 2, length)))
    row, event, interval, exposure = (np.concatenate(v) for v in zip(*parts, strict=True))
    design = Design.hazard(
        encoder.encode(frame), row=row, event=event, interval=interval, exposure_days=exposure,
        lengths_days=LENGTHS, group=frame["partner_id"],
    )  # fmt: skip
    spec = SPEC.restricted_to(["employee_count"])
    fitted = fit_terms(design, encoder, spec, scorecard=None, params=PARAMS, seed=1, choices=CHOICES)
    constants = constants_of(fitted, design, horizons_days=(30, 90, 180))
    hazard = np.exp(fitted.terms.eta(design.matrix).mean() + np.array(list(constants.values())))
    assert hazard == pytest.approx([0.05, 0.15, 0.30], rel=0.12)


def test_model_finds_the_true_hazard(bundle: Bundle) -> None:
    frame = make_frame(3000, seed=30)
    found = bundle.eta(bundle.encode(frame), horizon=30)
    assert np.corrcoef(found, true_log_hazard(frame))[0, 1] > 0.85


@pytest.mark.parametrize("feature", SIGNED, ids=lambda f: f.name)
@given(step=st.floats(0, 500), row=st.integers(0, 49))
@settings(max_examples=25, deadline=None)
def test_score_never_moves_against_a_stated_sign(bundle: Bundle, feature: Any, step: float, row: int) -> None:
    frame = make_frame(50, seed=77).iloc[[row]]
    better = frame.assign(**{feature.name: frame[feature.name].fillna(0) + step})
    start = bundle.eta(
        bundle.encode(frame.assign(**{feature.name: frame[feature.name].fillna(0)})), horizon=90
    )
    moved = bundle.eta(bundle.encode(better), horizon=90)
    assert feature.monotone * (moved[0] - start[0]) >= -1e-12


def test_components_do_not_interact(bundle: Bundle) -> None:
    matrix = bundle.encode(make_frame(80, seed=5))
    first, second = matrix[:40], matrix[40:]
    for group in bundle.spec.groups:
        mixed = first.copy()
        for feature in bundle.spec.features:
            if feature.group == group:
                mixed[:, bundle.encoder.spans[feature.name]] = second[:, bundle.encoder.spans[feature.name]]
        moved = component_contributions(bundle, mixed)
        for other in bundle.spec.groups:
            source = second if other == group else first
            np.testing.assert_allclose(
                moved[other], component_contributions(bundle, source)[other], atol=1e-9
            )


def test_interval_has_a_group_of_its_own() -> None:
    frame = make_frame(50, seed=1)
    encoder = Encoder.fit(frame, SPEC.restricted_to(frame.columns))
    groups = interaction_groups(encoder, timed=True)
    assert groups[-1] == [len(encoder.columns)]
    assert sorted(i for g in groups for i in g) == list(range(len(encoder.columns) + 1))


@pytest.mark.parametrize("wrong", [{"max_depth": 7}, {"max_depth": 0}, {"trees": 0}, {"num_leaves": 1}])
def test_tree_parameters_out_of_bounds_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigError):
        BoostParams(**wrong)


def test_same_data_and_seed_give_the_same_trees() -> None:
    frame = make_frame(200, seed=3)
    encoder = Encoder.fit(frame, SPEC.restricted_to(frame.columns))
    design = stacked(frame, encoder.encode(frame), seed=4)
    texts = {
        fit_trees(
            design, encoder, PARAMS, offset=design.log_exposure - 2.5, seed=7, trees=5
        ).model_to_string()
        for _ in range(2)
    }
    assert len(texts) == 1
    assert "Tree=4" in texts.pop()


def test_taking_rows_takes_their_observations() -> None:
    frame = make_frame(60, seed=3)
    encoder = Encoder.fit(frame, SPEC.restricted_to(frame.columns))
    design = stacked(frame, encoder.encode(frame), seed=4)
    picked = np.array([5, 5, 40, 2])
    taken = design.take(picked)
    for place, row in enumerate(picked):
        ours, theirs = taken.row == place, design.row == row
        assert sorted(taken.interval[ours]) == sorted(design.interval[theirs])
        assert taken.y[ours].sum() == design.y[theirs].sum()
        np.testing.assert_array_equal(taken.matrix[place], design.matrix[row])


@given(st.lists(st.integers(0, 15), min_size=10, max_size=80), st.integers(2, 5), st.integers(0, 9))
@settings(max_examples=50, deadline=None)
def test_folds_never_split_a_group(groups: list[int], folds: int, seed: int) -> None:
    fold = grouped_folds(groups, folds=folds, seed=seed)
    assert len({(g, f) for g, f in zip(groups, fold.tolist(), strict=True)}) == len(set(groups))
    assert set(fold.tolist()) <= set(range(folds))


def test_bootstrap_draws_whole_groups() -> None:
    group = np.repeat(np.arange(20), 3)
    drawn = bootstrap_rows(group, size=60, rng=np.random.default_rng(1))
    counts = np.bincount(drawn, minlength=60).reshape(20, 3)
    assert (counts == counts[:, :1]).all()
    assert len(drawn) == 60
    assert (counts[:, 0] == 0).any()


def test_without_learnt_weight_the_order_is_the_scorecards() -> None:
    from models.fitting import Choices

    frame = make_frame(80, seed=12)
    spec = SPEC.restricted_to(frame.columns)
    encoder = Encoder.fit(frame, spec)
    design = stacked(frame, encoder.encode(frame), seed=2)
    fitted = fit_terms(design, encoder, spec, scorecard=CARD, params=PARAMS, seed=1, choices=Choices())
    eta, points = fitted.terms.eta(design.matrix), CARD.points(frame)
    assert (np.diff(eta[np.argsort(points)]) <= 1e-12).all()
    assert np.ptp(eta) > 0
    assert fitted.terms.linear is None
    assert fitted.terms.boosted is None


def test_linear_part_takes_back_weight_the_scorecard_gives_a_criterion_wrongly() -> None:
    frame = make_frame(3000, seed=12)
    spec = SPEC.restricted_to(["login_count_30d", "registered_count_90d"])
    encoder = Encoder.fit(frame, spec)
    logins = frame["login_count_30d"].to_numpy()
    y = np.random.default_rng(1).random(len(frame)) < 1 / (1 + np.exp(1.5 * (np.log1p(logins) - 1.2)))
    design = Design.binary(encoder.encode(frame), y, group=frame["partner_id"])
    wrong = Scorecard.model_validate(
        {
            "criteria": [
                {"feature": "login_count_30d", "weight": 10, "low": 0, "high": 20},
                {"feature": "registered_count_90d", "weight": 90, "low": 0, "high": 3},  # tells nothing
            ]
        }
    )
    choices = replace(CHOICES, linear_weight=1.0, boosted_weight=0.0)
    terms = fit_terms(design, encoder, spec, scorecard=wrong, params=PARAMS, seed=1, choices=choices).terms
    assert terms.prior is not None
    assert terms.linear is not None
    slopes = terms.prior.affine.b + np.array(terms.linear.tilts)
    assert (slopes <= 1e-9).all()
    assert abs(slopes[1]) < 0.2 * abs(terms.prior.affine.b)
    contributions = terms.contributions(design.matrix)
    np.testing.assert_allclose(
        terms.baseline + contributions.sum(axis=1), terms.eta(design.matrix), atol=1e-9
    )


def test_order_of_the_scorecard_holds_even_when_the_labels_say_the_opposite() -> None:
    from models.fitting import Choices

    frame = make_frame(40, seed=12)
    spec = SPEC.restricted_to(frame.columns)
    encoder = Encoder.fit(frame, spec)
    opposite = (CARD.points(frame) > np.median(CARD.points(frame))).astype(float)
    design = Design.binary(encoder.encode(frame), opposite, group=frame["partner_id"])
    fitted = fit_terms(design, encoder, spec, scorecard=CARD, params=PARAMS, seed=1, choices=Choices())
    assert fitted.terms.prior is not None
    assert fitted.terms.prior.affine.b < 0
