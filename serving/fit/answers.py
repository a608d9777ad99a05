"""From prospects to answers: one pure function, for fresh requests, lists and replays alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from models.fit.asking import most_useful_missing, what_would_change
from models.fit.facts import GIVEN, build_facts
from models.fit.recruited import BaseRate, Recruited, Similar
from models.fit.settings import FitSettings, VettingSettings
from models.fit.vetting import vet
from serving.encoded import Encoded
from serving.scores import Input, Options, score_inputs
from serving.view import Served

ASSOCIATION = (
    "Associations, not causes: the score would be so; whether the prospect would succeed is not said."
)


@dataclass(frozen=True)
class FitOptions:
    """What goes into an answer beside model and prospects.

    Attributes:
        year: Calendar year to which ages are counted.
        max_reasons: Reasons for and against, each.
        changeable: Fields that can be chosen.
        vetting: Policy of the verdict, plain values.
    """

    year: int
    max_reasons: int
    changeable: tuple[str, ...]
    vetting: Mapping[str, Any]

    @classmethod
    def of(
        cls, settings: FitSettings, policy: Mapping[str, Any] | None, *, year: int, max_reasons: int
    ) -> FitOptions:
        """Those of the settings, with the vetting policy in force, if there is one."""
        vetting = policy if policy is not None else settings.vetting.model_dump(mode="json")
        return cls(year, max_reasons, settings.changeable, dict(vetting))


class FitModel:
    """A served model of fit with what is worked out of it once.

    Args:
        served: The model.
    """

    def __init__(self, served: Served) -> None:
        self.served = served
        self.bundle: Any = served.bundle
        self.recruited = Recruited(served.bundle)
        self.horizon = int(max(served.bundle.horizons))

    @property
    def extra(self) -> dict[str, str]:
        """Inputs that are not made of the fields of the prospects table, name → kind."""
        import pandas as pd

        own = set(build_facts(pd.DataFrame(index=[0]), year=0).columns)
        return {f.name: f.kind for f in self.bundle.spec.features if f.name not in own}

    def facts(self, rows: Sequence[Mapping[str, Any]], *, year: int) -> Any:
        """Raw feature rows of prospects, in the model's order."""
        import pandas as pd

        columns = {c: [_known(r.get(c)) for r in rows] for c in GIVEN}
        frame = build_facts(pd.DataFrame(columns), year=float(year))
        for name, kind in self.extra.items():
            values = [_known(r.get(name)) for r in rows]
            frame[name] = pd.Series(values, dtype=object if kind == "category" else "float64")
        return frame[list(self.bundle.spec.names)]

    def eta(self, rows: Sequence[Mapping[str, Any]], *, year: int) -> Any:
        """Calibrated log-odds of prospects, (n,)."""
        return self.bundle.eta(self.bundle.encode(self.facts(rows, year=year)), horizon=self.horizon)

    def fit_scores(self, matrix: Any) -> list[int | None]:
        """0–100: the probability in per cent, or the scorecard's points where there is no probability."""
        chance = self.bundle.score(matrix, horizons=[self.horizon]).probability[self.horizon]
        points = self.bundle.points(matrix)
        return [_score(p, s) for p, s in zip(chance, points, strict=True)]


def answer(
    model: FitModel, prospects: Sequence[tuple[str, Mapping[str, Any]]], options: FitOptions
) -> list[dict[str, Any]]:
    """Everything a recruiter is told about each prospect, without decision ids.

    Args:
        model: The model.
        prospects: (prospect_id, canonical row) of each.
        options: What else goes into the answer.
    """
    if not prospects:
        return []
    rows = [row for _, row in prospects]
    frame = model.facts(rows, year=options.year)
    encoded = Encoded.of(model.bundle, frame)
    inputs = [Input({}, None, stale=False)] * len(rows)
    wish = Options((model.horizon,), options.max_reasons)
    scored = [s[str(model.horizon)] for s in score_inputs(model.served, inputs, wish, encoded=encoded)]
    outside = model.bundle.outside(encoded.matrix)
    totals = model.fit_scores(encoded.matrix)
    similar = model.recruited.similar(frame)
    missing = _missing(model, rows, options)
    found = []
    for i, (prospect_id, row) in enumerate(prospects):
        told = {
            **scored[i],
            "reasons": [_with_base_rate(model, frame.iloc[i], r) for r in scored[i]["reasons"]],
        }
        found.append(
            {
                "prospect_id": prospect_id,
                "fit_score": totals[i],
                "fit_probability": told,
                "expected_value": _expected(model, told["value"]),
                "fit_score_is": "probability" if told["value"] is not None else "scorecard_points",
                "outside_experience": bool(outside[i]),
                "similar_partners": [_similar(s) for s in similar[i]],
                "most_useful_missing": missing[i],
                "what_would_change": _changes(model, row, told, options),
                "scorecard": scorecard_lines(model.bundle, frame.iloc[[i]]),
                "vetting": _vetting(model, row, totals[i], told["evidence"], bool(outside[i]), options),
            }
        )
    return found


def _expected(model: FitModel, chance: float | None) -> dict[str, str] | None:
    """Chance times what a partner that succeeded brought within the horizon; None where either is unknown."""
    margin = model.recruited.margin_usd
    if chance is None or margin is None:
        return None
    return {"amount": f"{chance * margin:.2f}", "currency": "USD"}


def scorecard_lines(bundle: Any, frame: Any) -> list[dict[str, Any]]:
    """Points of each criterion of the scorecard for one row; none where the model has no scorecard."""
    card = bundle.scorecard
    if card is None:
        return []
    points = card.contributions(frame)[0]
    return [
        {
            "criterion": c.feature,
            "label": c.label or c.feature,
            "points": round(float(p), 2),
            "of": round(float(c.weight), 2),
            "value": _plain(frame[c.feature].iloc[0]),
        }
        for c, p in zip(card.criteria, points, strict=True)
    ]


def _with_base_rate(model: FitModel, row: Any, reason: Mapping[str, Any]) -> dict[str, Any]:
    """The reason with how often recruited partners of such a value succeeded."""
    rate: BaseRate | None = None
    for feature in model.bundle.spec.features:
        value = _plain(row.get(feature.name))
        if feature.shown_factor == reason["factor"] and value is not None and value == reason["value"]:
            rate = model.recruited.base_rate(feature.name, value)
            break
    known = {"success_rate": rate.rate, "success_count": rate.count} if rate else {}
    return {**reason, "success_rate": None, "success_count": None, **known}


def _similar(found: Similar) -> dict[str, Any]:
    return {
        "partner_id": found.partner_id,
        "name": found.name,
        "succeeded": found.succeeded,
        "distance": round(found.distance, 6),
        "alike": list(found.alike),
    }


def _missing(model: FitModel, rows: Sequence[Mapping[str, Any]], options: FitOptions) -> list[list[str]]:
    known = {f: model.recruited.sample(f, 9) for f in GIVEN if f in model.recruited.facts}
    if "company_age_years" in model.recruited.facts:
        known["founded_year"] = [options.year - a for a in model.recruited.sample("company_age_years", 9)]
    given = {f: v for f, v in known.items() if v}
    asked = most_useful_missing(rows, lambda variants: model.eta(variants, year=options.year), fields=given)
    return [[m.field for m in found if m.spread > 1e-9] for found in asked]


def _changes(
    model: FitModel, row: Mapping[str, Any], told: Mapping[str, Any], options: FitOptions
) -> list[dict[str, Any]]:
    if told["value"] is None:
        # Its fit score is in points of the scorecard; what a change would give, in per cent.
        return []
    names = set(model.bundle.spec.names)
    fields = {f: model.recruited.levels(f) for f in options.changeable if f in names}
    now = told["baseline"] + sum(r["contribution"] for r in told["reasons"]) + told["other_factors"]
    plans = what_would_change(
        row, lambda rows: model.eta(rows, year=options.year), changeable=fields, now=now
    )
    changed = [{**row, **{f: then for f, (_, then) in plan.changes.items()}} for plan in plans]
    if not plans:
        return []
    frame = model.facts(changed, year=options.year)
    matrix = model.bundle.encode(frame)
    chance = model.bundle.score(matrix, horizons=[model.horizon]).probability[model.horizon]
    scores = model.fit_scores(matrix)
    return [
        {
            "changes": [
                {"field": f, "from": _plain(before), "to": _plain(then)}
                for f, (before, then) in plan.changes.items()
            ],
            "fit_score": scores[k],
            "fit_probability": None if chance[k] != chance[k] else float(chance[k]),
            "note": ASSOCIATION,
        }
        for k, plan in enumerate(plans)
    ]


def _vetting(
    model: FitModel,
    row: Mapping[str, Any],
    score: int | None,
    evidence: str,
    outside: bool,
    options: FitOptions,
) -> dict[str, Any]:
    policy = VettingSettings.model_validate(options.vetting)
    found = vet(
        row,
        fit_score=score,
        evidence=evidence,
        outside=outside,
        policy=policy,
        base_rate=model.recruited.rate,
    )
    checks = [{"criterion": c.criterion, "verdict": c.verdict, "sentence": c.sentence} for c in found.checks]
    return {"verdict": found.verdict, "checks": checks}


def _score(probability: float, points: float) -> int | None:
    value = 100.0 * probability if probability == probability else points
    return None if value != value else round(float(value))


def _known(value: Any) -> Any:
    return None if value is None or value == "" or value != value else value


def _plain(value: Any) -> Any:
    if value is None or value != value:
        return None
    return value if isinstance(value, str) else float(value)
