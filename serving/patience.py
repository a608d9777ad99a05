"""Clients that never finish their headers lose the connection.

The web server under BentoML limits how long a finished request may take and how long a connection may idle
after one, but not how long a first request may take to say what it wants: a few thousand sockets that dribble
a header a minute would hold every file descriptor. BentoML gives no setting for it, so the protocol class the
server is about to use is replaced by one with a clock.
"""

from __future__ import annotations

import asyncio
from typing import Any

HEADER_SECONDS = 15.0


def limit_headers(seconds: float = HEADER_SECONDS) -> None:
    """Give the protocol that a server made from now on will use a time limit; once is enough."""
    from uvicorn.protocols.http import auto

    if not getattr(auto.AutoHTTPProtocol, "header_seconds", None):
        auto.AutoHTTPProtocol = limited(auto.AutoHTTPProtocol, seconds=seconds)


def limited(protocol: Any, *, seconds: float) -> Any:
    """A uvicorn protocol class that closes connections whose headers take longer.

    Args:
        protocol: `HttpToolsProtocol` or `H11Protocol`.
        seconds: From the opening of the connection, or the first byte of a further request, to the end of the
            headers.
    """

    class Limited(protocol):
        header_seconds = seconds
        _waits: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._watch()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._watch()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop()
            super().connection_lost(exc)

        def _watch(self) -> None:
            if self.cycle is not None and not self.cycle.response_complete:
                self._stop()
            elif self._waits is None and not self.transport.is_closing():
                self._waits = self.loop.call_later(seconds, self._end)

        def _stop(self) -> None:
            if self._waits is not None:
                self._waits.cancel()
                self._waits = None

        def _end(self) -> None:
            self._waits = None
            if self.cycle is None or self.cycle.response_complete:
                self.transport.close()

    return Limited
