"""The weighted scorecard."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from models.scorecard import CHURN_DEFAULT, Criterion, Scorecard

CARD = Scorecard(
    criteria=(
        Criterion(feature="logins", label="Logins", weight=60, low=0, high=20),
        Criterion(feature="silence", label="Silence", weight=40, low=90, high=10),
    )
)


def frame(**columns: Any) -> Any:
    return pd.DataFrame({k: pd.Series(v, dtype="float64") for k, v in columns.items()})


def test_points_run_from_low_to_high_bar_either_way_round() -> None:
    rows = frame(logins=[0, 10, 20, 99], silence=[90, 50, 10, 0])
    assert CARD.points(rows).tolist() == [0, 50, 100, 100]
    assert CARD.contributions(rows).tolist() == [[0, 0], [30, 20], [60, 40], [60, 40]]


def test_missing_value_earns_half_its_weight() -> None:
    rows = frame(logins=[np.nan, 20], silence=[10, np.nan])
    assert CARD.points(rows).tolist() == [70, 80]


def test_absent_column_is_missing() -> None:
    assert CARD.points(frame(logins=[20])).tolist() == [80]


@given(st.lists(st.floats(-1e9, 1e9), min_size=2, max_size=2), st.floats(0, 1e6))
@settings(max_examples=50, deadline=None)
def test_points_stay_within_bounds_and_never_fall_with_a_better_value(
    values: list[float], more: float
) -> None:
    before = CARD.points(frame(logins=[values[0]], silence=[values[1]]))[0]
    after = CARD.points(frame(logins=[values[0] + more], silence=[values[1] - more]))[0]
    assert 0 <= before <= after <= 100


def test_scorecard_works_on_the_criteria_there_are_and_says_so() -> None:
    card, warnings = CHURN_DEFAULT.restricted_to(["login_count_30d", "won_count_90d"])
    assert card is not None
    assert [round(c.weight, 6) for c in card.criteria] == [66.666667, 33.333333]
    assert "days_since_last_login" in warnings[0]


def test_scorecard_without_any_criterion_is_none_with_a_warning() -> None:
    card, warnings = CHURN_DEFAULT.restricted_to(["colour"])
    assert card is None
    assert "cannot be used" in warnings[0]


def test_complete_scorecard_is_left_alone() -> None:
    assert CHURN_DEFAULT.restricted_to(CHURN_DEFAULT.features) == (CHURN_DEFAULT, [])


def test_default_churn_scorecard_is_the_documented_one() -> None:
    bars = {c.feature: (c.weight, c.low, c.high) for c in CHURN_DEFAULT.criteria}
    assert bars["days_since_last_login"] == (30, 90, 7)
    assert bars["login_count_30d"] == (20, 0, 20)
    assert sum(w for w, _, _ in bars.values()) == 100


@pytest.mark.parametrize(
    "criteria",
    [
        [{"feature": "a", "weight": 99, "low": 0, "high": 1}],
        [{"feature": "a", "weight": 100, "low": 1, "high": 1}],
        [{"feature": "a", "weight": 50, "low": 0, "high": 1}] * 2,
        [{"feature": "a", "weight": 100, "low": 0, "high": float("nan")}],
        [
            {"feature": "a", "weight": 0, "low": 0, "high": 1},
            {"feature": "b", "weight": 100, "low": 0, "high": 1},
        ],
        [{"feature": "a", "weight": 100, "low": 0, "high": 1, "bar": 3}],
        [],
    ],
)
def test_scorecard_refuses_what_cannot_be_meant(criteria: list[dict[str, Any]]) -> None:
    with pytest.raises(ValidationError):
        Scorecard.model_validate({"criteria": criteria})


FORMS = Scorecard.model_validate(
    {
        "criteria": [
            {"feature": "kind", "weight": 50, "values": {"Integrator": 50, "reseller": 30}, "other": 5},
            {
                "feature": "staff",
                "weight": 50,
                "bands": [{"from": 10, "points": 20}, {"from": 50, "points": 50}],
            },
        ]
    }
)


def test_text_earns_the_points_of_its_value_whatever_its_capitals() -> None:
    rows = pd.DataFrame({"kind": ["INTEGRATOR", "reseller", "baker", None], "staff": [0.0, 0.0, 0.0, 0.0]})
    assert FORMS.points(rows).tolist() == [50, 30, 5, 25]


def test_bands_are_steps_that_begin_at_their_value() -> None:
    rows = pd.DataFrame({"kind": ["x"] * 5, "staff": [9.9, 10, 49, 50, np.nan]})
    assert (FORMS.points(rows) - 5).tolist() == [0, 20, 20, 50, 25]


def test_forms_scale_with_their_weight() -> None:
    alone, _ = FORMS.restricted_to(["kind"])
    assert alone is not None
    rows = pd.DataFrame({"kind": ["integrator", "baker", None]})
    assert alone.points(rows).tolist() == [100, 10, 50]


@pytest.mark.parametrize(
    "wrong",
    [
        {"low": 0, "high": 1, "values": {"a": 1}},
        {},
        {"low": 0},
        {"bands": [{"from": 5, "points": 1}, {"from": 5, "points": 2}]},
        {"values": {"a": 101}},
    ],
)
def test_a_criterion_has_one_form_and_keeps_to_its_weight(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Criterion.model_validate({"feature": "a", "weight": 100, **wrong})


def test_a_bundle_reads_text_criteria_from_the_matrix_as_from_the_frame() -> None:
    from dataclasses import replace

    from models.assembly import unlabelled_bundle
    from models.layout import bundle_json
    from models.spec import ModelSpec

    rows = pd.DataFrame(
        {"kind": ["integrator", "reseller", "baker", None] * 5, "staff": [5.0, 20, 80, None] * 5}
    )
    spec = ModelSpec.from_columns("toy", rows, entity_id=("id",))
    told = replace(
        spec, features=(replace(spec.features[0], levels=("integrator", "reseller")), spec.features[1])
    )
    bundle = unlabelled_bundle(told, rows.iloc[8:], scorecard=FORMS, trained={})
    assert np.array_equal(bundle.points(bundle.encode(rows)), FORMS.points(rows))
    assert bundle_json(bundle)["terms"]["prior"]["scorecard"]["criteria"][1]["bands"][0]["from"] == 10
