"""Who may get a lead: for every partner one code, the first rule that speaks against it; 0 is eligible."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.domains import bare_domain
from models.routing.policy import RoutingPolicy
from models.routing.roster import Mask, Roster

Codes = NDArray[np.uint8]
CODES = (
    "",
    "ended",
    "excluded",
    "opted_out",
    "conflict_of_interest",
    "territory",
    "product",
    "certification",
    "declined_before",
    "paused",
    "resting",
    "no_capacity",
    "no_features",
)
"""What a code means, in the order in which rules are asked; the place is the stored number."""
MEANINGS = {
    "ended": "the partner's agreement has ended",
    "excluded": "the policy gives this partner no leads",
    "opted_out": "the partner wants no leads",
    "conflict_of_interest": "the partner and this account do not go together",
    "territory": "the lead lies outside the partner's territories",
    "product": "partners of this type may not sell a product asked for",
    "certification": "the partner lacks a certificate that is needed",
    "declined_before": "the partner had this lead already",
    "paused": "the partner's leads are paused",
    "resting": "the partner got another lead a short time ago",
    "no_capacity": "the partner works on as many leads as it can",
    "no_features": "nothing is known about the partner yet",
}
FOR_NOW = frozenset({"paused", "resting", "no_capacity"})
"""Codes that pass: with only these in the way, nobody is chosen for want of capacity."""


@dataclass(frozen=True)
class Standing:
    """How partners stand at the moment of a decision; partners not named are free and idle.

    Attributes:
        load: Partner → leads it works on.
        capacity: Partner → capacity a person has set, instead of the roster's.
        paused: Partners whose leads are paused.
        opted_out: Partners that want no leads.
        last_offer: Partner → when it was last offered a lead, naive UTC.
        received: Partner → offers in this calendar month; evens out ties, and tells shares.
    """

    load: Mapping[str, int]
    capacity: Mapping[str, int]
    paused: frozenset[str]
    opted_out: frozenset[str]
    last_offer: Mapping[str, datetime]
    received: Mapping[str, int]

    @classmethod
    def idle(cls) -> Standing:
        """Nobody works on anything."""
        return cls({}, {}, frozenset(), frozenset(), {}, {})


@dataclass(frozen=True)
class Asked:
    """What the rules look at of a lead.

    Attributes:
        lead_id: Its id.
        country: ISO 3166 code, or None.
        region: Region, or None.
        domain: Web domain of the account, lower case, or ''.
        products: Products asked for.
        certifications: Certificates asked for.
        value: Estimated value in its currency, NaN unknown.
        had: Partners that had this lead.
    """

    lead_id: str
    country: str | None = None
    region: str | None = None
    domain: str = ""
    products: tuple[str, ...] = ()
    certifications: tuple[str, ...] = ()
    value: float = float("nan")
    had: tuple[str, ...] = ()


def exclusions(
    policy: RoutingPolicy,
    roster: Roster,
    lead: Asked,
    standing: Standing,
    *,
    now: datetime,
    known: Any = None,
) -> Codes:
    """(N,) places in `CODES`.

    Args:
        policy: The rules.
        roster: Partners.
        lead: What is asked for.
        standing: How partners stand.
        now: Naive UTC.
        known: (N,) whether the partner has features to score; None: all have.
    """
    codes = np.zeros(len(roster), dtype=np.uint8)

    def bar(code: str, mask: Mask) -> None:
        codes[(codes == 0) & mask] = CODES.index(code)

    def named(partner_ids: Sequence[str]) -> Mask:
        mask = np.zeros(len(roster), dtype=bool)
        mask[roster.positions(partner_ids)] = True
        return mask

    bar("ended", roster.ended)
    bar("excluded", named(policy.excluded_partners))
    bar("opted_out", named(tuple(standing.opted_out)))
    bar("conflict_of_interest", named(_conflicted(policy, roster, lead)))
    if policy.require_territory:
        bar("territory", roster.has_territory & ~roster.serves(lead.country, lead.region))
    for product in lead.products:
        if product in policy.product_types:
            bar("product", ~roster.of_type(policy.product_types[product]))
    for certificate in _certificates(policy, lead):
        bar("certification", ~roster.certified(certificate))
    bar("declined_before", named(lead.had))
    bar("paused", named(tuple(standing.paused)))
    bar("resting", named(_resting(policy, standing, now)))
    bar("no_capacity", loads(roster, standing) >= capacities(policy, roster, standing))
    if known is not None:
        bar("no_features", ~known)
    return codes


def loads(roster: Roster, standing: Standing) -> NDArray[np.int64]:
    """(N,) leads each partner works on."""
    return _by_partner(roster, standing.load)


def received(roster: Roster, standing: Standing) -> NDArray[np.int64]:
    """(N,) offers each partner got this month."""
    return _by_partner(roster, standing.received)


def capacities(policy: RoutingPolicy, roster: Roster, standing: Standing) -> NDArray[np.int64]:
    """(N,) leads each partner can work on at once."""
    found = roster.capacities(policy)
    if standing.capacity:
        found = found.copy()
        for partner, capacity in standing.capacity.items():
            if partner in roster.places:
                found[roster.places[partner]] = capacity
    return found


def counted(codes: Codes) -> dict[str, int]:
    """Partners by exclusion code, without the eligible ones."""
    count = np.bincount(codes, minlength=len(CODES)).tolist()
    return {code: n for code, n in zip(CODES, count, strict=True) if code and n}


def why_nobody(codes: Codes) -> str:
    """The code of a decision in which nobody is eligible."""
    return "no_capacity" if FOR_NOW & set(counted(codes)) else "no_eligible"


def _by_partner(roster: Roster, counts: Mapping[str, int]) -> NDArray[np.int64]:
    found = np.zeros(len(roster), dtype=np.int64)
    for partner, count in counts.items():
        if partner in roster.places:
            found[roster.places[partner]] = count
    return found


def _conflicted(policy: RoutingPolicy, roster: Roster, lead: Asked) -> list[str]:
    """Partners named by the policy for this account, and the partner that is the account itself."""
    if not lead.domain:
        return []
    named = [p for p, domain in policy.excluded_pairs if bare_domain(domain) == lead.domain]
    itself = roster.partners_of_domain.get(lead.domain, ())
    return [*named, *itself]


def _certificates(policy: RoutingPolicy, lead: Asked) -> list[str]:
    needed = [policy.certifications[p] for p in lead.products if p in policy.certifications]
    return list(dict.fromkeys([*lead.certifications, *needed]))


def _resting(policy: RoutingPolicy, standing: Standing, now: datetime) -> list[str]:
    if not policy.rest_hours:
        return []
    since = now - timedelta(hours=policy.rest_hours)
    return [p for p, at in standing.last_offer.items() if at > since]
