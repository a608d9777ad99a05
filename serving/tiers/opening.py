"""The use cases of tiers, composed from what a worker shares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from data.mapping import parse_settings
from models.tiering.settings import TieringSettings
from serving.agreements import Agreements
from serving.shared import Shared
from serving.tiers.comparing import Comparing
from serving.tiers.recommending import ModelOf, Recommending
from serving.tiers.reviewing import Reviewing
from serving.tiers.rules import TierRules
from serving.tiers.store import TierStore
from serving.tiers.trying import Trying


@dataclass(frozen=True)
class Tiers:
    """What the application and the console call.

    Attributes:
        recommending: Recommendations and overrides.
        reviewing: The review list and decisions.
        trying: Other rules, tried.
        comparing: Partners among their peers.
        rules: The policy.
        store: Standings and changes.
    """

    recommending: Recommending
    reviewing: Reviewing
    trying: Trying
    comparing: Comparing
    rules: TierRules
    store: TierStore


def open_tiers(shared: Shared, *, model_of: ModelOf) -> Tiers:
    """Compose the use cases.

    Args:
        shared: The worker's parts.
        model_of: A version of a model, for replays.
    """
    settings = parse_settings(TieringSettings, shared.config.get("tiers") or {}, at="tiers")
    store = TierStore(shared.database)
    rules = TierRules(shared.policies, named=settings.policy, base=shared.workspace)
    clock, random = shared.edges.clock, shared.edges.random
    agreements = Agreements(shared.workspace / "lake")

    def ended(at: datetime) -> Mapping[str, str]:
        return agreements.ended(at=at)

    recommending = Recommending(
        shared.view,
        rules=rules,
        store=store,
        overrides=shared.overrides,
        decisions=shared.decisions,
        model_of=model_of,
        settings=shared.settings,
        ended=ended,
        clock=clock,
        random=random,
    )
    return Tiers(
        recommending,
        Reviewing(shared.view, store=store, clock=clock, random=random),
        Trying(shared.view, rules=rules, ended=ended, clock=clock),
        Comparing(shared.view, path=shared.workspace / "benchmarks.json", ended=ended, clock=clock),
        rules,
        store,
    )
