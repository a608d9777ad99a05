"""What is in service, kept current in the background and swapped as one value.

A request takes the view once and uses nothing else, so it never mixes an old model with new features. A model
or matrix that cannot be loaded leaves the old one serving, with a fault that readiness reports.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from threading import Event, Lock, Thread
from typing import Protocol

from serving.logs import EventLog
from serving.view import Partners, Served, View

FEATURES = "features"
FEATURES_SECONDS = 0.5


class ModelSource(Protocol):
    """Where models come from."""

    def latest(self, current: Mapping[str, Served]) -> tuple[Mapping[str, Served], Mapping[str, str]]:
        """Models that should serve now, reusing `current` where nothing changed, and faults by model."""
        ...


class PartnerSource(Protocol):
    """Where partner features come from."""

    def latest(self, current: Partners | None) -> tuple[Partners | None, str]:
        """Features that should serve now, `current` itself where nothing changed, and the fault or ''."""
        ...


class Resident:
    """Holds the view and refreshes its two halves, each on a thread of its own.

    A feature store that hangs must not keep a new model from being swapped in, hence two threads.

    Args:
        models: Where models come from.
        partners: Where features come from.
        every_seconds: Time between looks.
        log: Where swaps and faults are written.
        swapped: Called with each new view.
    """

    def __init__(
        self,
        models: ModelSource,
        partners: PartnerSource,
        *,
        every_seconds: float,
        log: EventLog,
        swapped: Callable[[View], None] = lambda _: None,
    ) -> None:
        self._models, self._partners = models, partners
        self._every, self._log, self._swapped = every_seconds, log, swapped
        self._view = View()
        self._lock, self._stop = Lock(), Event()
        self._threads: list[Thread] = []

    @classmethod
    def quiet(cls, models: ModelSource, partners: PartnerSource) -> Resident:
        """One that is refreshed by hand and logs nothing."""
        log = EventLog(clock=lambda: datetime.min, stream=io.StringIO())
        return cls(models, partners, every_seconds=math.inf, log=log)

    def view(self) -> View:
        """What is in service now."""
        return self._view

    def refresh(self) -> View:
        """Look at both sources once, in this thread."""
        self.refresh_models()
        self.refresh_partners()
        return self._view

    def refresh_models(self) -> None:
        """Look for new champions."""
        models, faults = self._models.latest(self._view.models)
        with self._lock:
            kept = {k: v for k, v in self._view.faults.items() if k == FEATURES}
            self._put(replace(self._view, models=models, faults={**kept, **faults}))

    def refresh_partners(self) -> None:
        """Look for new features."""
        partners, fault = self._partners.latest(self._view.partners)
        with self._lock:
            kept = {k: v for k, v in self._view.faults.items() if k != FEATURES}
            self._put(
                replace(
                    self._view, partners=partners, faults={**kept, **({FEATURES: fault} if fault else {})}
                )
            )

    def start(self) -> None:
        """Refresh now, then in the background until `stop`."""
        # To see that no feature changed costs next to nothing; a champion is looked up in a database.
        often = min(self._every, FEATURES_SECONDS)
        for name, work, every in (
            ("models", self.refresh_models, self._every),
            ("features", self.refresh_partners, often),
        ):
            self._attempt(name, work)
            thread = Thread(target=self._keep, args=(name, work, every), name=f"refresh-{name}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """End the background work; waits a moment for a look in progress."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=1.0)

    def _keep(self, name: str, work: Callable[[], None], every: float) -> None:
        while not self._stop.wait(every):
            self._attempt(name, work)

    def _attempt(self, name: str, work: Callable[[], None]) -> None:
        """A source must not raise; if it does, the thread must live on."""
        try:
            work()
        except Exception as error:
            self._log.exception("refresh failed", error, what=name)

    def _put(self, view: View) -> None:
        before, self._view = self._view, view
        if view.faults != before.faults:
            self._log.write("faults", faults=dict(view.faults))
        changed = {n: s.version for n, s in view.models.items() if before.models.get(n) is not s}
        if changed:
            self._log.write("models in service", versions=changed)
        if view.partners is not before.partners:
            self._swapped(view)
