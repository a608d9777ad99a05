"""The dispatcher: puts what happened into deliveries and sends what is due, each receiver by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from threading import Lock, Thread
from time import monotonic
from typing import Any

from serving.health.sending import Place, Sent, post
from serving.health.webhooks import Due, Webhooks

LANES = 4
"""Deliveries under way to one receiver; to one that gave no answer, a single one."""
AT_ONCE = 32
PATIENCE_SECONDS = 1.0
"""How long a round waits for its deliveries; slower ones go on while others are served."""


class Dispatcher:
    """Sends what is due; a receiver that does not answer keeps nobody else waiting.

    Args:
        webhooks: Registrations and deliveries.
        allowed: Hosts of one's own network that may be called.
        send: Sends once; the real one unless given.
    """

    def __init__(
        self,
        webhooks: Webhooks,
        *,
        allowed: tuple[str, ...] = (),
        send: Callable[[Place, bytes, Any], Sent] | None = None,
    ) -> None:
        names = tuple(a.lower() for a in allowed)
        self._webhooks = webhooks
        self._send = send or (lambda place, body, headers: post(place, body, headers, allowed=names))
        self._lock = Lock()
        self._taken: set[tuple[str, int]] = set()
        self._running: Counter[str] = Counter()
        self._silent: set[str] = set()
        self._errors: list[Exception] = []

    def work(self) -> bool:
        """One round; returns whether sending was begun."""
        self._webhooks.enqueue()
        with self._lock:
            # Looked at first: what ends while the due ones are read must not be sent from that reading.
            taken = set(self._taken)
        due = [one for one in self._webhooks.due() if (one.webhook_id, one.seq) not in taken]
        with self._lock:
            slices = list(self._slices(due))
        # Daemons: a delivery cut off by the end of the process is still waiting, and goes out later.
        threads = [Thread(target=self._work_off, args=(s,), name="webhook", daemon=True) for s in slices]
        for thread in threads:
            thread.start()
        until = monotonic() + PATIENCE_SECONDS
        for thread in threads:
            thread.join(max(0.0, until - monotonic()))
        if self._errors:
            raise self._errors.pop()
        return bool(threads)

    def _slices(self, due: Sequence[Due]) -> Iterator[list[Due]]:
        """Deliveries for one thread each, marked as taken."""
        by_hook: dict[str, list[Due]] = {}
        for one in due:
            by_hook.setdefault(one.webhook_id, []).append(one)
        for hook, waiting in by_hook.items():
            lanes = (1 if hook in self._silent else LANES) - self._running[hook]
            for lane in range(min(lanes, AT_ONCE - self._running.total(), len(waiting))):
                mine = waiting[lane::lanes]
                self._taken.update((d.webhook_id, d.seq) for d in mine)
                self._running[hook] += 1
                yield mine

    def _work_off(self, due: Sequence[Due]) -> None:
        hook = due[0].webhook_id
        try:
            for one in due:
                sent = self._webhooks.attempt(one, self._send)
                (self._silent.add if sent.status is None else self._silent.discard)(hook)
                if sent.status is None:
                    return
        except Exception as error:
            self._errors.append(error)
        finally:
            with self._lock:
                self._taken.difference_update((d.webhook_id, d.seq) for d in due)
                self._running[hook] -= 1
