"""Making a decision again, with the model of then on the features of then."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from data.errors import PartnerIntelError
from serving.auth import Identity
from serving.decisions import Decision, DecisionLog, canonical
from serving.scores import Input, Options, score_inputs
from serving.scoring import answer_of
from serving.view import Served

MAX_DIFFERENCES = 50
# Makes a decision's answer again; raises our errors when it cannot.
Maker = Callable[[Decision], Mapping[str, Any]]


class Replay:
    """Reads decisions and checks that they can be made again, bit for bit.

    Args:
        decisions: Where they are kept.
        model_of: Gives a version of a model, verified; raises our errors when it cannot.
        makers: For each further kind of decision, what makes its answer again.
        details: For some kinds, what more there is to show.
        sees: Whether a caller sees a partner, and so what the nightly refresh decided about it.
    """

    def __init__(
        self,
        decisions: DecisionLog,
        *,
        model_of: Callable[[str, str, str], Served],
        makers: Mapping[str, Maker] | None = None,
        details: Mapping[str, Maker] | None = None,
        sees: Callable[[str, Identity], bool] | None = None,
    ) -> None:
        self._decisions, self._model_of, self._sees = decisions, model_of, sees
        self._details = details or {}
        self._makers: dict[str, Maker] = {"score": self._score, **(makers or {})}

    def show(self, decision_id: str, *, identity: Identity) -> dict[str, Any]:
        """The decision and the outcome of its replay.

        Raises:
            NotFoundError: There is none, or it is another's.
        """
        sees = self._sees
        stored = self._decisions.read(
            decision_id,
            identity=identity,
            sees=(lambda entity: sees(entity.get("partner_id", ""), identity)) if sees else None,
        )
        decision = stored.decision
        return {
            "decision_id": decision.decision_id,
            "kind": decision.kind,
            "created_at": stored.created_at,
            "owner": stored.owner,
            "entity_id": dict(decision.entity_id),
            "model": decision.model,
            "model_version": decision.model_version,
            "manifest_sha256": decision.manifest_sha256,
            "matrix_version": decision.matrix_version,
            "features_as_of": decision.features_as_of,
            "features": {k: None if v != v else v for k, v in decision.features.items()},
            "request": dict(decision.request),
            "response": dict(decision.response),
            **self._more(decision),
            **self._outcome(decision),
        }

    def _more(self, decision: Decision) -> dict[str, Any]:
        """What only decisions of this kind have to show."""
        if decision.kind == "score":
            # A score that opened an alert was judged by a policy.
            return {"details": {"policy": kept}} if (kept := decision.options.get("policy")) else {}
        found = self._details.get(decision.kind)
        return {"details": dict(found(decision))} if found else {}

    def _score(self, decision: Decision) -> Mapping[str, Any]:
        served = self._model_of(decision.model, decision.model_version, decision.manifest_sha256)
        return made_again(decision, served)

    def _outcome(self, decision: Decision) -> dict[str, Any]:
        try:
            replayed = dict(self._makers[decision.kind](decision))
        except PartnerIntelError as error:
            return {"replayed": "impossible", "why": str(error), "differences": []}
        if canonical(replayed) == canonical(dict(decision.response)):
            return {"replayed": "identical", "why": None, "differences": []}
        found = differences(decision.response, replayed)[:MAX_DIFFERENCES]
        why = (
            "The same model on the same features gave another answer: another processor or library version "
            "computes the last digits differently, or the record was changed."
        )
        return {"replayed": "different", "why": why, "differences": found}


def made_again(decision: Decision, served: Served) -> dict[str, Any]:
    """The answer of `served` to the decision's features under its options."""
    kept = decision.options
    row = Input(decision.features, decision.features_as_of, stale=kept["stale"])
    options = Options(
        horizons=tuple(kept["horizons"]),
        max_reasons=kept["max_reasons"],
        stale_views=tuple(kept["stale_views"]),
        stale_features=tuple(kept["stale_features"]),
        degraded=kept["degraded"],
    )
    scores = score_inputs(served, [row], options)[0]
    return answer_of(decision.entity_id, scores, decision.decision_id)


def differences(stored: Any, replayed: Any, at: str = "") -> list[dict[str, Any]]:
    """Where two answers differ, with pointers."""
    if isinstance(stored, Mapping) and isinstance(replayed, Mapping):
        keys = sorted({*stored, *replayed})
        return [d for k in keys for d in differences(stored.get(k), replayed.get(k), f"{at}/{k}")]
    same_length = isinstance(stored, list) and isinstance(replayed, list) and len(stored) == len(replayed)
    if same_length:
        pairs = enumerate(zip(stored, replayed, strict=True))
        return [d for i, (a, b) in pairs for d in differences(a, b, f"{at}/{i}")]
    if canonical(stored) == canonical(replayed):
        return []
    return [{"pointer": at, "stored": stored, "replayed": replayed}]
