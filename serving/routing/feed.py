"""What routing works with, made ready in the background and swapped as one value.

Nothing here raises toward a request: what cannot be had leaves the last value in place, marked as degraded,
and with no value at all leads go by rules, or to nobody with a code that says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from threading import Event, Lock, Thread
from typing import Any

from data.errors import PartnerIntelError, PromotionConflictError
from features.leadhistory import offers_of
from features.rosters import RosterTables
from models.routing.chance import draw
from models.routing.policy import KIND, RoutingPolicy, read_policy
from models.routing.settings import RoutingSettings
from serving.lastknown import mark
from serving.policies import InForce
from serving.routing.block import Archive, Block, block_of, make_frame
from serving.routing.pairmodel import PairModel
from serving.routing.prices import newest_prices
from serving.routing.registrations import (
    Registrations,
    no_registrations,
    open_registrations,
    relationships,
)
from serving.shared import Shared
from serving.view import Partners, Served

ACCEPT, WIN = "routing_accept", "routing_win"
BLOCK_EVERY = timedelta(minutes=1)
"""Routing follows the events of the day by so much."""


@dataclass(frozen=True)
class Ready:
    """Everything one decision needs, taken once.

    Attributes:
        block: Partners; None when nothing is known of any.
        accept: Model of acceptance, or None.
        win: Model of winning, or None.
        registrations: Open ones.
        known_accounts: Web domain → partners that won a deal with the account lately.
        confirmed_at: When the feature store last agreed, naive UTC.
        degraded: Whether it could not be reached since.
        stale_views: Views whose feed is silent.
        stale_features: The features behind them.
        in_force: Which policy holds.
        policies: The policies named by it.
        prices: Partner → price of capacity, for the policy in force.
        price_version: Their version; 0: none.
        fault: What is wrong, in words.
    """

    block: Block | None = None
    accept: PairModel | None = None
    win: PairModel | None = None
    registrations: Registrations = field(default_factory=no_registrations)
    known_accounts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    confirmed_at: datetime = datetime.min
    degraded: bool = True
    stale_views: tuple[str, ...] = ()
    stale_features: tuple[str, ...] = ()
    in_force: InForce = field(default_factory=lambda: InForce(0))
    policies: Mapping[int, RoutingPolicy] = field(default_factory=dict)
    prices: Mapping[str, float] = field(default_factory=dict)
    price_version: int = 0
    fault: str = ""

    def policy_for(self, lead_id: str) -> tuple[int, RoutingPolicy]:
        """The policy that decides about a lead: the one in force, or its canary for a share of leads."""
        version = self.in_force.version
        canary = self.in_force.canary_version
        if canary is not None and draw("canary", version, canary, lead_id) < self.in_force.canary_share:
            version = canary
        return version, self.policies.get(version, RoutingPolicy())

    def expired(self, now: datetime, *, hours: float) -> bool:
        """Whether the last-known features are too old to score with."""
        return self.degraded and now - self.confirmed_at > timedelta(hours=hours)


class Feed:
    """Keeps `Ready` current.

    Args:
        shared: The worker's parts.
        archive: Where blocks are kept.
        settings: Of routing.
    """

    def __init__(self, shared: Shared, *, archive: Archive, settings: RoutingSettings) -> None:
        self._shared, self._archive, self._settings = shared, archive, settings
        self._ready = Ready()
        self._lock, self._stop = Lock(), Event()
        self._made_from: tuple[Any, ...] | None = None
        self._made_at = datetime.min
        self._thread: Thread | None = None

    def ready(self) -> Ready:
        """What is ready now."""
        return self._ready

    def refresh(self) -> Ready:
        """Look at everything once, in this thread."""
        with self._lock:
            now = self._shared.edges.clock()
            ready = self._with_partners(self._ready, now)
            ready = self._with_models(ready)
            self._ready = self._with_policy(ready, now)
            return self._ready

    def start(self) -> None:
        """Refresh now, then in the background until `stop`."""
        self._attempt()
        self._thread = Thread(target=self._keep, name="refresh-routing", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the background work."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=1.0)

    def _keep(self) -> None:
        while not self._stop.wait(self._shared.settings.refresh_seconds):
            self._attempt()

    def _attempt(self) -> None:
        try:
            self.refresh()
        except Exception as error:
            self._shared.log.exception("refresh failed", error, what="routing")

    def _with_partners(self, ready: Ready, now: datetime) -> Ready:
        partners = self._shared.view().partners
        if partners is None:
            return self._kept(ready)
        stale = tuple(sorted(partners.matrix.stale_views)), tuple(sorted(partners.matrix.stale_features))
        found = replace(
            ready, confirmed_at=partners.confirmed_at, degraded=partners.degraded, stale_views=stale[0],
            stale_features=stale[1], fault="",
        )  # fmt: skip
        tables = mark(self._shared.workspace / "lake" / "manifest.json")
        last = self._kept(ready) if tables is None else None
        if last is not None and last.block is not None and _of_tables(last.block):
            # Without territories and terminations everybody could get every lead.
            return replace(last, fault="the tables of partners cannot be read")
        key = (partners.matrix.version, tables, now.date())
        if self._made_from is not None and found.block is not None:
            # Events change the matrix every second; each block is a file that is kept for replays.
            recent = now - self._made_at < BLOCK_EVERY
            if key == self._made_from or (recent and key[1:] == self._made_from[1:]):
                return found
        try:
            found = self._made(found, partners, now)
        except (PartnerIntelError, OSError, ValueError, KeyError) as error:
            said = f"partner features could not be joined ({type(error).__name__})"
            return replace(self._kept(ready), fault=said)
        self._made_from, self._made_at = key, now
        return found

    def _made(self, ready: Ready, partners: Partners, now: datetime) -> Ready:
        """With the block of a matrix and the lake as they are now."""
        from data.lake import Lake

        lake = Lake(self._shared.workspace / "lake")
        deals, assignments, leads = (
            lake.read(n) if lake.has(n) else None for n in ("deals", "assignments", "leads")
        )
        offers = None if assignments is None else offers_of(assignments, leads=leads)
        frame = make_frame(partners.matrix, RosterTables.of(lake), deals=deals, offers=offers, now=now)
        block, content = block_of(frame)
        self._archive.keep(block, content, confirmed_at=partners.confirmed_at)
        if deals is None:
            return replace(ready, block=block)
        days = self._settings.relationship_days
        return replace(
            ready,
            block=block,
            registrations=open_registrations(deals, now=now),
            known_accounts=relationships(deals, now=now, days=days),
        )

    def _kept(self, ready: Ready) -> Ready:
        """What was there before, here or on disk."""
        if ready.block is not None:
            return replace(ready, degraded=True)
        newest = self._archive.newest()
        if newest is None:
            return replace(ready, degraded=True)
        return replace(ready, block=newest[0], confirmed_at=newest[1], degraded=True)

    def _with_models(self, ready: Ready) -> Ready:
        models = self._shared.view().models
        return replace(
            ready,
            accept=_pair_model(models.get(ACCEPT), ready.block, ready.accept),
            win=_pair_model(models.get(WIN), ready.block, ready.win),
        )

    def _with_policy(self, ready: Ready, now: datetime) -> Ready:
        in_force = self._shared.policies.in_force(KIND) or self._first_policy(now)
        wanted = {in_force.version, *([in_force.canary_version] if in_force.canary_version else [])}
        policies = {
            v: ready.policies[v]
            if v in ready.policies
            else read_policy(self._shared.policies.read(KIND, v).body)
            for v in sorted(wanted)
        }
        version, prices = newest_prices(self._shared.database, in_force.version, known=ready.price_version)
        prices = ready.prices if version == ready.price_version else prices
        return replace(ready, in_force=in_force, policies=policies, prices=prices, price_version=version)

    def _first_policy(self, now: datetime) -> InForce:
        """The default policy becomes version 1, so that every decision can name one."""
        policy = self._shared.policies.add(
            KIND, "default", RoutingPolicy().to_json(), author="system", at=now
        )
        new = InForce(policy.version)
        try:
            self._shared.policies.put_in_force(
                KIND, new, expected=None, author="system", reason="the default", at=now
            )
        except PromotionConflictError:
            return self._shared.policies.in_force(KIND) or new
        return new


def _of_tables(block: Block) -> bool:
    """Whether a block holds what only tables of partners tell."""
    roster = block.roster
    return bool(roster.has_territory.any() or roster.ended.any() or any(roster.domain))


def _pair_model(served: Served | None, block: Block | None, current: PairModel | None) -> PairModel | None:
    """A model over a block, the current one where nothing changed; None without outcomes to learn from."""
    if served is None or block is None or not served.bundle.labelled:
        return None
    same = current is not None and current.block is block
    if (
        same
        and current is not None
        and current.served.bundle.manifest_sha256 == served.bundle.manifest_sha256
    ):
        return current
    return PairModel(served, block)
