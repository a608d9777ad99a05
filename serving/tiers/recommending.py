"""Tier recommendations for partners in service; every one is a decision that can be replayed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

from data.errors import InputError, NotFoundError
from models.tiering.policy import TierPolicy
from models.tiering.recommend import recommend
from models.tiering.stability import Memory
from serving.auth import Identity
from serving.decisions import Decision, DecisionLog
from serving.errors import UnavailableError
from serving.ids import new_id
from serving.overrides import Override, Overrides
from serving.scores import Input, Options, score_inputs
from serving.settings import ServingSettings
from serving.tiers.answers import ENDED, ended_in_words, potential_of, told, without_recommendation
from serving.tiers.rules import TierRules
from serving.tiers.store import Standing, TierStore
from serving.view import Partners, Served, View

MODEL = "tiering"
NO_MODEL = "No model of the potential is in service; its measures earn half their points."
NO_REVIEW = "No earlier review is on record: the points are those of now alone."
ModelOf = Callable[[str, str, str], Served]
Score = dict[str, Any] | None


class Recommending:
    """Judges partners by the policy in force, on the features in memory.

    Args:
        view: Models and features in service.
        rules: The policy.
        store: Standings of the last review.
        overrides: People's values.
        decisions: Where decisions are kept.
        model_of: A version of a model, for replays.
        settings: Ages at which features are stale or expired.
        ended: Partner → day its agreement ended, at a moment.
        clock: Naive UTC time.
        random: Source of random bytes for ids.
    """

    def __init__(
        self,
        view: Callable[[], View],
        *,
        rules: TierRules,
        store: TierStore,
        overrides: Overrides,
        decisions: DecisionLog,
        model_of: ModelOf,
        settings: ServingSettings,
        ended: Callable[[datetime], Mapping[str, str]],
        clock: Callable[[], datetime],
        random: Callable[[int], bytes],
    ) -> None:
        self._view, self._rules, self._store, self._overrides = view, rules, store, overrides
        self._decisions, self._model_of, self._settings = decisions, model_of, settings
        self._ended, self._clock, self._random = ended, clock, random

    def of_partners(
        self, partner_ids: Sequence[str], *, identity: Identity, max_reasons: int = 5
    ) -> dict[str, Any]:
        """Recommendations; unknown partners, and those of other managers, are entries under `errors`."""
        return self._of_partners(partner_ids, identity=identity, max_reasons=max_reasons, again=False)

    def _of_partners(
        self, partner_ids: Sequence[str], *, identity: Identity, max_reasons: int, again: bool
    ) -> dict[str, Any]:
        view, now = self._view(), self._clock()
        partners = self._fresh(view, now)
        limit = manager_limit(identity)
        known = [p for p in partner_ids if view.sees(p, manager_id=limit)]
        version, policy = self._rules.current(at=now)
        standings = self._store.standings(known)
        overrides = self._overrides.holding("tier", at=now, entity_ids=known)
        served, gone = usable(view.models.get(MODEL)), self._ended(now)
        decisions = []
        for partner_id in known:
            row, options = self._given(policy, served, partners, partner_id, standings.get(partner_id))
            options |= {"policy_version": version, "max_reasons": max_reasons, "ended": gone.get(partner_id)}
            decision = Decision(
                decision_id=new_id("dec", at=now, random=self._random),
                entity_id={"partner_id": partner_id},
                model=MODEL,
                model_version=served.version if served else "",
                manifest_sha256=served.bundle.manifest_sha256 if served else "",
                matrix_version=partners.matrix.version,
                features_as_of=_text(partners.as_of[partner_id]),
                features=row,
                options=options,
                request={"partner_id": partner_id},
                response={},
                kind="tier",
            )
            decisions.append(decision)
        scores = potential_scores(decisions, served)
        decisions = [
            replace(d, response=answer(d, policy, served, score))
            for d, score in zip(decisions, scores, strict=True)
        ]
        former = [self._decisions.same(d, identity=identity) if again else None for d in decisions]
        new = [d for d, f in zip(decisions, former, strict=True) if f is None]
        self._decisions.record(new, identity=identity, at=now)
        results = [
            {**(f or d.response), "override": override_json(overrides.get(str(d.entity_id["partner_id"])))}
            for d, f in zip(decisions, former, strict=True)
        ]
        return {"results": results, "errors": _errors(partner_ids, set(known))}

    def of_partner(self, partner_id: str, *, identity: Identity, max_reasons: int = 5) -> dict[str, Any]:
        """One partner's recommendation.

        To look again is no new decision: while nothing that went into it has changed, the caller is given the
        one recorded before.

        Raises:
            NotFoundError: Unknown, or another manager's.
        """
        found = self._of_partners([partner_id], identity=identity, max_reasons=max_reasons, again=True)
        if not found["results"]:
            raise NotFoundError("There is no such partner.")
        result: dict[str, Any] = found["results"][0]
        return result

    def override(
        self, partner_id: str, *, tier: str, reason: str, expires_at: datetime, identity: Identity
    ) -> dict[str, Any]:
        """A tier a person wants to hold for a while; the recommendation stays beside it.

        Raises:
            NotFoundError: Unknown partner, or another manager's.
            InputError: No such tier, no reason, or an expiry that is past.
        """
        answer_now = self.of_partner(partner_id, identity=identity, max_reasons=1)
        if answer_now["withheld"]:
            raise InputError(
                answer_now["withheld"]["reason"],
                allowed="a partner under agreement",
                pointer="/partner_id",
            )
        _, policy = self._rules.current(at=self._clock())
        if tier not in policy.names:
            raise InputError(f"There is no tier {tier!r}.", allowed=", ".join(policy.names), pointer="/tier")
        made = self._overrides.add(
            "tier", partner_id, value=tier, model_value=answer_now["recommended_tier"], reason=reason,
            expires_at=expires_at, identity=identity, at=self._clock(),
        )  # fmt: skip
        return {"partner_id": partner_id, **(override_json(made) or {})}

    def withdraw(self, partner_id: str, *, identity: Identity) -> dict[str, Any]:
        """Take the override of a partner back.

        Raises:
            NotFoundError: Unknown partner, another manager's, or one without an override.
        """
        if not self._view().sees(partner_id, manager_id=manager_limit(identity)):
            raise NotFoundError("There is no such partner.")
        standing = self._overrides.holding("tier", at=self._clock(), entity_ids=[partner_id])
        if partner_id not in standing:
            raise NotFoundError("The partner has no override.")
        ended = self._overrides.withdraw(
            standing[partner_id].override_id, identity=identity, at=self._clock()
        )
        return {"partner_id": partner_id, **(override_json(ended) or {})}

    def replay(self, decision: Decision) -> Mapping[str, Any]:
        """A recommendation made again from its record; raises our errors when it cannot be."""
        served = None
        if decision.manifest_sha256:
            served = self._model_of(MODEL, decision.model_version, decision.manifest_sha256)
        policy = self._rules.version(decision.options["policy_version"])
        return answer(decision, policy, served, potential_scores([decision], served)[0])

    def _given(
        self,
        policy: TierPolicy,
        served: Served | None,
        partners: Partners,
        partner_id: str,
        standing: Standing | None,
    ) -> tuple[dict[str, float | str | None], dict[str, Any]]:
        """Features and everything else an answer is made of."""
        place, at = partners.places[partner_id], partners.as_of[partner_id]
        names = dict.fromkeys([*(served.bundle.spec.names if served else ()), *policy.features, "tier"])
        columns = {n: partners.columns.get(n) for n in names}
        row = {n: None if c is None else c[place] for n, c in columns.items()}
        held = standing.held if standing else row.get("tier")
        stale = at < self._clock() - timedelta(hours=self._settings.stale_after_hours)
        return row, {
            "held": held if isinstance(held, str) else None,
            "memory": asdict(standing.memory) if standing else asdict(Memory()),
            "reviewed": standing is not None,
            "chance": standing.chance if standing else None,
            "stale": stale,
            "stale_views": sorted(partners.matrix.stale_views),
            "stale_features": sorted(partners.matrix.stale_features),
            "degraded": partners.degraded,
        }

    def _fresh(self, view: View, now: datetime) -> Partners:
        if view.partners is None:
            raise UnavailableError(
                "No partner features are loaded.", next_step="`partnerintel features` builds them."
            )
        age = now - view.partners.confirmed_at
        if view.partners.degraded and age > timedelta(hours=self._settings.snapshot_max_age_hours):
            raise UnavailableError(
                "The feature store has been unreachable for too long; the last-known features have expired.",
                next_step="Bring the store back.",
            )
        return view.partners


def answer(decision: Decision, policy: TierPolicy, served: Served | None, score: Score) -> dict[str, Any]:
    """What a decision's features say under a policy and a model: the same for a request and its replay."""
    kept = decision.options
    past = kept["memory"]
    memory = Memory(tuple(past["points"]), tuple(past["lows"]), past["below"], past["since_promotion"])
    found = recommend(
        policy, decision.features, potential_of(score), held=policy.level(kept["held"]), memory=memory
    )
    warnings = [] if served else [NO_MODEL] if policy.uses_potential else []
    warnings += [] if kept["reviewed"] else [NO_REVIEW]
    ended = kept.get("ended")
    said = told(policy, found, chance=kept["chance"])
    return {
        **decision.entity_id,
        **(without_recommendation(said, ended) if ended else said),
        "withheld": {"code": ENDED, "reason": ended_in_words(ended)} if ended else None,
        "potential": None if ended else score,
        "policy_version": kept["policy_version"],
        "features_as_of": decision.features_as_of,
        "stale": kept["stale"] or bool(kept["stale_views"]),
        "degraded": kept["degraded"],
        "warnings": warnings,
        "model": MODEL if served else None,
        "model_version": served.version if served else None,
        "decision_id": decision.decision_id,
    }


def potential_scores(decisions: Sequence[Decision], served: Served | None) -> list[Score]:
    """The potential of each as a score with reasons; None without a model. All were asked for alike."""
    if served is None or not decisions:
        return [None] * len(decisions)
    kept, bundle = decisions[0].options, served.bundle
    horizon = max(bundle.horizons)
    options = Options(
        horizons=(horizon,),
        max_reasons=kept["max_reasons"],
        stale_views=tuple(kept["stale_views"]),
        stale_features=tuple(kept["stale_features"]),
        degraded=kept["degraded"],
    )
    inputs = [
        Input({n: d.features[n] for n in bundle.spec.names}, d.features_as_of, stale=d.options["stale"])
        for d in decisions
    ]
    found = score_inputs(served, inputs, options)
    return [
        {**scores[str(horizon)], "decision_id": d.decision_id}
        for d, scores in zip(decisions, found, strict=True)
    ]


def usable(served: Served | None) -> Served | None:
    """A model whose answer is an amount; one of ready-made classes says nothing a policy can use."""
    return served if served is not None and served.bundle.spec.output == "amount" else None


def manager_limit(identity: Identity) -> str | None:
    """The manager whose partners are visible; None: all. A channel manager without one sees nobody."""
    return (identity.manager_id or "") if identity.role == "channel_manager" else None


def override_json(found: Override | None) -> dict[str, Any] | None:
    """An override as it is shown beside a recommendation."""
    if found is None:
        return None
    return {
        "override_id": found.override_id,
        "tier": found.value,
        "model_tier": found.model_value,
        "reason": found.reason,
        "author": found.author,
        "created_at": found.created_at,
        "expires_at": found.expires_at,
        "withdrawn_at": found.withdrawn_at,
    }


def _errors(partner_ids: Sequence[str], known: set[str]) -> list[dict[str, Any]]:
    fault = "unknown partner"
    return [
        {"row": n, "partner_id": p, "errors": [{"pointer": f"/partner_ids/{n}", "detail": fault}]}
        for n, p in enumerate(partner_ids)
        if p not in known
    ]


def _text(at: datetime) -> str:
    return at.isoformat(timespec="seconds" if at.microsecond == 0 else "microseconds") + "Z"
