"""Requests at a constant rate from several clients, each answer kept with its time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

Ask = Callable[[httpx.Client, int], httpx.Response]


@dataclass(frozen=True)
class Heard:
    """One answer.

    Attributes:
        number: Of the request.
        status: HTTP status; 0: the connection broke.
        seconds: From when it was due to the answer, so that a stall counts for all it held up.
        told: What `read` made of the body.
        sent_at: On the clock of `time.monotonic`.
    """

    number: int
    status: int
    seconds: float
    told: object
    sent_at: float


@dataclass
class Load:
    """Clients that ask until they are stopped.

    Attributes:
        ask: Sends the request of a number.
        each_second: Requests that fall due in a second, over all clients.
        clients: Connections.
        read: Turns a good answer into what is kept of it.
    """

    ask: Ask
    each_second: float
    clients: int = 4
    read: Callable[[httpx.Response], object] = lambda answer: None
    heard: list[Heard] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _next: int = 0

    @contextmanager
    def running(self) -> Iterator[Load]:
        """Clients at work within the block; afterwards every answer has been heard."""
        begun = time.monotonic()
        threads = [threading.Thread(target=self._client, args=(begun,)) for _ in range(self.clients)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            for thread in threads:
                thread.join(timeout=120)

    def stop(self) -> None:
        """Ask no more."""
        self._stop.set()

    def _client(self, begun: float) -> None:
        with httpx.Client(verify=False, timeout=60) as client:
            while True:
                with self._lock:
                    number, self._next = self._next, self._next + 1
                due = begun + number / self.each_second
                if self._stop.wait(max(due - time.monotonic(), 0)):
                    return
                self.heard.append(self._asked(client, number, due))

    def _asked(self, client: httpx.Client, number: int, due: float) -> Heard:
        sent = time.monotonic()
        try:
            answer = self.ask(client, number)
            told = self.read(answer) if answer.is_success else answer.text[:200]
            return Heard(number, answer.status_code, time.monotonic() - due, told, sent)
        except httpx.TransportError as error:
            return Heard(number, 0, time.monotonic() - due, type(error).__name__, sent)


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which a share of all lies; the nearest one, and 0 of none."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else 0.0


def failures(heard: Sequence[Heard]) -> list[str]:
    """Answers other than 2xx."""
    return [f"{h.status} {h.told}" for h in heard if not 200 <= h.status < 300]
