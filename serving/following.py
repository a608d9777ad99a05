"""Workers that end when their server is gone.

The server starts its workers in sessions of their own, so whatever kills the server alone (the kernel when
memory is short, a supervisor that lost patience) would leave them answering on the port for ever, with an old
model and no one to stop them.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from threading import Event, Thread

EVERY_SECONDS = 1.0


def follow(
    server_pid: int,
    *,
    stop: Event,
    parent: Callable[[], int] = os.getppid,
    end: Callable[[], None] = lambda: os.kill(os.getpid(), signal.SIGTERM),
    every_seconds: float = EVERY_SECONDS,
) -> Thread:
    """Watch the server in the background; when it is gone, finish what was begun and end.

    Args:
        server_pid: Process that started this one.
        stop: Ends the watch.
        parent: Gives the parent's process id now.
        end: Ends this process.
        every_seconds: Time between looks.
    """

    def watch() -> None:
        while not stop.wait(every_seconds):
            if parent() != server_pid:
                end()
                return

    thread = Thread(target=watch, name="follow-server", daemon=True)
    thread.start()
    return thread
