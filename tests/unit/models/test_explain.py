"""Reasons: they add up exactly, for every kind of row, and read as sentences."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.bundle import Bundle
from models.explain import Reasons, reasons, sentence, shown
from models.peers import fit_peers
from models.spec import Feature
from tests.unit.models.conftest import make_frame

NUMBERS = ("login_count_30d", "days_since_last_login", "won_amount_usd_90d", "survey_score_latest")


def total(found: Reasons) -> float:
    return found.baseline + math.fsum(r.contribution for r in found.reasons) + found.other_factors


@pytest.mark.parametrize("horizon", [30, 90, 180])
@pytest.mark.parametrize("most", [1, 5, 20])
def test_baseline_reasons_and_the_rest_are_the_score(
    bundle: Bundle, rows: Any, horizon: int, most: int
) -> None:
    scores = bundle.score(bundle.encode(rows))
    for i, found in enumerate(reasons(bundle, rows, horizon=horizon, max_reasons=most)):
        assert total(found) == pytest.approx(scores.eta[horizon][i], abs=1e-9)
        assert found.baseline == bundle.baseline(horizon)


def test_contributions_alone_are_the_score_without_any_remainder(bundle: Bundle) -> None:
    matrix = bundle.encode(make_frame(400, seed=6))
    explained = bundle.explain(matrix)
    for horizon in (30, 180):
        summed = bundle.baseline(horizon) + explained.contributions.sum(axis=1)
        np.testing.assert_allclose(summed, bundle.eta(matrix, horizon=horizon), atol=1e-9, rtol=0)
    np.testing.assert_allclose(
        explained.by_feature.sum(axis=1), explained.contributions.sum(axis=1), atol=1e-12
    )


MAYBE = st.one_of(st.none(), st.floats(-1e12, 1e12), st.just(float("inf")), st.just(float("nan")))


@given(st.lists(MAYBE, min_size=4, max_size=4), st.sampled_from(["DE", "XX", "", None]))
@settings(max_examples=50, deadline=None)
def test_reasons_add_up_for_strange_rows(
    bundle: Bundle, values: list[float | None], country: str | None
) -> None:
    row = {name: [np.nan if v is None else v] for name, v in zip(NUMBERS, values, strict=True)}
    frame = pd.DataFrame({**row, "country": pd.Series([country], dtype=object)})
    found = reasons(bundle, frame, horizon=90)[0]
    assert math.isfinite(total(found))
    assert total(found) == pytest.approx(found.eta, abs=1e-6)
    assert abs(found.other_factors) < 50


@pytest.mark.parametrize("most", [1, 2, 3])
def test_most_reasons_counts_each_direction(bundle: Bundle, rows: Any, most: int) -> None:
    for found in reasons(bundle, rows, horizon=90, max_reasons=most):
        sides = [r.direction for r in found.reasons]
        assert sides.count("raises_risk") <= most
        assert sides.count("lowers_risk") <= most
        assert sides == sorted(sides, reverse=True)
    assert any(len(f.reasons) == 2 * most for f in reasons(bundle, rows, horizon=90, max_reasons=most))


def test_strongest_reason_stands_first_and_its_sign_is_its_direction(bundle: Bundle, rows: Any) -> None:
    for found in reasons(bundle, rows, horizon=90):
        for direction, sign in (("raises_risk", 1), ("lowers_risk", -1)):
            sizes = [sign * r.contribution for r in found.reasons if r.direction == direction]
            assert sizes == sorted(sizes, reverse=True)
            assert all(size > 0 for size in sizes)


def test_each_factor_is_told_once_with_a_feature_of_its_own(bundle: Bundle, rows: Any) -> None:
    for found in reasons(bundle, rows, horizon=90, max_reasons=20):
        factors = [r.factor for r in found.reasons]
        assert len(factors) == len(set(factors))
        assert all(bundle.spec.feature(r.feature).factor == r.factor for r in found.reasons)


def test_scorecard_feature_is_explained_under_its_own_factor(bundle: Bundle) -> None:
    frame = make_frame(1, seed=3).assign(login_count_30d=0.0, days_since_last_login=200.0)
    found = reasons(bundle, frame, horizon=90)[0].reasons[0]
    assert found.factor == "portal_activity"
    assert found.direction == "raises_risk"
    assert found.actionable


def test_sentence_tells_the_value_and_what_is_usual(bundle: Bundle) -> None:
    frame = make_frame(1, seed=3).assign(registered_count_90d=7.0, partner_type="reseller")
    found = [
        r
        for r in reasons(bundle, frame, horizon=90, max_reasons=20)[0].reasons
        if r.factor == "deal_registrations"
    ]
    peer = bundle.peers.medians["reseller"]["registered_count_90d"]
    assert (
        found[0].sentence == f"Registered 7 deals in the last 90 days; partners like this one: {shown(peer)}."
    )
    assert found[0].value == 7.0
    assert found[0].peer_value == peer


def test_silent_source_and_moment_are_passed_on(bundle: Bundle, rows: Any) -> None:
    moment = datetime(2026, 11, 20)
    found = reasons(
        bundle, rows.head(1), horizon=90, max_reasons=20, stale_views={"engagement"}, as_of=[moment]
    )[0]
    stale = {r.factor: r.stale for r in found.reasons}
    assert stale["portal_activity"]
    assert not stale["satisfaction"]
    assert {r.as_of for r in found.reasons} == {moment}


def test_missing_value_has_a_sentence_and_no_value(bundle: Bundle) -> None:
    frame = make_frame(1, seed=3).assign(survey_score_latest=np.nan, country=None)
    told = {r.factor: r for r in reasons(bundle, frame, horizon=90, max_reasons=20)[0].reasons}
    assert told["satisfaction"].value is None
    assert told["satisfaction"].sentence.startswith("No data on latest survey score")
    assert told["region"].sentence == "Country is not known."


@pytest.mark.parametrize(
    ("value", "peer", "expected"),
    [(2.0, 9.0, "x is 2; usual: 9."), (None, 9.0, "x is not known."),
     (0.123, None, "x is 0.12; usual: not known."),
     (12345.6, 1.5, "x is 12,346; usual: 1.5."), (True, 1.0, "x is yes; usual: 1.")],
)  # fmt: skip
def test_sentences_fit_any_value(value: Any, peer: float | None, expected: str) -> None:
    assert sentence(Feature("x"), value, peer) == expected


def test_shares_are_told_in_per_cent() -> None:
    rate = Feature("rate", unit="share", sentence="{value} against {peer}.")
    assert sentence(rate, 0.256, 0.4) == "26 % against 40 %."
    place = Feature("place", "category", sentence="{value}, as {peer}.")
    assert sentence(place, "DE", 0.4) == "DE, as 40 %."


def test_usual_values_are_those_of_the_kind_of_partner(bundle: Bundle) -> None:
    frame = pd.DataFrame(
        {
            "partner_type": ["a"] * 10 + ["b"] * 10 + ["c"] * 2,
            "login_count_30d": [1.0] * 10 + [9.0] * 10 + [100.0, np.nan],
            "country": ["DE"] * 5 + ["FR"] * 17,
        }
    )
    spec = bundle.spec.restricted_to(frame.columns)
    peers = fit_peers(frame, spec)
    assert peers.value(peers.group({"partner_type": "b"}), "login_count_30d", 3) == 9.0
    assert peers.value(peers.group({"partner_type": "a"}), "country", "DE") == 0.5
    assert peers.group({"partner_type": "c"}) == "all"
    assert peers.group({"partner_type": None}) == "all"
    assert peers.value("a", "country", "XX") == 0.0
    assert peers.value("a", "country", None) is None
    assert peers.value("a", "unknown", 1) is None


def test_size_bands_stand_in_where_there_is_no_partner_type(bundle: Bundle) -> None:
    frame = pd.DataFrame(
        {"employee_count": [5.0] * 10 + [500.0] * 10, "login_count_30d": [1.0] * 10 + [4.0] * 10}
    )
    peers = fit_peers(frame, bundle.spec.restricted_to(frame.columns))
    assert peers.value(peers.group({"employee_count": 900}), "login_count_30d", 0) == 4.0
    assert peers.group({"employee_count": 9}) == "1–9 employees"


def test_shap_itself_gives_the_trees_contributions(bundle: Bundle, rows: Any) -> None:
    # The oracle costs seconds to import, so it speaks once.
    shap = pytest.importorskip("shap")
    boosted = bundle.terms.boosted
    assert boosted is not None
    filled = bundle.encoder.filled(bundle.encode(rows))
    explainer = shap.TreeExplainer(boosted.booster)
    inputs = np.column_stack([filled, np.zeros(len(filled))])
    oracle = boosted.weight * explainer.shap_values(inputs)
    np.testing.assert_allclose(boosted.contributions(filled), oracle[:, :-1], atol=1e-9)
    constant = boosted.weight * explainer.expected_value + oracle[:, -1]
    np.testing.assert_allclose(boosted.baseline, constant, atol=1e-9)


def test_without_labels_reasons_are_the_scorecards_points(unlabelled: Bundle, rows: Any) -> None:
    matrix = unlabelled.encode(rows)
    points = unlabelled.points(matrix)
    for i, found in enumerate(reasons(unlabelled, rows, horizon=90, max_reasons=20)):
        assert total(found) == pytest.approx((50 - points[i]) / 25, abs=1e-9)
        assert {r.factor for r in found.reasons} <= {"portal_activity", "deal_registrations"}
