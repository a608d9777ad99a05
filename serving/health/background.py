"""Background work of which only one process of a workspace does its share at a time."""

from __future__ import annotations

import fcntl
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from typing import IO

from serving.logs import EventLog


class Background:
    """Calls a piece of work again and again on a thread, while this process holds the lock file.

    A process that dies loses the lock with it, and another one takes over.

    Args:
        name: For the thread and the log.
        work: Done once each time; returns whether there is more to do at once.
        lock: Lock file.
        every_seconds: Pause when there is nothing more to do.
        log: Where failures are written.
    """

    def __init__(
        self, name: str, work: Callable[[], bool], *, lock: Path, every_seconds: float, log: EventLog
    ) -> None:
        self._name, self._work, self._lock_path = name, work, lock
        self._every, self._log = every_seconds, log
        self._stop = Event()
        self._thread: Thread | None = None

    def start(self) -> None:
        """Begin."""
        self._thread = Thread(target=self._keep, name=self._name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End; waits a moment for work in progress."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=5.0)

    def _keep(self) -> None:
        held: IO[str] | None = None
        while not self._stop.is_set():
            held = held or self._take()
            more = held is not None and self._attempt()
            if not more:
                self._stop.wait(self._every)
        if held is not None:
            held.close()

    def _take(self) -> IO[str] | None:
        self._lock_path.parent.mkdir(parents=True, exist_ok=True)
        file = self._lock_path.open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            return None
        return file

    def _attempt(self) -> bool:
        """Work must not raise; if it does, the thread must live on."""
        try:
            return self._work()
        except Exception as error:
            self._log.exception("background work failed", error, what=self._name)
            return False
