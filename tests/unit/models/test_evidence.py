"""Intervals and evidence grades: missing data widens, and ignorance is said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from models.bundle import Bundle
from models.spread import Spread, fit_spread, grade, group_index, missing_shares
from tests.unit.models.conftest import make_frame


def blank_group(bundle: Bundle, matrix: Any, group: str) -> Any:
    for feature in bundle.spec.features:
        if feature.group == group:
            matrix = bundle.encoder.blank(matrix, feature.name)
    return matrix


def widths(bundle: Bundle, matrix: Any) -> Any:
    eta = bundle.terms.eta(matrix)
    return bundle.spread.sd(eta, bundle.encoder.missing(matrix), group_index(bundle.encoder))


def test_value_lies_within_its_interval(bundle: Bundle) -> None:
    scores = bundle.score(bundle.encode(make_frame(300, seed=4)))
    for h in (30, 90, 180):
        assert (scores.low[h] < scores.probability[h]).all()
        assert (scores.probability[h] < scores.high[h]).all()
        assert (scores.low[h] > 0).all()
        assert (scores.high[h] < 1).all()


@pytest.mark.parametrize("group", ["engagement", "satisfaction", "context"])
def test_missing_a_whole_group_widens_the_interval(bundle: Bundle, group: str) -> None:
    matrix = bundle.encode(make_frame(300, seed=4).assign(survey_score_latest=5.0))
    before, after = widths(bundle, matrix), widths(bundle, blank_group(bundle, matrix, group))
    # Two partners in five never answered a survey, so missing an answer is nearly normal.
    rare = group != "satisfaction"
    assert np.median(after) >= np.median(before) * (1.05 if rare else 1.0)


def test_at_the_same_score_more_missing_never_narrows(bundle: Bundle) -> None:
    groups = group_index(bundle.encoder)
    rng = np.random.default_rng(1)
    missing = rng.random((400, len(bundle.encoder.features))) < 0.3
    more = missing | (rng.random(missing.shape) < 0.3)
    eta = rng.normal(-2.5, 1, 400)
    assert (bundle.spread.sd(eta, more, groups) >= bundle.spread.sd(eta, missing, groups) - 1e-12).all()


def test_nothing_but_context_known_gives_no_probability_but_a_warning(bundle: Bundle) -> None:
    frame = make_frame(3, seed=4)
    matrix = bundle.encode(frame)
    for group in set(bundle.spec.groups) - {"context"}:
        matrix = blank_group(bundle, matrix, group)
    scores = bundle.score(matrix)
    assert scores.evidence == ["insufficient"] * 3
    assert np.isnan(scores.probability[90]).all()
    assert np.isnan(scores.low[90]).all()
    assert np.isfinite(scores.eta[90]).all()
    assert "engagement" in scores.warnings[0][0]


def test_dark_group_is_named_while_the_rest_still_answers(bundle: Bundle) -> None:
    matrix = blank_group(bundle, bundle.encode(make_frame(2, seed=4)), "satisfaction")
    scores = bundle.score(matrix)
    assert np.isfinite(scores.probability[90]).all()
    assert scores.warnings[0] == ["Nothing is known about satisfaction; the interval is wider for it."]


def test_ready_made_columns_answer_as_long_as_one_is_known(bundle: Bundle) -> None:
    features = tuple(replace(f, group="context") for f in bundle.spec.features)
    plain = replace(
        bundle,
        spec=replace(bundle.spec, features=features),
        terms=replace(bundle.terms, encoder=replace(bundle.encoder, features=features)),
        spread=Spread(0.3, 0.3),
    )
    matrix = plain.encode(make_frame(2, seed=4))
    assert "insufficient" not in plain.score(matrix).evidence
    for feature in features:
        matrix = plain.encoder.blank(matrix, feature.name)
    assert plain.score(matrix).evidence == ["insufficient"] * 2


def test_without_labels_there_is_no_probability_and_it_is_said(unlabelled: Bundle, rows: Any) -> None:
    scores = unlabelled.score(unlabelled.encode(rows))
    assert np.isnan(scores.probability[30]).all()
    assert set(scores.evidence) == {"insufficient"}
    assert "No outcomes were known" in scores.warnings[0][0]
    points = unlabelled.points(unlabelled.encode(rows))
    assert ((points >= 0) & (points <= 100)).all()
    assert np.ptp(points) > 20


@pytest.mark.parametrize(
    ("sd", "positives", "expected"),
    [(0.25, 1000, "strong"), (0.26, 1000, "moderate"), (0.5, 1000, "moderate"), (0.51, 1000, "thin"),
     (1.5, 1000, "thin"), (1.51, 1000, "insufficient"), (0.1, 99, "moderate"), (0.1, 100, "strong"),
     (0.1, 29, "thin"), (0.1, 30, "moderate")],
)  # fmt: skip
def test_grades_follow_the_documented_bounds(sd: float, positives: int, expected: str) -> None:
    assert grade(np.array([sd]), known=np.array([True]), labelled=True, positives=positives) == [expected]


def test_refits_that_disagree_widen_the_interval(bundle: Bundle) -> None:
    matrix = bundle.encode(make_frame(300, seed=4))

    def refits(size: float) -> list[Any]:
        return [lambda m, d=d: bundle.terms.eta(m) + d for d in (-size, 0.0, size)]

    narrow, wide = (
        fit_spread(matrix, bundle.encoder, eta=bundle.terms.eta, refits=refits(size), seed=1)
        for size in (0.1, 0.6)
    )
    assert narrow.constant == pytest.approx(0.1)
    assert wide.constant == pytest.approx(0.6)
    assert narrow.booster is None
    assert narrow.missing == wide.missing > 0


def test_refits_on_fewer_rows_are_scaled_down(bundle: Bundle) -> None:
    matrix = bundle.encode(make_frame(100, seed=4))
    refits = [lambda m, d=d: bundle.terms.eta(m) + d for d in (-0.4, 0.4)]
    plain = fit_spread(matrix, bundle.encoder, eta=bundle.terms.eta, refits=refits, seed=1)
    scaled = fit_spread(matrix, bundle.encoder, eta=bundle.terms.eta, refits=refits, seed=1, scale=0.5)
    assert scaled.constant == pytest.approx(plain.constant / 2)


def test_shares_are_counted_by_group() -> None:
    missing = np.array([[True, False, True], [False, False, False]])
    assert missing_shares(missing, [0, 0, 1]).tolist() == [[0.5, 1.0], [0.0, 0.0]]
