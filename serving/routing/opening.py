"""Routing as one part of a worker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from threading import Event, Thread
from typing import Any

from data.mapping import parse_settings
from models.routing.roster import Roster
from models.routing.settings import RoutingSettings
from serving.decisions import Decision
from serving.routing.batch import Batch
from serving.routing.block import Archive
from serving.routing.feed import Feed
from serving.routing.record import HOLD, ROUTE, ModelOf, RoutingRecords
from serving.routing.report import OfferReport
from serving.routing.routing import Routing
from serving.routing.wishes import Wishes
from serving.shared import Shared

BLOCKS = "serving/routing/blocks"


@dataclass(frozen=True)
class Capability:
    """What the application and the console call.

    Attributes:
        settings: As read.
        feed: What is ready.
        routing: Leads, one at a time.
        batch: Leads, many at once.
        wishes: Pauses, capacities, erasure.
        records: Decisions made again.
        report: How offers were spread and answered.
        sweeper: Lets offers run out.
    """

    settings: RoutingSettings
    feed: Feed
    routing: Routing
    batch: Batch
    wishes: Wishes
    records: RoutingRecords
    report: OfferReport
    sweeper: Sweeper

    @property
    def makers(self) -> dict[str, Callable[[Decision], Any]]:
        """What makes decisions of routing again, by kind."""
        return {ROUTE: self.records.make, HOLD: self.records.make_hold}

    @property
    def details(self) -> dict[str, Callable[[Decision], Any]]:
        """What more there is to show of them."""
        return {ROUTE: self.records.details}

    def start(self) -> None:
        """Make ready, then keep current; let offers run out."""
        self.feed.start()
        self.sweeper.start()

    def stop(self) -> None:
        """End the background work."""
        self.sweeper.stop()
        self.feed.stop()


class Sweeper:
    """Lets offers run out in the background.

    Args:
        routing: The use cases.
        shared: The worker's parts, for the log.
        every_seconds: Time between looks.
    """

    def __init__(self, routing: Routing, shared: Shared, *, every_seconds: float) -> None:
        self._routing, self._log, self._every = routing, shared.log, every_seconds
        self._stop = Event()
        self._thread: Thread | None = None

    def start(self) -> None:
        """Begin."""
        self._thread = Thread(target=self._keep, name="expire-offers", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=1.0)

    def _keep(self) -> None:
        forgotten = date.min
        while not self._stop.wait(self._every):
            try:
                self._routing.sweep()
                today = self._routing.now().date()
                if today > forgotten:
                    self._routing.forget_keys()
                    forgotten = today
            except Exception as error:
                self._log.exception("sweep failed", error, what="routing")


def open_routing(shared: Shared, *, model_of: ModelOf) -> Capability:
    """Compose routing.

    Args:
        shared: The worker's parts.
        model_of: Gives a version of a model, verified.

    Raises:
        ConfigError: The `routing:` section cannot be used.
    """
    settings = parse_settings(RoutingSettings, shared.config.get("routing") or {}, at="routing")
    archive = Archive(shared.workspace / BLOCKS)
    feed = Feed(shared, archive=archive, settings=settings)
    routing = Routing(shared, feed=feed, settings=settings)
    report = OfferReport(
        shared.database, policies=shared.policies, roster=lambda: _roster(feed), clock=shared.edges.clock
    )
    return Capability(
        settings=settings,
        feed=feed,
        routing=routing,
        batch=Batch(routing),
        wishes=Wishes(shared, feed=feed),
        records=RoutingRecords(shared.database, policies=shared.policies, archive=archive, model_of=model_of),
        report=report,
        sweeper=Sweeper(routing, shared, every_seconds=settings.sweep_seconds),
    )


def _roster(feed: Feed) -> Roster | None:
    block = feed.ready().block
    return None if block is None else block.roster
