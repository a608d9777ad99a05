"""Models: what is in service, how it was judged against its references, and who put it there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from serving.console.charts import amounts, ladder, reliability
from serving.console.pages import console_of
from serving.console.render import page

if TYPE_CHECKING:
    from serving.console.rooms import Cases

METRICS: Mapping[str, tuple[str, str]] = {
    "top_fifth_share": ("Share in the top fifth", "of all that came, what the fifth ranked highest brought"),
    "gini": ("Gini", "steepness of the ranking as a share of hindsight's; 0 is chance"),
    "tweedie_loss": ("Tweedie loss", "misfit in which large amounts do not drown the rest; less is better"),
    "auc": ("AUC", "chance that one with the outcome is ranked above one without; 0.5 is a coin"),
    "average_precision": ("Average precision", "mean precision at each hit"),
    "log_loss": ("Log-loss", "surprise per row; less is better"),
    "brier": ("Brier score", "mean squared error of the probability; less is better"),
    "calibration_slope": ("Calibration slope", "1 is right; below, the model is over-confident"),
    "calibration_in_the_large": ("Calibration in the large", "outcomes per outcome predicted; 1 is right"),
    "precision_at_50": ("Precision in the top 50", "share of hits among the 50 highest scores of a date"),
    "lift_at_10pct": ("Lift in the top tenth", "hits in the highest tenth, relative to chance"),
    "quadratic_weighted_kappa": ("Weighted kappa", "agreement beyond chance; far misses count more"),
    "macro_f1": ("Macro F1", "mean over classes, small ones count alike"),
    "mean_absolute_error": ("Mean absolute error", "mean distance to the truth; less is better"),
}
RUNGS: Mapping[str, str] = {
    "prevalence": "Base rate for everyone",
    "recency": "One-line recency rule",
    "scorecard": "Your scorecard",
    "logistic": "Penalised logistic regression",
    "past_revenue": "Past revenue",
    "model": "This model",
    "ceiling": "Best possible",
    "hindsight": "Hindsight",
}


MOVED = ("moved", "shifted")
MOST_COLUMNS = 20


def mount(router: APIRouter, use_cases: Callable[[], Cases]) -> None:
    """Add the pages."""

    @router.get("/console/models")
    def listing(request: Request) -> Response:
        records, models = console_of(use_cases).records, use_cases().shelf.models()
        return page(
            request,
            "models.html",
            models=models,
            drifts={m["name"]: records.drift(m["name"]) for m in models},
        )

    @router.get("/console/models/{name}/drift")
    def drift(request: Request, name: str) -> Response:
        console = console_of(use_cases)
        model, found = use_cases().shelf.model(name), console.records.drift(name)
        features = found["features"] if found else []
        return page(
            request,
            "drift.html",
            model=model,
            drift=found,
            tone=_tone(found) if found else "",
            moved=sum(f["verdict"] in MOVED for f in features),
            shown=features if request.query_params.get("all") else features[:MOST_COLUMNS],
            now=console.clock(),
        )

    @router.get("/console/models/{name}")
    def one(request: Request, name: str) -> Response:
        records = console_of(use_cases).records
        model = use_cases().shelf.model(name)
        versions = records.versions(name)
        asked = request.query_params.get("version", "")
        served = model["version"] or ""
        chosen = asked if asked in versions else served if served in versions else (versions or [""])[0]
        report = records.report(name, chosen) if chosen else None
        return page(
            request,
            "model.html",
            model=model,
            report=report,
            version=chosen,
            versions=versions,
            promotions=records.promotions(name),
            drift=records.drift(name),
            metrics=METRICS,
            rungs=RUNGS,
            **_charts(report),
        )


def _tone(found: Mapping[str, Any]) -> str:
    """Colour of the advice: whether anything is to be done."""
    verdict = found["score"]["verdict"]
    if verdict == "not_enough":
        return ""
    calm = all(line.startswith("Nothing to do") for line in found["advice"])
    return "bad" if verdict == "shifted" else "good" if calm else "warn"


def _charts(report: Mapping[str, Any] | None) -> dict[str, Any]:
    if report is None:
        return {"main": "", "ladder": {}, "reliability": None, "amounts": False, "bins": []}
    rungs = report.get("ladder", [])
    main = next((m for m in METRICS if any(m in r["metrics"] for r in rungs)), "auc")
    bins = [b for b in report.get("reliability", []) if None not in b.values()]
    of_amounts = "top_fifth_share" in report.get("metrics", {})
    plot = (amounts(bins) if of_amounts else reliability(bins)) if bins else None
    return {
        "main": main,
        "ladder": ladder(rungs, main),
        "reliability": plot,
        "amounts": of_amounts,
        "bins": bins,
    }
