"""The partners as routing rules see them: territories, certificates, groups, each as a mask over all."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.domains import bare_domain
from models.routing.policy import RoutingPolicy

Mask = NDArray[np.bool_]
SMALL, MEDIUM = 50, 250
NOT_STATED = -1
COLUMNS = ("tier", "partner_type", "country", "region", "employee_count", "domain", "territories",
           "certifications", "capacity_count", "ended")  # fmt: skip


@dataclass(frozen=True)
class Roster:
    """N partners, sorted by id, so that no rule depends on who was created first.

    Attributes:
        partner_ids: Ids.
        tier: Tier held.
        partner_type: Kind of partner.
        region: `country/region` of the partner's seat.
        size: `small` (under 50 employees), `medium`, `large` (from 250), `unknown`.
        domain: Web domain, lower case; '' unknown.
        capacity: Leads at once as the territories say; -1 where they do not.
        ended: Whether the agreement has ended.
        territories: For each partner its (country, region) pairs; a region of '' is the whole country.
        certifications: For each partner the certificates that are valid.
    """

    partner_ids: tuple[str, ...]
    tier: tuple[str | None, ...]
    partner_type: tuple[str | None, ...]
    region: tuple[str, ...]
    size: tuple[str, ...]
    domain: tuple[str, ...]
    capacity: NDArray[np.int64]
    ended: Mask
    territories: tuple[tuple[tuple[str, str], ...], ...]
    certifications: tuple[frozenset[str], ...]
    _kept: dict[Any, Mask] = field(default_factory=dict, compare=False, repr=False)

    def __len__(self) -> int:
        return len(self.partner_ids)

    @cached_property
    def places(self) -> Mapping[str, int]:
        """Partner → position."""
        return {p: i for i, p in enumerate(self.partner_ids)}

    @cached_property
    def partners_of_domain(self) -> Mapping[str, tuple[str, ...]]:
        """Web domain → partners that are at home there."""
        found: dict[str, tuple[str, ...]] = {}
        for partner, domain in zip(self.partner_ids, self.domain, strict=True):
            if domain:
                found[domain] = (*found.get(domain, ()), partner)
        return found

    @cached_property
    def has_territory(self) -> Mask:
        """Whether the partner has any territory."""
        return np.array([bool(t) for t in self.territories], dtype=bool)

    def serves(self, country: str | None, region: str | None) -> Mask:
        """Partners with a territory that holds the place; kept, for leads come from few places."""
        return self._mask(("serves", country, region), lambda i: _holds(self.territories[i], country, region))

    def certified(self, name: str) -> Mask:
        """Partners that hold a certificate."""
        return self._mask(("certified", name), lambda i: name in self.certifications[i])

    def of_type(self, types: Sequence[str]) -> Mask:
        """Partners of one of some types."""
        wanted = frozenset(types)
        return self._mask(("type", wanted), lambda i: self.partner_type[i] in wanted)

    def group(self, by: str, label: str) -> Mask:
        """Partners of a group."""
        values: Mapping[str, Sequence[str | None]] = {
            "tier": self.tier, "region": self.region, "size": self.size
        }  # fmt: skip
        return self._mask(("group", by, label), lambda i: values[by][i] == label)

    def positions(self, partner_ids: Sequence[str]) -> list[int]:
        """Positions of those that are here."""
        return [self.places[p] for p in partner_ids if p in self.places]

    def capacities(self, policy: RoutingPolicy) -> NDArray[np.int64]:
        """Leads at once of each partner under a policy."""
        if not policy.capacity_by_tier:
            return np.where(self.capacity == NOT_STATED, policy.capacity_default, self.capacity)
        by_tier = [policy.capacity_by_tier.get(t or "", policy.capacity_default) for t in self.tier]
        return np.where(self.capacity == NOT_STATED, np.array(by_tier, dtype=np.int64), self.capacity)

    def _mask(self, key: Any, test: Any) -> Mask:
        found = self._kept.get(key)
        if found is None:
            found = np.fromiter((test(i) for i in range(len(self))), dtype=bool, count=len(self))
            if len(self._kept) < 10_000:
                self._kept[key] = found
        return found

    @classmethod
    def of(cls, frame: Any) -> Roster:
        """From a frame with index partner_id, sorted, and the columns of `COLUMNS`; lists are JSON text."""
        places = list(zip(_texts(frame, "country"), _texts(frame, "region"), strict=True))
        capacity = frame["capacity_count"].to_numpy(dtype=np.float64, na_value=np.nan)
        return cls(
            partner_ids=tuple(map(str, frame.index)),
            tier=tuple(_texts(frame, "tier")),
            partner_type=tuple(_texts(frame, "partner_type")),
            region=tuple(f"{c or 'unknown'}/{r or 'unknown'}" for c, r in places),
            size=tuple(_size(v) for v in frame["employee_count"].to_numpy(dtype=np.float64, na_value=np.nan)),
            domain=tuple(bare_domain(d or "") for d in _texts(frame, "domain")),
            capacity=np.where(np.isnan(capacity), NOT_STATED, capacity).astype(np.int64),
            ended=frame["ended"].to_numpy(dtype=bool),
            territories=tuple(tuple((c, r) for c, r in json.loads(t)) for t in frame["territories"]),
            certifications=tuple(frozenset(json.loads(c)) for c in frame["certifications"]),
        )


def _holds(territories: Sequence[tuple[str, str]], country: str | None, region: str | None) -> bool:
    return any(c == (country or "") and r in ("", region or "") for c, r in territories)


def _texts(frame: Any, name: str) -> list[str | None]:
    return [None if v is None or v != v else str(v) for v in frame[name].tolist()]


def _size(employees: float) -> str:
    if np.isnan(employees):
        return "unknown"
    return "small" if employees < SMALL else "medium" if employees < MEDIUM else "large"
