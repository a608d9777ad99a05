"""The use case of scoring prospects: which model answers, and what is put on record."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from typing import Any

from models.fit.settings import FitSettings
from serving.auth import Identity
from serving.decisions import Decision
from serving.fit.answers import FitModel, FitOptions, answer
from serving.fit.prospects import Prospect, check_prospects
from serving.ids import new_id
from serving.shared import Shared
from serving.view import Served

FIT = "fit"
POLICY = "vetting"


class FitScoring:
    """Scores of prospects; every answer is a recorded decision.

    Args:
        shared: What every capability is made from.
        settings: The mapping's fit section.
    """

    def __init__(self, shared: Shared, settings: FitSettings) -> None:
        self._shared, self.settings = shared, settings
        self._models: dict[str, FitModel] = {}
        self._lock = Lock()

    def score(
        self,
        prospects: Sequence[Any],
        *,
        identity: Identity,
        motion: str | None = None,
        max_reasons: int = 5,
    ) -> dict[str, Any]:
        """Answers of the good prospects, faults of the others.

        Args:
            prospects: Rows as sent, of any type.
            identity: Who asks.
            motion: Go-to-market motion of those that name none; its own profile answers where one serves.
            max_reasons: Reasons for and against, each.
        """
        pooled = self.model_of(None)
        good, bad = check_prospects(prospects, extra=pooled.extra)
        good = [_with_motion(p, motion) for p in good]
        options = self.options(max_reasons)
        by_model: dict[int, tuple[FitModel, list[Prospect]]] = {}
        for one in good:
            model = self.model_of(one.row.get("motion"))
            by_model.setdefault(id(model), (model, []))[1].append(one)
        results = {}
        for model, ones in by_model.values():
            for one, found in zip(ones, self._decide(model, ones, options, identity=identity), strict=True):
                results[one.number] = found
        return {
            "results": [results[n] for n in sorted(results)],
            "errors": [b.as_dict() for b in bad],
        }

    def model_of(self, motion: str | None) -> FitModel:
        """The profile of a motion where one serves, else the model of all motions.

        Raises:
            UnavailableError: No version of fit is in service.
        """
        view = self._shared.view()
        name = f"{FIT}.{' '.join(str(motion).split()).casefold()}" if motion else FIT
        served = view.models.get(name)
        if served is None or served.bundle.kind == "scorecard":
            served = view.model(FIT)
        return self.prepared(served)

    def prepared(self, served: Served) -> FitModel:
        """A served model with what is worked out of it once."""
        key = f"{served.bundle.model}:{served.version}:{served.bundle.manifest_sha256}"
        with self._lock:
            found = self._models.get(key)
            if found is None or found.bundle is not served.bundle:
                found = self._models[key] = FitModel(served)
                if len(self._models) > 16:
                    del self._models[next(iter(self._models))]
        return found

    def options(self, max_reasons: int) -> FitOptions:
        """What goes into answers given now."""
        policy = self.policy()
        year = self._shared.edges.clock().year
        return FitOptions.of(self.settings, policy, year=year, max_reasons=max_reasons)

    def policy(self) -> Mapping[str, Any] | None:
        """The vetting policy in force; None: the one of the settings."""
        holds = self._shared.policies.in_force(POLICY)
        return self._shared.policies.read(POLICY, holds.version).body if holds else None

    def again(self, model_of: Callable[[str, str, str], Served]) -> Callable[[Decision], Mapping[str, Any]]:
        """What makes a decision of this kind again."""

        def make(decision: Decision) -> Mapping[str, Any]:
            served = model_of(decision.model, decision.model_version, decision.manifest_sha256)
            kept = decision.options
            options = FitOptions(
                kept["year"], kept["max_reasons"], tuple(kept["changeable"]), kept["vetting"]
            )
            prospect_id = decision.entity_id["prospect_id"]
            found = answer(FitModel(served), [(prospect_id, kept["row"])], options)[0]
            return _with_decision(found, decision.decision_id)

        return make

    def _decide(
        self, model: FitModel, ones: Sequence[Prospect], options: FitOptions, *, identity: Identity
    ) -> list[dict[str, Any]]:
        answers = answer(model, [(p.prospect_id, p.row) for p in ones], options)
        frame = model.facts([p.row for p in ones], year=options.year)
        at, edges = self._shared.edges.clock(), self._shared.edges
        decisions = []
        for k, (one, found) in enumerate(zip(ones, answers, strict=True)):
            decision_id = new_id("dec", at=at, random=edges.random)
            kept = {k: v for k, v in one.row.items() if v is not None}
            decisions.append(
                Decision(
                    decision_id=decision_id,
                    entity_id={"prospect_id": one.prospect_id},
                    model=model.bundle.model,
                    model_version=model.served.version,
                    manifest_sha256=model.bundle.manifest_sha256,
                    matrix_version=None,
                    features_as_of=None,
                    features={c: _plain(v) for c, v in frame.iloc[k].items()},
                    options={
                        "year": options.year,
                        "max_reasons": options.max_reasons,
                        "changeable": list(options.changeable),
                        "vetting": dict(options.vetting),
                        "row": kept,
                    },
                    request=one.sent,
                    response=_with_decision(found, decision_id),
                    kind=FIT,
                )
            )
            self._shared.metrics.scores.labels(FIT, found["fit_probability"]["evidence"]).inc()
        self._shared.decisions.record(decisions, identity=identity, at=at)
        return [dict(d.response) for d in decisions]


def _with_motion(prospect: Prospect, motion: str | None) -> Prospect:
    if motion is None or prospect.row.get("motion"):
        return prospect
    return Prospect(prospect.number, prospect.prospect_id, {**prospect.row, "motion": motion}, prospect.sent)


def _with_decision(found: Mapping[str, Any], decision_id: str) -> dict[str, Any]:
    return {**found, "fit_probability": {**found["fit_probability"], "decision_id": decision_id}}


def _plain(value: Any) -> float | str | None:
    if value is None or value != value:
        return None
    return value if isinstance(value, str) else float(value)
