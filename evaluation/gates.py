"""Whether a candidate may be promoted; every refusal has a code and says what was measured.

Each check passes only when it can show a finite figure on the right side: NaN, infinity and figures that do
not exist refuse.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from evaluation.amounts import AMOUNT_METRICS
from evaluation.metrics import BINARY_METRICS
from evaluation.ordered import ORDERED_METRICS
from evaluation.report import Refusal, Report
from evaluation.resampling import Estimate
from evaluation.settings import EvaluationSettings

CODES = {
    "PI-G001": "every metric is finite",
    "PI-G002": "the mean log-loss is better than the scorecard's (or, without one, than the base rate's)",
    "PI-G003": "the interval of the AUC excludes 0.5",
    "PI-G004": "not worse than the champion by more than the margin",
    "PI-G005": "calibration-in-the-large is not wholly outside [0.9, 1.1]",
    "PI-G006": "the calibration slope is not wholly outside [0.8, 1.25]",
    "PI-G007": "scores move in the promised direction",
    "PI-G008": "no part of the partners is clearly worse",
    "PI-G009": "no unconfirmed column looks like a leak",
    "PI-G010": "enough positives and negatives were tested",
    "PI-G011": "a profile of one motion predicts better than the model of all motions",
}
CHAMPION = "loss_minus_champion"
LEAST_KAPPA = 0.2
"""Agreement below is slight: tiers given by it would nearly be drawn by lot.

Source: Landis and Koch, The measurement of observer agreement for categorical data (1977).
"""
IN_THE_LARGE = (0.9, 1.1)
SLOPE = (0.8, 1.25)
NAN = Estimate(math.nan, math.nan, math.nan)
Check = Callable[[Report], Iterator[Refusal]]


def check(report: Report, *, settings: EvaluationSettings | None = None) -> list[Refusal]:
    """All refusals of a candidate, in the order of their codes; none means it may be promoted.

    Args:
        report: The candidate's evaluation.
        settings: Margins; None: defaults.
    """
    settings = settings or EvaluationSettings()
    checks = _AMOUNTS if report.amounts else _ORDERED if report.ordered else _YES_NO
    found = [r for c in (*checks, *_COMMON) for r in c(report)]
    found += [*_champion(report, settings), *([] if report.ordered else _enough(report, settings))]
    return sorted(found, key=lambda r: (r.code, r.message))


def _shown(value: float) -> str:
    return f"{value:.4g}" if math.isfinite(value) else "not a finite number"


def _finite(report: Report) -> Iterator[Refusal]:
    wanted = AMOUNT_METRICS if report.amounts else ORDERED_METRICS if report.ordered else BINARY_METRICS
    every = dict.fromkeys((*wanted, *report.metrics))
    missing = [k for k in every if not math.isfinite(report.metrics.get(k, NAN).value)]
    if missing:
        names = ", ".join(missing) if report.metrics else "none was measured"
        yield Refusal("PI-G001", f"refused: metrics that are not finite numbers: {names}.")


def _beats_reference(report: Report) -> Iterator[Refusal]:
    own = report.metrics.get("log_loss", NAN).value
    named = next(
        (n for n in ("scorecard", "prevalence") if (r := report.rung(n)) and r.metrics), "prevalence"
    )
    rung = report.rung(named)
    reference = rung.metrics.get("log_loss", NAN).value if rung else math.nan
    if not (math.isfinite(own) and math.isfinite(reference) and own < reference):
        yield Refusal(
            "PI-G002",
            f"refused: log-loss {_shown(own)} is not better than {_shown(reference)} of the {named}, "
            f"which stays in use.",
        )


def _signal(report: Report) -> Iterator[Refusal]:
    auc = report.metrics.get("auc", NAN)
    if not auc.finite:
        yield Refusal(
            "PI-G003",
            "refused: not enough evidence. The AUC or its interval cannot be computed: too few entities had "
            "the outcome, or all of them did.",
        )
    elif not auc.low > 0.5:
        yield Refusal(
            "PI-G003",
            f"refused: no signal. The AUC {_shown(auc.value)} has the interval "
            f"[{_shown(auc.low)}, {_shown(auc.high)}], which does not lie above 0.5: the features do not "
            "tell who will have the outcome.",
        )


def _champion(report: Report, settings: EvaluationSettings) -> Iterator[Refusal]:
    """Judged only where a champion was backtested; a scorecard as champion is judged by PI-G002."""
    e, margin = report.decisive.get(CHAMPION), settings.champion_margin
    if e is not None and not (e.finite and e.low <= margin):
        shown = f"{_shown(e.value)} [{_shown(e.low)}, {_shown(e.high)}]"
        yield Refusal(
            "PI-G004",
            f"refused: worse than the champion. Its loss is higher by {shown}; allowed: up to {margin:g}.",
        )


def _pooled(report: Report) -> Iterator[Refusal]:
    rung = report.rung("pooled")
    if rung is None or not rung.metrics:
        return
    own, theirs = (m.get("log_loss", NAN).value for m in (report.metrics, rung.metrics))
    if not (math.isfinite(own) and math.isfinite(theirs) and own < theirs):
        yield Refusal(
            "PI-G011",
            f"refused: log-loss {_shown(own)} is not better than {_shown(theirs)} of the model of all "
            "motions, which serves this motion.",
        )


def _outside(estimate: Estimate, low: float, high: float) -> bool:
    """Wholly outside, or unknown."""
    return not estimate.finite or estimate.low > high or estimate.high < low


def _in_the_large(report: Report) -> Iterator[Refusal]:
    e = report.metrics.get("calibration_in_the_large", NAN)
    if _outside(e, *IN_THE_LARGE):
        yield Refusal(
            "PI-G005",
            f"refused: {_shown(e.value)} [{_shown(e.low)}, {_shown(e.high)}] outcomes happened per outcome "
            "predicted; the interval must meet [0.9, 1.1].",
        )


def _slope(report: Report) -> Iterator[Refusal]:
    e = report.metrics.get("calibration_slope", NAN)
    if _outside(e, *SLOPE):
        yield Refusal(
            "PI-G006",
            f"refused: calibration slope {_shown(e.value)} [{_shown(e.low)}, {_shown(e.high)}]; the interval "
            "must meet [0.8, 1.25]. Below, the model is over-confident; above, too timid.",
        )


def _monotone(report: Report) -> Iterator[Refusal]:
    if report.monotone_violations != 0:
        yield Refusal(
            "PI-G007",
            f"refused: {report.monotone_violations} scores moved against the direction the model promises.",
        )


def _slices(report: Report) -> Iterator[Refusal]:
    for s in report.slices:
        if s.clearly_worse:
            yield Refusal("PI-G008", f"refused: clearly worse for {s.column} = {s.value} ({s.n} rows).")


def _leaks(report: Report) -> Iterator[Refusal]:
    for s in report.suspects:
        if not s.confirmed:
            yield Refusal(
                "PI-G009",
                f"refused: {s.column!r} looks like a leak: {s.why} Declare it under `post_outcome:`, or, if "
                "it is known before the outcome, list it under `evaluation: confirmed:`.",
            )


def _enough(report: Report, settings: EvaluationSettings) -> Iterator[Refusal]:
    negatives = report.n_test - report.events
    if report.amounts:
        if report.events < settings.min_events:
            yield Refusal(
                "PI-G010",
                f"refused: {report.events} amounts above zero were tested; needed: at least "
                f"{settings.min_events}. The scorecard stays in use.",
            )
    elif not min(report.events, negatives) >= settings.min_events:
        yield Refusal(
            "PI-G010",
            f"refused: {report.events} positives and {negatives} negatives were tested; at least "
            f"{settings.min_events} of each are needed. The scorecard stays in use.",
        )


def _ordered_signal(report: Report) -> Iterator[Refusal]:
    kappa = report.metrics.get("quadratic_weighted_kappa", NAN)
    if not (kappa.finite and kappa.low > 0 and kappa.value >= LEAST_KAPPA):
        yield Refusal(
            "PI-G003",
            f"refused: not learnable from these columns. The weighted kappa {_shown(kappa.value)} "
            f"[{_shown(kappa.low)}, {_shown(kappa.high)}] is hardly better than chance; needed: at least "
            f"{LEAST_KAPPA:g}, with an interval above 0.",
        )


def _amount_signal(report: Report) -> Iterator[Refusal]:
    gini = report.metrics.get("gini", NAN)
    if not (gini.finite and gini.low > 0):
        yield Refusal(
            "PI-G003",
            f"refused: no signal. The Gini {_shown(gini.value)} has the interval "
            f"[{_shown(gini.low)}, {_shown(gini.high)}], which does not lie above 0.",
        )


def _beats_past(report: Report) -> Iterator[Refusal]:
    """Better than the scorecard and than past revenue: a tier on the past alone needs no model."""
    own = report.metrics.get("tweedie_loss", NAN).value
    named = [n for n in ("scorecard", "past_revenue", "prevalence") if (r := report.rung(n)) and r.metrics]
    for name in named or ["prevalence"]:
        rung = report.rung(name)
        reference = rung.metrics.get("tweedie_loss", NAN).value if rung else math.nan
        if not (math.isfinite(own) and math.isfinite(reference) and own < reference):
            shown = f"{_shown(own)} is not better than {_shown(reference)}"
            yield Refusal("PI-G002", f"refused: Tweedie loss {shown} of {name}, which stays in use.")


def _beats_persistence(report: Report) -> Iterator[Refusal]:
    own = report.metrics.get("mean_absolute_error", NAN).value
    for name in ("persistence", "prevalence"):
        rung = report.rung(name)
        if rung is None or not rung.metrics:
            continue
        reference = rung.metrics["mean_absolute_error"].value
        if not (math.isfinite(own) and math.isfinite(reference) and own < reference):
            shown = f"{_shown(own)} is not better than {_shown(reference)}"
            yield Refusal("PI-G002", f"refused: mean absolute error {shown} of {name}.")


_YES_NO: tuple[Check, ...] = (
    _finite,
    _beats_reference,
    _signal,
    _pooled,
    _in_the_large,
    _slope,
)
_ORDERED: tuple[Check, ...] = (_finite, _beats_persistence, _ordered_signal)
_AMOUNTS: tuple[Check, ...] = (_finite, _beats_past, _amount_signal, _in_the_large)
_COMMON: tuple[Check, ...] = (_monotone, _slices, _leaks)
