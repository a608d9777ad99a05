"""A routing decision on record: what it was made from, packed; and making it again from that."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from data.errors import NotFoundError
from features.pairing import lead_columns
from models.routing.eligibility import CODES, FOR_NOW, MEANINGS
from models.routing.policy import KIND, RoutingPolicy, read_policy
from serving.decisions import Decision
from serving.policies import Policies
from serving.routing.block import Archive
from serving.routing.deciding import Decided, Parts, Situation, decide, unpack
from serving.routing.lead import Lead
from serving.routing.pairmodel import PairModel
from serving.routing.prices import read_prices
from serving.routing.store import standing_of_json, standing_to_json
from serving.routing.tables import LOGS
from serving.routing.telling import candidates
from serving.state import Database
from serving.view import Served

_KEEP_LOG = insert(LOGS)
_PASSING = {CODES.index(c) for c in FOR_NOW} | {0}
ROUTE, HOLD = "route", "route_hold"
NO_MODEL = "rules"
ModelOf = Callable[[str, str, str], Served]


def decision_of(parts: Parts, situation: Situation, decided: Decided, *, personal: str | None) -> Decision:
    """The record of a decision.

    Args:
        parts: What it was made with.
        situation: What else it depends on.
        decided: What it came to.
        personal: Salted hash of what names a person; None: nothing was sent.
    """
    models = {
        m.served.bundle.model: [m.served.version, m.served.bundle.manifest_sha256]
        for m in (parts.accept, parts.win)
        if m is not None
    }
    options = {
        "block": parts.block.version,
        "policy": parts.policy_version,
        "prices": parts.price_version,
        "models": models,
        "turn": situation.turn,
        "had": list(situation.had),
        "now": situation.now.isoformat(),
        "standing": standing_to_json(situation.standing, _could_matter(parts, situation, decided)),
        "preferred": list(situation.preferred),
        "top_k": situation.top_k,
        "max_reasons": situation.max_reasons,
        "assigned": situation.assigned,
        "degraded": situation.degraded,
        "warnings": list(situation.warnings),
        "stale_views": list(situation.stale_views),
        "stale_features": list(situation.stale_features),
        "stale_before": situation.stale_before,
        "personal_sha256": personal,
    }
    win = models.get("routing_win", [NO_MODEL, ""])
    return Decision(
        decision_id=situation.decision_id,
        entity_id={"lead_id": situation.lead.lead_id},
        model="routing",
        model_version=win[0],
        manifest_sha256=win[1],
        matrix_version=parts.block.version,
        features_as_of=parts.block.oldest,
        features=dict(lead_columns(situation.lead.raw())),
        options=options,
        request=situation.lead.to_json(),
        response=decided.response,
        kind=ROUTE,
    )


def _could_matter(parts: Parts, situation: Situation, decided: Decided) -> frozenset[str]:
    """Partners whose standing the decision may depend on: the others were out for good."""
    places, codes, standing = parts.block.roster.places, decided.scored.codes, situation.standing
    busy = {*standing.load, *standing.capacity, *standing.paused, *standing.last_offer}
    return frozenset(p for p in busy if p in places and int(codes[places[p]]) in _PASSING)


def keep_log(connection: Connection, decision_id: str, decided: Decided) -> None:
    """Keep all candidates in the caller's transaction."""
    codes, scores = decided.scored.packed()
    connection.execute(_KEEP_LOG, {"decision_id": decision_id, "codes": codes, "scores": scores})


class RoutingRecords:
    """Makes routing decisions again, and shows all their candidates.

    Args:
        database: State database.
        policies: Versioned rules.
        archive: Partner features of then.
        model_of: Gives a version of a model, verified.
    """

    def __init__(
        self, database: Database, *, policies: Policies, archive: Archive, model_of: ModelOf
    ) -> None:
        self._database, self._policies = database, policies
        self._archive, self._model_of = archive, model_of

    def make(self, decision: Decision) -> Mapping[str, Any]:
        """The answer, from the record alone.

        Raises:
            PartnerIntelError: Something it was made from is gone.
        """
        parts, situation = self.read(decision)
        return decide(parts, situation).response

    def make_hold(self, decision: Decision) -> Mapping[str, Any]:
        """A hold is made of the evidence on record; what claimed the account then is part of it."""
        return hold_answer(decision.decision_id, decision.request["lead_id"], decision.options["claims"])

    def read(self, decision: Decision) -> tuple[Parts, Situation]:
        """What a decision was made from."""
        kept = decision.options
        block = self._archive.read(kept["block"])
        accept, win = (
            self._model(kept["models"].get(n), n, block) for n in ("routing_accept", "routing_win")
        )
        parts = Parts(
            block, self._policy(kept["policy"]), kept["policy"], accept, win,
            read_prices(self._database, kept["prices"]), kept["prices"],
        )  # fmt: skip
        return parts, situation_of(decision)

    def details(self, decision: Decision) -> Mapping[str, Any]:
        """All candidates, what the codes mean, and the features of then of the partners shown."""
        with self._database.read() as connection:
            row = connection.execute(select(LOGS).where(LOGS.c.decision_id == decision.decision_id)).first()
        if row is None:
            return {}
        codes, scores = unpack(bytes(row.codes), bytes(row.scores))
        try:
            block = self._archive.read(decision.options["block"])
        except NotFoundError:
            return {"candidates": None, "codes": MEANINGS}
        shown = [m["partner_id"] for m in decision.response["matches"]]
        return {
            "candidates": candidates(block.partner_ids, codes, scores),
            "codes": MEANINGS,
            "partner_features": {p: _plain_row(block.frame.loc[p]) for p in shown},
            "situation": {k: v for k, v in decision.options.items() if k != "standing"},
            "standing": decision.options["standing"],
        }

    def _policy(self, version: int) -> RoutingPolicy:
        return RoutingPolicy() if version == 0 else read_policy(self._policies.read(KIND, version).body)

    def _model(self, known: Any, name: str, block: Any) -> PairModel | None:
        return None if known is None else PairModel(self._model_of(name, *known), block)


def situation_of(decision: Decision) -> Situation:
    """What a decision depended on beside models, partners and rules."""
    kept = decision.options
    return Situation(
        lead=Lead.from_json(decision.request),
        turn=kept["turn"],
        had=tuple(kept["had"]),
        now=datetime.fromisoformat(kept["now"]),
        standing=standing_of_json(kept["standing"]),
        preferred=tuple(kept["preferred"]),
        top_k=kept["top_k"],
        max_reasons=kept["max_reasons"],
        decision_id=decision.decision_id,
        assigned=kept["assigned"],
        degraded=kept["degraded"],
        warnings=tuple(kept["warnings"]),
        stale_views=tuple(kept["stale_views"]),
        stale_features=tuple(kept["stale_features"]),
        stale_before=kept["stale_before"],
    )


def hold_answer(decision_id: str, lead_id: str, claims: Any) -> dict[str, Any]:
    """The answer to a lead whose account is claimed."""
    return {
        "lead_id": lead_id,
        "outcome": "conflict_hold",
        "code": "conflict_hold",
        "offered_to": None,
        "respond_by": None,
        "conflict": {"owner": claims[0]["partner_id"], "claims": list(claims)},
        "matches": [],
        "degraded": False,
        "warnings": [],
        "decision_id": decision_id,
    }


def hold_of(lead: Lead, claims: Any, *, decision_id: str, personal: str | None) -> Decision:
    """The record of a hold."""
    return Decision(
        decision_id=decision_id,
        entity_id={"lead_id": lead.lead_id},
        model="routing",
        model_version=NO_MODEL,
        manifest_sha256="",
        matrix_version=None,
        features_as_of=None,
        features=dict(lead_columns(lead.raw())),
        options={"claims": list(claims), "personal_sha256": personal},
        request=lead.to_json(),
        response=hold_answer(decision_id, lead.lead_id, claims),
        kind=HOLD,
    )


def _plain_row(row: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in row.items():
        missing = value is None or value != value
        found[str(name)] = None if missing else value.item() if hasattr(value, "item") else value
    return found
