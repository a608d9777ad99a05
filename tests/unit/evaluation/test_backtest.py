"""One driver from rows to a verdict, its JSON and its card."""

import json
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser

import numpy as np
import pytest

from evaluation.backtest import run_backtest
from evaluation.card import render, write_html
from evaluation.metrics import BINARY_METRICS
from evaluation.ordered import ORDERED_METRICS
from evaluation.report import SIMULATED, Refusal, write_json
from evaluation.settings import EvaluationSettings
from models.scorecard import Criterion, Scorecard
from models.spec import Feature
from tests.unit.training.worlds import DAY, START, dated, hazard, ordered, undated
from training.params import Params

QUICK = Params(rounds=30)
SETTINGS = EvaluationSettings(replicates=60, origins=2)
CARD = Scorecard(criteria=(Criterion(feature="x1", weight=100, low=3, high=-3),))
KEYS = {
    "model", "version", "n_train", "n_test", "base_rate", "split", "metrics", "baselines", "gate",
    "dropped_columns",
}  # fmt: skip


@pytest.fixture(scope="module")
def tested():
    data = replace(dated(partners=150, strength=1.5), scorecard=CARD)
    return run_backtest(data, settings=SETTINGS, params=QUICK, version=3, champion=Params(rounds=20))


def test_the_json_has_the_fixed_shape(tested, tmp_path):
    found = json.loads(write_json(tested.report, tmp_path / "r" / "3.json").read_text())
    assert set(found) >= KEYS
    assert set(found["metrics"]) == set(BINARY_METRICS)
    assert all(set(m) == {"value", "low", "high"} for m in found["metrics"].values())
    assert {"prevalence", "scorecard", "logistic", "champion"} <= set(found["baselines"])
    assert isinstance(found["baselines"]["scorecard"]["auc"], float)
    assert set(found["gate"]) == {"passed", "refusals"}
    assert found["version"] == 3


def test_a_good_model_beats_the_rungs_below_and_passes(tested):
    report = tested.report
    assert report.passed, report.refusals
    auc = {r.name: r.metrics["auc"].value for r in report.ladder if r.metrics}
    assert auc["prevalence"] == 0.5
    assert auc["model"] > auc["scorecard"] + 0.1
    assert report.decisive["loss_minus_scorecard"].high < 0


def test_the_ceiling_is_not_measured_where_the_truth_is_unknown(tested):
    rung = tested.report.rung("ceiling")
    assert rung.metrics == {}
    assert "not measured" in rung.note
    assert tested.report.headline is None


def test_the_share_of_the_ceiling_is_told_where_the_truth_is_known():
    data = replace(dated(partners=150, strength=1.5), scorecard=CARD)
    truth = 1 / (1 + np.exp(1 - 1.5 * data.frame["x0"].to_numpy()))
    report = run_backtest(data, settings=SETTINGS, params=QUICK, ceiling=truth).report
    assert report.rung("ceiling").metrics["auc"].value >= report.metrics["auc"].value - 0.01
    assert 0.8 < report.headline < 1.1


def test_noise_is_refused_in_words():
    report = run_backtest(dated(partners=100, strength=0.0), settings=SETTINGS, params=QUICK).report
    assert "PI-G003" in {r.code for r in report.refusals}
    assert any("refused: no signal" in r.message for r in report.refusals)


def test_a_planted_leak_blocks_promotion_until_confirmed():
    data = dated(partners=150, strength=1.0)
    y = data.frame.merge(data.outcomes[["row_id", "y"]], on="row_id", how="left")["y"]
    flipped = np.random.default_rng(0).random(data.size) < 0.02
    frame = data.frame.assign(exit_code=np.where(flipped, 1 - y, y))
    spec = replace(data.spec, features=(*data.spec.features, Feature("exit_code")))
    leaky = replace(data, frame=frame, spec=spec, source="snapshot")
    report = run_backtest(leaky, settings=SETTINGS, params=QUICK).report
    assert [r.code for r in report.refusals if "exit_code" in r.message] == ["PI-G009"]
    cleared = SETTINGS.model_copy(update={"confirmed": ("exit_code",)})
    again = run_backtest(leaky, settings=cleared, params=QUICK).report
    assert "PI-G009" not in {r.code for r in again.refusals}


def test_a_fixed_test_date_is_the_only_one_and_is_told():
    day = date.fromisoformat(str((START + 18 * 30 * DAY).astype("datetime64[D]")))
    report = run_backtest(dated(), settings=SETTINGS, params=QUICK, test_at=day).report
    assert report.split.startswith(f"purged time split: 1 test origin ({day})")
    assert report.n_test == 60


def test_undated_rows_say_that_folds_are_no_time_split():
    data = undated()
    report = run_backtest(data, settings=SETTINGS, params=QUICK).report
    # Folds are repeated, rows are not.
    assert (report.n_test, report.events) == (data.size, np.nansum(data.labels()))
    assert report.split.startswith("repeated grouped folds: 10 folds")
    assert report.rung("recency").metrics == {}


def test_hazards_are_judged_at_the_usual_horizon():
    report = run_backtest(hazard(), settings=SETTINGS, params=QUICK).report
    assert report.extra["horizon_days"] == 90
    assert report.metrics["auc"].value > 0.6


def test_ordered_classes_have_their_own_metrics_and_references():
    report = run_backtest(ordered(), settings=SETTINGS, params=QUICK).report
    assert set(report.metrics) == set(ORDERED_METRICS)
    assert report.metrics["quadratic_weighted_kappa"].value > 0.5
    assert {"persistence", "prevalence"} <= {r.name for r in report.ladder if r.metrics}
    assert "<svg" in render(report)


def test_a_simulated_report_says_what_it_proves():
    settings = SETTINGS.model_copy(update={"simulated": True})
    assert SIMULATED in run_backtest(dated(), settings=settings, params=QUICK).report.limits


def test_the_same_seed_gives_the_same_report():
    found = [run_backtest(dated(), settings=SETTINGS, params=QUICK).report.to_json() for _ in range(2)]
    assert found[0] == found[1]


class Links(HTMLParser):
    def __init__(self):
        super().__init__()
        self.outside, self.open, self.tags = [], [], set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.outside += [v for k, v in attrs if k in ("src", "href") and not v.startswith("data:")]
        if tag not in ("meta", "img", "br", "line", "circle", "text"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag in self.open:
            assert self.open.pop() == tag


def test_the_card_stands_alone_and_is_well_formed(tested, tmp_path):
    text = write_html(tested, tmp_path / "3.html").read_text()
    links = Links()
    links.feed(text)
    assert links.outside == []
    assert "script" not in links.tags
    assert links.open == []
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text
    assert text.count("data:image/png;base64,") == 1


def test_the_card_shows_refusals_and_escapes_what_customers_wrote(tested):
    refusal = Refusal("PI-G009", "refused: '<script>alert(1)</script>' looks like a leak.")
    text = render(replace(tested.report, refusals=(refusal,)))
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
    assert "Refused for promotion" in text
