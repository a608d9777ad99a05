"""Ways to give out leads, side by side: by turns, by rules, by a model, with prices, all at once.

Each takes the same leads in the same order, under the same eligibility and capacity, through the code that
serving runs. Nothing here knows what comes of a lead: that is for the judge.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.routing.choice import Exposure, choose
from models.routing.eligibility import CODES, Asked, Standing, exclusions
from models.routing.optimum import NOBODY, assign, bid_prices
from models.routing.policy import RoutingPolicy
from models.routing.roster import Roster

Floats = NDArray[np.float64]
Places = NDArray[np.int64]
FULL = CODES.index("no_capacity")


@dataclass(frozen=True)
class Sample:
    """Leads of the past that tell what capacity will be worth.

    Attributes:
        gain: (S, N) expected gain.
        eligible: (S, N) whether the pair is allowed.
    """

    gain: Floats
    eligible: Any


@dataclass(frozen=True)
class Scene:
    """L leads in order of arrival, N partners.

    Attributes:
        policy: The rules; exploration is left out, so that ways are compared by what they aim at.
        roster: Partners.
        leads: What is asked for.
        at: When each lead arrives, naive UTC.
        gain: (L, N) expected wins by the model; only eligible pairs are looked at.
        points: (L, N) points of the rules router.
        capacity: (N,) leads that each partner can take of these.
        sample: For prices.
        reprice_every: Leads after which prices are worked out again, as a night does.
    """

    policy: RoutingPolicy
    roster: Roster
    leads: tuple[Asked, ...]
    at: tuple[datetime, ...]
    gain: Floats
    points: Floats
    capacity: Places
    sample: Sample
    reprice_every: int = 10

    @cached_property
    def codes(self) -> Any:
        """(L, N) exclusion codes with everybody idle and nobody full."""
        free = Standing({}, dict.fromkeys(self.roster.partner_ids, 10**6), frozenset(), frozenset(), {}, {})
        rows = [
            exclusions(self.policy, self.roster, lead, free, now=at)
            for lead, at in zip(self.leads, self.at, strict=True)
        ]
        return np.array(rows, dtype=np.uint8).reshape(len(self.leads), len(self.roster))

    @property
    def eligible(self) -> Any:
        """(L, N) whether the pair is allowed."""
        return self.codes == 0


def by_turns(scene: Scene) -> Places:
    """(L,) partner of each lead: the next eligible one in a fixed order that still has room."""
    count, load, found, after = len(scene.roster), np.zeros_like(scene.capacity), [], 0
    for row in range(len(scene.leads)):
        free = np.flatnonzero(scene.eligible[row] & (load < scene.capacity))
        place = int(free[np.argmin((free - after) % count)]) if free.size else NOBODY
        if place != NOBODY:
            load[place] += 1
            after = place + 1
        found.append(place)
    return np.array(found, dtype=np.int64)


def by_rules(scene: Scene) -> Places:
    """(L,) by points for specialty, geography and tier."""
    return _one_by_one(scene, lambda row, _load: scene.points[row])


def greedy(scene: Scene) -> Places:
    """(L,) the best expected gain at each moment."""
    return _one_by_one(scene, lambda row, _load: scene.gain[row])


def priced(scene: Scene) -> Places:
    """(L,) expected gain less the price of capacity, prices worked out anew every so many leads."""
    known: dict[int, Floats] = {}

    def net(row: int, load: Places) -> Floats:
        night = row // scene.reprice_every
        if night not in known:
            known[night] = prices(scene.sample, scene.capacity - load, to_come=len(scene.leads) - row)
        return np.asarray(scene.gain[row] - known[night])

    return _one_by_one(scene, net)


def prices(sample: Sample, room: Any, *, to_come: int) -> Floats:
    """(N,) price of a unit of capacity: the sample stands for the leads to come; capacity is scaled to it."""
    return bid_prices(sample.gain, sample.eligible, room * (len(sample.gain) / max(to_come, 1)))


def all_at_once(scene: Scene, gain: Floats | None = None) -> Places:
    """(L,) the assignment with most gain in all; with true gains it is the best there can be."""
    return assign(
        scene.gain if gain is None else gain,
        scene.eligible,
        scene.capacity,
        lead_ids=[lead.lead_id for lead in scene.leads],
        partner_ids=scene.roster.partner_ids,
        seed=scene.policy.seed,
    )


def gained(places: Places, worth: Floats) -> Floats:
    """(L,) what each lead brings by a table of true worth; nothing where nobody got it."""
    rows = np.arange(len(places))
    return np.where(places == NOBODY, 0.0, worth[rows, np.maximum(places, 0)])


def _one_by_one(scene: Scene, value: Callable[[int, Places], Floats]) -> Places:
    load = np.zeros_like(scene.capacity)
    found = np.full(len(scene.leads), NOBODY, dtype=np.int64)
    for row, (lead, at) in enumerate(zip(scene.leads, scene.at, strict=True)):
        codes = scene.codes[row].copy()
        codes[(codes == 0) & (load >= scene.capacity)] = FULL
        choice = choose(
            scene.policy,
            scene.roster,
            codes,
            value(row, load),
            lead_id=lead.lead_id,
            day=at.date(),
            turn=0,
            explorable=False,
            received=load,
            exposure=Exposure.none(),
        )
        if choice.position is not None:
            found[row] = choice.position
            load[choice.position] += 1
    return found
