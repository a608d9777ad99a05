"""The dispatcher: puts what happened into deliveries and sends those that are due, a few at once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from serving.health.sending import Place, Sent, post
from serving.health.webhooks import Webhooks

AT_ONCE = 8


class Dispatcher:
    """Sends what is due.

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

    def work(self) -> bool:
        """One round; returns whether something was sent."""
        self._webhooks.enqueue()
        due = self._webhooks.due()
        if not due:
            return False
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="webhook") as pool:
            list(pool.map(lambda one: self._webhooks.attempt(one, self._send), due))
        return True
