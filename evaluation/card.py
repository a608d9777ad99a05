"""The model card: one HTML file that opens anywhere and prints well."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from evaluation.backtest import Backtest
from evaluation.charts import ReliabilityChart, amount_chart, ladder_chart, reliability_chart
from evaluation.drivers import draw_drivers
from evaluation.origin import MODEL
from evaluation.report import Report, write_text
from evaluation.resampling import Estimate

TEMPLATES = Path(__file__).parent / "templates"
NAMES = {
    "auc": "AUC",
    "average_precision": "Average precision",
    "log_loss": "Log-loss",
    "brier": "Brier score",
    "calibration_slope": "Calibration slope",
    "calibration_in_the_large": "Calibration in the large",
    "precision_at_50": "Precision in the top 50",
    "lift_at_10pct": "Lift in the top tenth",
    "quadratic_weighted_kappa": "Weighted kappa",
    "macro_f1": "Macro F1",
    "mean_absolute_error": "Mean absolute error",
    "top_fifth_share": "Share in the top fifth",
    "gini": "Gini",
    "tweedie_loss": "Tweedie loss",
}
MEANINGS = {
    "auc": "chance that one who had the outcome is ranked above one who had not; 0.5 is a coin",
    "average_precision": "mean precision at each hit",
    "log_loss": "surprise per row, in nats; less is better",
    "brier": "mean squared error of the probability; less is better",
    "calibration_slope": "1 is right; below, the model is over-confident",
    "calibration_in_the_large": "outcomes that happened per outcome predicted; 1 is right",
    "precision_at_50": "share of hits among the 50 highest scores of a test date",
    "lift_at_10pct": "hits in the highest tenth, relative to chance",
    "quadratic_weighted_kappa": "agreement beyond chance; far misses count more",
    "macro_f1": "mean over classes, small ones count alike",
    "mean_absolute_error": "mean distance to the true class or amount; less is better",
    "top_fifth_share": "share of all that came which came from the fifth ranked highest",
    "gini": "steepness of the ranking, as a share of what hindsight gives; 0 is chance",
    "tweedie_loss": "misfit of amounts, in which large ones do not drown the rest; less is better",
}


def write_html(tested: Backtest, path: Path) -> Path:
    """Write the model card of a backtest, replacing the file in one step."""
    return write_text(render(tested.report, drivers=draw_drivers(tested.bundle, tested.rows)), path)


def render(report: Report, *, drivers: str = "") -> str:
    """The card as HTML.

    Args:
        report: Findings.
        drivers: Picture of `draw_drivers`; '' leaves the section out.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {"figure": figure, "interval": interval, "share": share, "count": "{:,}".format}
    main = "top_fifth_share" if report.amounts else "mean_absolute_error" if report.ordered else "auc"
    return environment.get_template("card.html").render(
        report=report,
        names=NAMES,
        meanings=MEANINGS,
        main=main,
        ladder=ladder_chart(report.ladder, metric=main, own=MODEL),
        columns=_columns(report),
        reliability=_reliability(report),
        drivers=drivers,
        extra=report.extra,
        differences=_differences(report.decisive),
    )


def figure(estimate: Estimate | None) -> str:
    """The value of an estimate, or a dash."""
    return "–" if estimate is None or not math.isfinite(estimate.value) else _shown(estimate.value)


def interval(estimate: Estimate | None) -> str:
    """The interval of an estimate, or ''."""
    if estimate is None or not math.isfinite(estimate.low) or not math.isfinite(estimate.high):
        return ""
    between = " to " if estimate.low < 0 else "–"
    return f"{_shown(estimate.low)}{between}{_shown(estimate.high)}"


def _shown(value: float) -> str:
    """Amounts in whole units, everything else with three digits."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3f}"


def share(value: float | None) -> str:
    """A share in per cent, or a dash."""
    return "–" if value is None or not math.isfinite(value) else f"{value:.1%}"


def _columns(report: Report) -> list[str]:
    """Metrics of the ladder's table."""
    return [k for k in NAMES if any(k in r.metrics for r in report.ladder)]


def _reliability(report: Report) -> ReliabilityChart | None:
    if not report.reliability:
        return None
    return amount_chart(report.reliability) if report.amounts else reliability_chart(report.reliability)


def _differences(decisive: Mapping[str, Estimate]) -> list[dict[str, Any]]:
    return [
        {"name": k.removeprefix("loss_minus_"), "estimate": e, "better": e.finite and e.high < 0}
        for k, e in decisive.items()
    ]
