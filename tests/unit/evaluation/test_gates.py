"""The gate passes only finite figures on the right side."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.gates import CHAMPION, CODES, check
from evaluation.metrics import BINARY_METRICS
from evaluation.ordered import ORDERED_METRICS
from evaluation.report import Report, Rung, SliceFinding, Suspect
from evaluation.resampling import Estimate

GOOD = {
    "auc": Estimate(0.75, 0.70, 0.80),
    "average_precision": Estimate(0.4, 0.3, 0.5),
    "log_loss": Estimate(0.40, 0.38, 0.42),
    "brier": Estimate(0.12, 0.11, 0.13),
    "calibration_slope": Estimate(1.0, 0.85, 1.15),
    "calibration_in_the_large": Estimate(1.0, 0.9, 1.1),
    "precision_at_50": Estimate(0.6, 0.5, 0.7),
    "lift_at_10pct": Estimate(2.0, 1.5, 2.5),
}
SCORECARD = Rung("scorecard", {"log_loss": Estimate(0.45, 0.43, 0.47)})
PREVALENCE = Rung("prevalence", {"log_loss": Estimate(0.5, 0.48, 0.52)})


POOLED = Rung("pooled", {"log_loss": Estimate(0.42, 0.4, 0.44)})


def report(**changes):
    base = Report(
        model="churn", title="", n_train=1000, n_test=500, n_entities=300, events=100, base_rate=0.2,
        split="", metrics=GOOD, ladder=(PREVALENCE, SCORECARD),
    )  # fmt: skip
    return replace(base, **changes)


def with_metric(name, value, low=None, high=None):
    low, high = value if low is None else low, value if high is None else high
    return report(metrics={**GOOD, name: Estimate(value, low, high)})


def codes(found):
    return [r.code for r in found]


def test_a_good_candidate_passes():
    assert check(report()) == []


@pytest.mark.parametrize("name", BINARY_METRICS)
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_metric_that_is_not_finite_never_passes(name, bad):
    found = check(with_metric(name, bad))
    assert "PI-G001" in codes(found)
    assert name in found[0].message


def test_no_metrics_at_all_never_pass():
    assert {"PI-G001", "PI-G002", "PI-G003", "PI-G005", "PI-G006"} <= set(codes(check(report(metrics={}))))


@given(
    st.sampled_from(BINARY_METRICS),
    st.sampled_from(["value", "low", "high"]),
    st.sampled_from([math.nan, math.inf]),
)
@settings(max_examples=50, deadline=None)
def test_a_bound_that_is_not_finite_refuses_wherever_an_interval_decides(name, part, bad):
    broken = replace(GOOD[name], **{part: bad})
    found = check(report(metrics={**GOOD, name: broken}))
    decided_by_interval = name in ("calibration_slope", "calibration_in_the_large")
    if part == "value" or decided_by_interval or (name == "auc" and part == "low"):
        assert found


def test_not_better_than_the_scorecard_keeps_the_scorecard():
    found = check(with_metric("log_loss", 0.45))
    assert codes(found) == ["PI-G002"]
    assert "scorecard" in found[0].message


def test_without_a_scorecard_the_base_rate_must_be_beaten():
    assert codes(check(replace(with_metric("log_loss", 0.55), ladder=(PREVALENCE,)))) == ["PI-G002"]
    assert check(report(ladder=(PREVALENCE,))) == []


def test_a_reference_that_was_not_measured_never_passes():
    assert codes(check(report(ladder=()))) == ["PI-G002"]
    broken = Rung("scorecard", {"log_loss": Estimate(math.nan, math.nan, math.nan)})
    assert codes(check(report(ladder=(broken,)))) == ["PI-G002"]


def test_no_signal_is_refused_in_words():
    found = check(with_metric("auc", 0.54, 0.48, 0.60))
    assert codes(found) == ["PI-G003"]
    assert "refused: no signal" in found[0].message


@pytest.mark.parametrize(
    ("name", "low", "high", "refused"),
    [
        ("calibration_slope", 0.5, 0.79, ["PI-G006"]),
        ("calibration_slope", 0.5, 0.81, []),
        ("calibration_slope", 1.26, 1.5, ["PI-G006"]),
        ("calibration_in_the_large", 0.7, 0.89, ["PI-G005"]),
        ("calibration_in_the_large", 0.7, 0.91, []),
        ("calibration_in_the_large", 1.11, 1.3, ["PI-G005"]),
    ],
)
def test_calibration_is_refused_only_when_the_whole_interval_is_outside(name, low, high, refused):
    assert codes(check(with_metric(name, (low + high) / 2, low, high))) == refused


@pytest.mark.parametrize(
    ("difference", "refused"),
    [
        (Estimate(0.01, 0.005, 0.02), ["PI-G004"]),
        (Estimate(0.01, -0.01, 0.02), []),
        (Estimate(-0.01, -0.02, -0.001), []),
        (Estimate(math.nan, math.nan, math.nan), ["PI-G004"]),
        (Estimate(0.0, math.nan, math.nan), ["PI-G004"]),
    ],
)
def test_the_champion_is_compared_in_pairs(difference, refused):
    assert codes(check(report(decisive={CHAMPION: difference}))) == refused


def test_monotone_slices_leaks_and_few_events_have_their_codes():
    worse = SliceFinding("country", "DE", 40, 20, {}, clearly_worse=True)
    suspect = Suspect("Tags", "alone it has AUC 0.95.", 0.95)
    assert codes(check(report(monotone_violations=1))) == ["PI-G007"]
    assert codes(check(report(slices=(worse, replace(worse, clearly_worse=False))))) == ["PI-G008"]
    assert codes(check(report(suspects=(suspect,)))) == ["PI-G009"]
    assert check(report(suspects=(replace(suspect, confirmed=True),))) == []
    assert codes(check(report(events=3))) == ["PI-G010"]
    assert codes(check(report(events=497))) == ["PI-G010"]


def test_a_tiny_sample_is_refused():
    tiny = report(
        n_test=12, events=2, metrics={k: Estimate(e.value, math.nan, math.nan) for k, e in GOOD.items()}
    )
    assert {"PI-G003", "PI-G010"} <= set(codes(check(tiny)))


def test_ordered_labels_must_beat_persistence_and_chance():
    good = {
        "quadratic_weighted_kappa": Estimate(0.6, 0.5, 0.7),
        "macro_f1": Estimate(0.5, 0.4, 0.6),
        "mean_absolute_error": Estimate(0.4, 0.3, 0.5),
    }
    assert tuple(good) == ORDERED_METRICS
    persistence = Rung("persistence", {"mean_absolute_error": Estimate(0.5, 0.4, 0.6)})
    ordered = report(ordered=True, metrics=good, ladder=(persistence,))
    assert check(ordered) == []
    worse = {**good, "mean_absolute_error": Estimate(0.55, 0.5, 0.6)}
    assert codes(check(replace(ordered, metrics=worse))) == ["PI-G002"]
    chance = {**good, "quadratic_weighted_kappa": Estimate(0.04, -0.1, 0.1)}
    assert codes(check(replace(ordered, metrics=chance))) == ["PI-G003"]


def test_a_profile_of_one_motion_must_beat_the_model_of_all():
    ladder = (PREVALENCE, SCORECARD, POOLED)
    better = {**GOOD, "log_loss": Estimate(0.41, 0.39, 0.43)}
    assert check(report(ladder=ladder, metrics=better)) == []
    worse = {**GOOD, "log_loss": Estimate(0.43, 0.41, 0.45)}
    assert codes(check(report(ladder=ladder, metrics=worse))) == ["PI-G011"]


def test_every_refusal_has_a_known_code():
    everything = report(
        metrics={}, events=0, monotone_violations=2, decisive={CHAMPION: Estimate(1, 1, 1)},
        suspects=(Suspect("a", "b", 1.0),), slices=(SliceFinding("c", "d", 30, 10, {}, True),),
        ladder=(PREVALENCE, SCORECARD, POOLED),
    )  # fmt: skip
    assert set(codes(check(everything))) == set(CODES)
