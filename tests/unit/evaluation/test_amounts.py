"""Amounts: learnt with a log link, explained exactly, judged by who comes first and by the total."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import NotEnoughEvidenceError
from evaluation.amount_parts import amount_slices, amount_tenths
from evaluation.amounts import gini, top_share
from evaluation.backtest import run_backtest
from evaluation.card import render
from evaluation.charts import amount_chart
from evaluation.metrics import Judged, Ranking
from evaluation.settings import EvaluationSettings
from models.bundle import load_bundle, save_bundle
from models.explain import reasons
from models.glm import Likelihood, fit_glm, slopes, tweedie_losses
from tests.unit.training import worlds
from training.estimators import fit
from training.splits import final_split

JUDGED = EvaluationSettings(replicates=50, origins=2)


def panel(*, partners=150, seed=0, strength=1.0):
    """Amounts that double with each unit of x0, some of them nothing."""
    data = worlds.dated(partners=partners, snapshots=18, step=60, horizon=180, gap=180, seed=seed)
    rng = np.random.default_rng(seed + 1)
    x = data.frame["x0"].to_numpy()
    y = np.where(rng.random(x.size) < 0.2, 0.0, 40_000 * np.exp(strength * x + rng.normal(0, 0.5, x.size)))
    outcomes = data.outcomes.assign(y=y[data.outcomes["row_id"].to_numpy()].round(2))
    return replace(data, spec=replace(data.spec, output="amount", adverse=False), outcomes=outcomes, unit=1e4)


@pytest.fixture(scope="module")
def fitted():
    data = panel()
    return data, fit(data, final_split(data), seed=3)


def test_the_shipped_amounts_add_up_to_what_came(fitted):
    data, bundle = fitted
    rows = np.flatnonzero(~np.isnan(data.labels()))
    found = bundle.score(bundle.encode(data.rows(rows)))
    assert bundle.link == "log_amount"
    assert found.probability[180].sum() == pytest.approx(data.labels()[rows].sum(), rel=0.15)
    assert (found.low[180] < found.probability[180]).all()


def test_reasons_of_an_amount_add_up_on_the_log_scale(fitted):
    data, bundle = fitted
    rows = data.rows(np.arange(20))
    for told in reasons(bundle, rows, horizon=180):
        whole = told.baseline + sum(r.contribution for r in told.reasons) + told.other_factors
        assert whole == pytest.approx(told.eta, abs=1e-9)


def test_an_amount_model_is_kept_and_read_back_bit_for_bit(fitted, tmp_path):
    data, bundle = fitted
    save_bundle(bundle, tmp_path / "b")
    matrix = bundle.encode(data.rows(np.arange(30)))
    again = load_bundle(tmp_path / "b")
    assert np.array_equal(again.eta(matrix, horizon=180), bundle.eta(matrix, horizon=180))


def test_the_same_data_and_seed_give_the_same_amounts():
    data = panel(partners=60)
    matrices = [fit(data, final_split(data), seed=3, spread=False) for _ in range(2)]
    etas = [b.eta(b.encode(data.rows(np.arange(50))), horizon=180) for b in matrices]
    assert np.array_equal(*etas)


def test_a_model_of_amounts_beats_its_references_and_passes_the_gate():
    tested = run_backtest(panel(), settings=JUDGED)
    report = tested.report
    assert report.passed, report.refusals
    loss = {r.name: r.metrics["tweedie_loss"].value for r in report.ladder if "tweedie_loss" in r.metrics}
    assert loss["model"] < loss["prevalence"]
    assert report.rung("hindsight").metrics["gini"].value == pytest.approx(1.0)
    assert "Share in the top fifth" in render(report)


def judged_amounts(*, n=400, entities=80, seed=0, wrong=None):
    rng = np.random.default_rng(seed)
    p = 10 ** rng.uniform(3, 6, n)
    y = p * rng.lognormal(-0.125, 0.5, n)
    if wrong is not None:
        y = np.where(wrong, y * 30, y)
    return Judged(y, p, rng.integers(0, entities, n), np.zeros(n, dtype=np.int64))


def test_tenths_of_predicted_amounts_hold_what_came_and_its_interval():
    judged = judged_amounts()
    tenths = amount_tenths(judged, settings=JUDGED)
    assert [t.n for t in tenths] == [40] * 10
    assert [t.predicted for t in tenths] == sorted(t.predicted for t in tenths)
    assert sum(t.predicted * t.n for t in tenths) == pytest.approx(judged.p.sum())
    assert sum(t.observed * t.n for t in tenths) == pytest.approx(judged.y.sum())
    assert all(t.low <= t.observed <= t.high for t in tenths)
    chart = amount_chart(tenths)
    assert all(chart.margin <= v <= chart.size - chart.margin for p in chart.points for v in (p.x, p.y))
    assert [t.text for t in chart.ticks] == ["1k", "10k", "100k", "1M", "10M"][: len(chart.ticks)]


def test_a_part_where_amounts_are_off_is_clearly_worse_and_small_parts_are_left_out():
    country = np.array(["DE"] * 190 + ["FR"] * 190 + ["LU"] * 20)
    judged = judged_amounts(wrong=country == "FR")
    frame = pd.DataFrame({"country": country})
    reference = np.where(country == "FR", 3e6, judged.p)
    found = amount_slices(frame, judged, reference, settings=JUDGED, unit=1e5)
    assert {s.value: (s.n, s.clearly_worse) for s in found} == {"DE": (190, False), "FR": (190, True)}
    assert found[1].metrics["calibration_in_the_large"].value == pytest.approx(30, rel=0.3)
    shares = [s.metrics["selected_share"].value for s in found]
    assert np.mean(shares) == pytest.approx(0.2, abs=0.03)


def test_the_report_of_amounts_shows_parts_and_tenths():
    data = panel()
    kind = np.where(data.frame["partner_id"].str[-1].isin(list("02468")), "reseller", "integrator")
    report = run_backtest(replace(data, frame=data.frame.assign(partner_type=kind)), settings=JUDGED).report
    assert {(s.column, s.value) for s in report.slices} == {
        ("partner_type", kind) for kind in ("reseller", "integrator")
    }
    assert len(report.reliability) == 10
    card = render(report)
    assert "Test rows in tenths by predicted amount" in card
    assert "partner_type: reseller" in card
    assert "Above zero" in card
    assert "observed rate" not in card


def test_amounts_that_nothing_tells_are_refused():
    report = run_backtest(panel(strength=0.0), settings=JUDGED).report
    assert {"PI-G002", "PI-G003"} & {r.code for r in report.refusals}


def test_amounts_that_are_all_alike_are_a_clear_error():
    data = panel(partners=60)
    same = replace(data, outcomes=data.outcomes.assign(y=7.0))
    with pytest.raises(NotEnoughEvidenceError, match="nothing to tell apart"):
        fit(same, final_split(same))


def ranked(y, p):
    return Ranking.of(np.array(y), np.array(p), np.ones((1, len(y))))


def test_the_top_fifth_by_hand():
    assert top_share(ranked([8.0, 1, 1, 0, 0], [5.0, 4, 3, 2, 1]))[0] == pytest.approx(0.8)
    assert top_share(ranked([8.0, 1, 1, 0, 0], [1.0, 1, 1, 1, 1]))[0] == pytest.approx(0.2)


@given(st.lists(st.floats(0, 1e6), min_size=3, max_size=30), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_no_ranking_is_steeper_than_hindsight(amounts, random):
    y = np.array(amounts)
    p = np.array(random.sample(amounts, len(amounts)))
    value = gini(y, p, np.ones((1, y.size)))[0]
    assert np.isnan(value) or value <= 1 + 1e-9


def test_slopes_of_the_tweedie_loss_are_its_derivatives():
    y, eta, step = np.array([0.0, 0.5, 3.0]), np.array([-1.0, 0.2, 1.5]), 1e-5
    up, down = tweedie_losses(y, eta + step), tweedie_losses(y, eta - step)
    first, second = slopes("tweedie", y, eta)
    assert first == pytest.approx((up - down) / (2 * step), abs=1e-6)
    assert second == pytest.approx((up + down - 2 * tweedie_losses(y, eta)) / step**2, abs=1e-3)


def test_the_intercept_alone_is_the_mean():
    y = np.array([0.0, 1.0, 5.0, 10.0])
    zeros = np.zeros(4, dtype=int)
    found = fit_glm(np.zeros((4, 0)), Likelihood("tweedie", y, 0.0 * y, np.arange(4), zeros), penalty=0.0)
    assert np.exp(found.intercepts[0]) == pytest.approx(4.0)
