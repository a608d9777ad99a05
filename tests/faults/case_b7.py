"""B7: rows the model was not made for: unknown categories, gaps, absurd sizes, nothing but constants."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from models.scoring import Bundle, Explanation
from serving.rows import MAX_NUMBER
from serving.scores import Input, Options, score_inputs
from serving.view import Served as ServedModel
from tests.faults.harness import Outcome, judged
from tests.faults.target import of_served, served_product
from tests.unit.serving.world import good_row, small_bundle

TITLE = "Rows the model has not seen the like of are answered with warnings or no value; reasons still add up"
QUICK, FULL = 2, 60  # partners that are spoilt in every way
SHARES_PRODUCT = True
SCORE = "/v1/churn/score"
ADDS_UP = 1e-6
Row = dict[str, Any]
Answer = tuple[int, dict[str, Any]]  # status, document


@dataclass(frozen=True)
class Spoilt:
    """Rows of one kind.

    Attributes:
        kind: What was done.
        rows: Rows as sent; the first is as it should be where `against_first`.
        warned: Whether every spoilt row must be answered with a warning.
        against_first: Whether the first row is the same partner unspoilt.
    """

    kind: str
    rows: tuple[Row, ...]
    warned: bool = False
    against_first: bool = False


def run(size: int) -> Outcome:
    """Several partners, each spoilt in every way, to the served product."""
    with served_product() as served:
        target = of_served(served)

        def ask(rows: Sequence[Row]) -> Answer:
            answer = target.call("POST", SCORE, json={"rows": list(rows), "max_reasons": 20})
            return answer.status_code, answer.json()

        return _tried(range(size), ask)


def planted() -> Outcome:
    """The same with a model that explains half of what it does."""
    model = ServedModel(HalfExplained(**vars(small_bundle())), "1", "registry")

    def ask(rows: Sequence[Row]) -> Answer:
        inputs = [Input(r["features"], None, stale=False) for r in rows]
        scored = score_inputs(model, inputs, Options((30, 90, 180), 20))
        return 200, {"results": [{"churn_probability": s} for s in scored], "errors": []}

    return _tried(range(1), ask)


class HalfExplained(Bundle):
    """Tells half of every contribution."""

    def explain(self, matrix: Any) -> Explanation:
        whole = super().explain(matrix)
        return replace(whole, contributions=whole.contributions / 2)


def spoilt_rows(seed: int) -> Iterator[Spoilt]:
    """One partner, spoilt in every way."""
    row = good_row("whole", seed=seed)
    features = row["features"]
    numbers = {k: v for k, v in features.items() if isinstance(v, float)}

    def changed(**changes: Any) -> Row:
        return {**row, "partner_id": "spoilt", "features": {**features, **changes}}

    for text in ("XX", "de", "", "Ünïcödé 日本", "=1+1", "null", "x" * 200):
        yield Spoilt(f"country {text!r}", (changed(country=text),), warned=True)
    for name in features:
        without = {k: v for k, v in features.items() if k != name}
        rows = (row, changed(**{name: None}), {**row, "partner_id": "spoilt", "features": without})
        yield Spoilt(f"without {name}", rows, against_first=True)
    nothing = changed(**dict.fromkeys(features))
    yield Spoilt("nothing known", (nothing, {**row, "features": {}}), warned=True)
    for factor in (100.0, -100.0, 1e12):
        every = {k: _within((v or 1) * factor) for k, v in numbers.items()}
        yield Spoilt(f"all × {factor:g}", (changed(**every),), warned=True)
        for name, value in numbers.items():
            yield Spoilt(f"{name} × {factor:g}", (changed(**{name: _within(value * factor)}),))
    for value in (0.0, 1.0, 1e15):
        yield Spoilt(f"all are {value:g}", (changed(**dict.fromkeys(numbers, value)),) * 5)


def _within(value: float) -> float:
    """As large as a number may be; beyond that it is a bad body."""
    return max(-MAX_NUMBER, min(MAX_NUMBER, value))


def _tried(seeds: Sequence[int], ask: Callable[[Sequence[Row]], Answer]) -> Outcome:
    faults, tried, without_value = [], 0, 0
    for spoilt in (s for seed in seeds for s in spoilt_rows(seed)):
        status, document = ask(spoilt.rows)
        tried += len(spoilt.rows)
        if status != 200 or document["errors"] or len(document["results"]) != len(spoilt.rows):
            faults.append(f"{spoilt.kind}: {status} {str(document)[:200]}")
            continue
        answers = [r["churn_probability"] for r in document["results"]]
        without_value += sum(a["90"]["value"] is None for a in answers)
        faults += [f"{spoilt.kind}: {why}" for why in _faults(spoilt, answers)]
    told = f"{tried} rows, {without_value} without a value, the others add up to {ADDS_UP:g}"
    return judged(tried, faults, told)


def _faults(spoilt: Spoilt, answers: Sequence[dict[str, Any]]) -> Iterator[str]:
    for by_horizon in answers:
        values = [by_horizon[h]["value"] for h in ("30", "90", "180")]
        if None not in values and values != sorted(values):
            yield f"the longer horizon is less likely: {values}"
        for score in by_horizon.values():
            yield from _score_faults(score)
    changed = [a["90"] for a in answers[1:]] if spoilt.against_first else [a["90"] for a in answers]
    for score in changed:
        if spoilt.warned and not score["warnings"]:
            yield "no warning"
        if spoilt.against_first and _width(score) < _width(answers[0]["90"]) - 1e-9:
            yield "with less known the interval became narrower"
    if any(_without_id(a) != _without_id(changed[0]) for a in changed):
        yield "equal rows were answered differently"


def _score_faults(score: dict[str, Any]) -> Iterator[str]:
    if (score["value"] is None) != (score["evidence"] == "insufficient"):
        yield f"value {score['value']} with evidence {score['evidence']}"
    if abs(score["other_factors"]) > ADDS_UP:
        yield f"all reasons are shown and {score['other_factors']:.3g} is left"
    if score["value"] is None:
        return
    eta = score["baseline"] + math.fsum(r["contribution"] for r in score["reasons"]) + score["other_factors"]
    if abs(_probability(eta, score["scale"]) - score["value"]) > ADDS_UP:
        yield f"reasons add up to {_probability(eta, score['scale'])}, not {score['value']}"
    if not score["interval"][0] <= score["value"] <= score["interval"][1]:
        yield f"{score['value']} is not within {score['interval']}"


def _probability(eta: float, scale: str) -> float:
    if scale == "log_odds":
        return 1 / (1 + math.exp(-eta))
    return -math.expm1(-math.exp(min(eta, 50.0)))


def _width(score: dict[str, Any]) -> float:
    """Width of the interval on the scale it was made on; without a value nothing is claimed."""
    if score["interval"] is None:
        return math.inf
    low, high = (min(max(p, 1e-15), 1 - 1e-15) for p in score["interval"])
    return math.log(-math.log1p(-high)) - math.log(-math.log1p(-low))


def _without_id(score: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in score.items() if k != "decision_id"}
