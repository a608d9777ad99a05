"""A bounded memory of who failed how often in the last minute."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

MAX_CLIENTS = 10_000


class DenialLimiter:
    """Counts failures per client in windows of a minute.

    The memory is bounded: with more than `MAX_CLIENTS` addresses the one seen longest ago is forgotten.

    Args:
        per_minute: Failures answered as such; the next ones are too many.
        clock: Seconds that only go forward.
    """

    def __init__(self, per_minute: int, *, clock: Callable[[], float]) -> None:
        self._per_minute, self._clock = per_minute, clock
        self._seen: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._lock = Lock()

    def failed(self, client: str) -> int:
        """Count one failure.

        Returns:
            0 while within the limit, else the seconds after which the window ends.
        """
        now = self._clock()
        with self._lock:
            start, count = self._seen.pop(client, (now, 0))
            if now - start >= 60:
                start, count = now, 0
            self._seen[client] = (start, count + 1)
            if len(self._seen) > MAX_CLIENTS:
                self._seen.popitem(last=False)
        return 0 if count < self._per_minute else max(1, math.ceil(start + 60 - now))

    def __len__(self) -> int:
        return len(self._seen)
