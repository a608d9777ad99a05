"""If the rules change, who moves? Tried on the features in memory, for administrators."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from data.errors import ConfigError, InputError
from models.tiering.points import Potential
from models.tiering.policy import TierPolicy, parse_policy
from models.tiering.simulate import Comparison, Member, compare, traits_of
from serving.errors import UnavailableError
from serving.tiers.recommending import MODEL, usable
from serving.tiers.rules import TierRules
from serving.view import Partners, Served, View

MOST_MOVES = 1_000
BASIS = (
    "Tiers earned by the figures of now under each policy. Averages over earlier reviews, and what keeps "
    "tiers steady, would spread these moves over several reviews; `partnerintel tiers simulate` does so."
)


class Trying:
    """Compares a policy with the one in force.

    Args:
        view: Models and features in service.
        rules: The policy in force.
        ended: Partner → day its agreement ended, at a moment.
        clock: Naive UTC time.
    """

    def __init__(
        self,
        view: Callable[[], View],
        *,
        rules: TierRules,
        ended: Callable[[datetime], Mapping[str, str]],
        clock: Callable[[], datetime],
    ) -> None:
        self._view, self._rules, self._ended, self._clock = view, rules, ended, clock

    def simulate(self, policy: Mapping[str, Any]) -> dict[str, Any]:
        """Who would move, what the benefits would cost, by region, size and type.

        Raises:
            InputError: The policy cannot be used.
            UnavailableError: No features are loaded.
        """
        try:
            new = parse_policy(policy)
        except ConfigError as error:
            place = "/" + (error.pointer or "policy").replace(".", "/")
            raise InputError(error.message, pointer=place) from error
        view = self._view()
        if view.partners is None:
            raise UnavailableError("No partner features are loaded.")
        at = self._clock()
        version, now = self._rules.current(at=at)
        members = members_of(view.partners, usable(view.models.get(MODEL)), now, new)
        gone = self._ended(at)
        members = [m for m in members if m.partner_id not in gone]
        return {"policy_version": version, "basis": BASIS, **comparison_json(compare(now, new, members))}


def members_of(partners: Partners, served: Served | None, *policies: TierPolicy) -> list[Member]:
    """Every partner in memory, as it is now."""
    names = {n for p in policies for n in p.features} | {"tier", "region", "country", "partner_type"}
    names |= {"employee_count"}
    columns = {n: partners.columns[n] for n in sorted(names) if n in partners.columns}
    potentials = _potentials(partners, served)
    found = []
    for partner_id, place in partners.places.items():
        row: dict[str, object] = {n: c[place] for n, c in columns.items()}
        tier = row.get("tier")
        reviews = ((row, potentials[place]),)
        held = tier if isinstance(tier, str) else None
        found.append(Member(partner_id, held, reviews, traits_of(row)))
    return found


def _potentials(partners: Partners, served: Served | None) -> list[Potential]:
    if served is None:
        return [Potential()] * len(partners.places)
    bundle = served.bundle
    scores = bundle.score(bundle.encode(partners.matrix.frame.reindex(columns=list(bundle.spec.names))))
    h = max(bundle.horizons)
    triples = zip(
        scores.probability[h].tolist(), scores.low[h].tolist(), scores.high[h].tolist(), strict=True
    )
    return [Potential() if v != v else Potential(v, low, high) for v, low, high in triples]


def comparison_json(found: Comparison) -> dict[str, Any]:
    """A comparison as the contract tells it; at most 1,000 moves are listed, all are counted."""
    moves = [asdict(m) for m in found.moves[:MOST_MOVES]]
    return {
        "partners": found.partners,
        "up": sum(m.up for m in found.moves),
        "down": sum(not m.up for m in found.moves),
        "counts_now": dict(found.counts_now),
        "counts_new": dict(found.counts_new),
        "benefits_now": {"amount": f"{found.benefits_now_usd:.2f}", "currency": "USD"},
        "benefits_new": {"amount": f"{found.benefits_new_usd:.2f}", "currency": "USD"},
        "effects": [asdict(e) for e in found.effects],
        "moves": moves,
    }
