"""Outside experience: who is flagged, what happens to the score, and that reasons still add up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from models.bundle import load_bundle, save_bundle
from models.experience import fit_experience
from models.explain import reasons
from models.fit.facts import build_facts
from training.estimators import fit
from training.splits import final_split


@pytest.fixture(scope="module")
def strange(bundle: Any) -> Any:
    """Usual and unusual companies, encoded."""
    import pandas as pd

    rows = pd.DataFrame(
        {
            "country": ["US", "ES", "IT", None],
            "partner_type": ["integrator", "referral", "distributor", None],
            "motion": ["services", "resell", "resell", None],
            "industry": ["manufacturing", "public", "logistics", None],
            "employee_count": [120, 2, 3, None],
            "annual_revenue_usd": [2e7, 9e4, None, None],
            "founded_year": [2012, 1930, 2021, None],
        }
    )
    return build_facts(rows, year=2022)


def test_the_flag_is_for_the_few(dataset: Any, bundle: Any) -> None:
    everyone = bundle.encode(dataset.population)
    recruited = bundle.encode(dataset.rows(np.arange(dataset.size)))
    assert 0.01 < bundle.outside(everyone).mean() <= 0.2 + 1e-9
    assert bundle.outside(recruited).mean() <= 0.051


def test_the_score_of_an_outsider_lies_between_model_and_scorecard(dataset: Any, bundle: Any) -> None:
    matrix = bundle.encode(dataset.population)
    plain = replace(bundle, experience=None).eta(matrix, horizon=365)
    card = bundle.experience.card(bundle.terms.prior.eta(matrix))
    served = bundle.eta(matrix, horizon=365)
    outside = bundle.outside(matrix)
    low, high = np.minimum(plain, card) - 1e-9, np.maximum(plain, card) + 1e-9
    assert ((served >= low) & (served <= high)).all()
    assert np.array_equal(served[~outside], plain[~outside])
    assert np.abs(served - plain)[outside].max() > 0.05


def test_reasons_add_up_outside_too(bundle: Any, strange: Any) -> None:
    matrix = bundle.encode(strange)
    for told, eta in zip(
        reasons(bundle, strange, matrix, horizon=365), bundle.eta(matrix, horizon=365), strict=True
    ):
        total = told.baseline + sum(r.contribution for r in told.reasons) + told.other_factors
        assert total == pytest.approx(float(eta), abs=1e-9)
    outside = bundle.outside(matrix)
    assert outside.any()
    explained = bundle.explain(matrix)
    moved = explained.contributions[:, explained.factors.index("outside_experience")]
    assert (np.abs(moved) > 0)[outside].all()
    assert (moved[~outside] == 0).all()


def test_an_interval_is_wider_for_having_been_moved(dataset: Any, bundle: Any) -> None:
    matrix = bundle.encode(dataset.population)
    plain = replace(bundle, experience=None)
    outside = bundle.outside(matrix)
    ours, theirs = bundle.score(matrix), plain.score(matrix)
    width = [
        np.log(s.high[365] / (1 - s.high[365])) - np.log(s.low[365] / (1 - s.low[365]))
        for s in (ours, theirs)
    ]
    assert (width[0] - width[1] >= -1e-9)[outside].all()


def test_scores_do_not_depend_on_order_or_batches(dataset: Any, bundle: Any) -> None:
    matrix = bundle.encode(dataset.population)
    whole = bundle.eta(matrix, horizon=365)
    order = np.random.default_rng(0).permutation(len(matrix))
    assert np.array_equal(bundle.eta(matrix[order], horizon=365), whole[order])
    parts = [bundle.eta(matrix[i : i + 7], horizon=365) for i in range(0, len(matrix), 7)]
    assert np.array_equal(np.concatenate(parts), whole)


def test_the_artifact_keeps_it(bundle: Any, dataset: Any, tmp_path: Any) -> None:
    save_bundle(bundle, tmp_path / "a")
    again = load_bundle(tmp_path / "a")
    matrix = bundle.encode(dataset.population)
    assert np.array_equal(again.eta(matrix, horizon=365), bundle.eta(matrix, horizon=365))
    assert again.experience == bundle.experience


def test_too_few_prospects_give_no_flag(dataset: Any, bundle: Any) -> None:
    matrix = bundle.encode(dataset.rows(np.arange(dataset.size)))
    given = {"encoder": bundle.encoder, "prior": bundle.terms.prior}
    assert fit_experience(matrix, matrix[:10], dataset.labels(), **given) is None


def test_a_scorecard_says_the_same_of_everyone(dataset: Any) -> None:
    card = fit(dataset, final_split(dataset), seed=1, scorecard_only=True, spread=False)
    assert card.experience is None
